"""Row 23, of a stream: memory does not drift, and its peak does not depend on the number of items.

On real sockets past faults, in a process of its own. What the second tenth of a run needed at most
is what the last one needs: by then each worker and connection has been there.
"""

import pytest

from tests.lanes import LANES
from tests.promises.child import in_child

pytestmark = pytest.mark.slow
MOST_TRACED_KIB, MOST_RSS_KIB = 1024, 5 * 1024


@pytest.mark.parametrize("lane", LANES)
def test_memory_does_not_drift(promise, size, lane):
    """At most 1 MiB of Python's own, 5 MiB of the process; also beside a short run.

    The lanes have half of the members each.
    """
    stated = promise(23, f"no leak: a stream past faults, {lane}")
    members = size(10_000, 500_000, quick=800)
    run = in_child("drift", limit_s=7200, members=members, lane=lane)
    short = in_child("drift", limit_s=7200, members=min(members // 4, 20_000), lane=lane)
    traced, rss = drift(run["traced_kib"]), drift(run["rss_kib"])
    more = max(run["traced_kib"]) - max(short["traced_kib"])
    stated.came(
        tried=members,
        failed=(max(traced, more) > MOST_TRACED_KIB) + (rss > MOST_RSS_KIB),
        figure=f"{traced} KiB traced, {rss} KiB resident; {more} KiB over a short run's peak",
        why=[run, short],
    )
    assert run["seen"] == members
    assert run["requests"] > 1.05 * members
    assert 0.01 * members < run["failed"] < 0.04 * members


def drift(peaks):
    """By how much the most of the last tenth is over that of the second."""
    return peaks[-1] - peaks[1]
