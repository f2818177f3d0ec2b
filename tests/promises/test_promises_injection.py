"""Row 20: nothing can be injected.

Line breaks, NUL, markup, quotes and characters of every script, in whatever a caller fills: token,
URL, headers, ids, addresses, names of fields. It is refused before it is sent, or arrives as the
value it was: at a raw socket there is no further header line, and in the body no further field.
"""

import pytest

from tests.lanes import LANES
from tests.promises.child import in_child


@pytest.mark.parametrize("lane", LANES)
def test_nothing_can_be_injected(promise, size, lane):
    """In JSON and XML, with the token in the body and in the header."""
    stated = promise(20, f"nothing can be injected, over {lane}")
    result = in_child(
        "injections", lane=lane, cases=size(5_000, 50_000, quick=1_500), limit_s=size(150, 1800)
    )
    counts = result["counts"]
    assert result["never sent"] == []
    stated.came(
        tried=sum(counts.get(word, 0) for word in ("sent", "refused", "wrong")),
        failed=len(result["wrong"]),
        figure=f"{counts['sent']} sent as meant, {counts['refused']} refused",
        why="\n".join(result["wrong"][:20]),
    )
