"""Row 10: waiting for a slot is no timeout.

A request's clock starts when it is sent. However long the queue, lookups that the server answers
in 0.3 s stay within a limit of 1 s for an attempt.
"""

import pytest

from tests.lanes import LANES
from tests.promises.child import in_child


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("how", ["batch", "calls"])
def test_waiting_for_a_slot_is_no_timeout(promise, size, how, lane):
    """A thousand lookups wait up to 150 s for two slots, and each is found by one request."""
    stated = promise(10, f"waiting for a slot is no timeout: {how}, {lane}")
    lookups = size(1_000, 20_000, quick=200)
    came = in_child("waiting", lookups=lookups, how=how, lane=lane, limit_s=3600)
    stated.came(
        tried=lookups,
        failed=lookups - came["ends"].get("found", 0),
        figure=f"{came['attempts'].get('attempt_timeout', 0)} timeouts, "
        f"{came['pace']:.3f} of the ideal time",
        why=came,
    )
    assert came["attempts"] == {"found": lookups}
