"""Rows 1, 2 and 9: each lookup has its own member's answer, whatever connections go through.

Never a stranger's balance (1), nothing lost and nothing doubled (2), and a connection that died
while it lay idle is invisible (9). On real sockets, in processes of their own.
"""

import pytest

from tests.promises.child import in_child

pytestmark = pytest.mark.slow


over_both = pytest.mark.parametrize("lane", ["aiohttp", "direct"])


def stream(**options):
    """What `stream.py` saw, with `options` as its arguments."""
    return in_child("stream", limit_s=3600, **options)


def failures(outcome, members):
    """How many inputs had not exactly one outcome, or one that was not their member's balance."""
    not_right = members - outcome["right"]
    return max(not_right, outcome["wrong"] + outcome["lost"] + outcome["doubled"])


@over_both
def test_a_stray_reply_is_never_given_to_the_next_lookup(promise, size, lane):
    """Of all lookups past a server that sends stray replies, none gets a stranger's balance.

    Without the second look some are wrong; without the first no connection is dropped when it is
    taken, and a lookup has to begin on one that is known to be unclean.
    """
    stated = promise(1, f"never a stranger's balance, {lane}")
    members = size(20_000 if lane == "aiohttp" else 2_000, 200_000, quick=2_000)
    outcome = stream(members=members, faults="stray=0.2", rest_every=100, lane=lane)
    stated.came(
        tried=members,
        failed=failures(outcome, members),
        figure=f"{outcome['server']['stray']:,} stray replies",
        why=outcome,
    )
    assert outcome["server"]["stray"] > members / 200
    assert outcome["news"]["dropped_when_taken"] > members / 1000
    assert outcome["requests"] == members


@over_both
def test_whoever_is_cancelled_leaves_no_reply_to_the_next(promise, size, lane):
    """Nor do late 408s and strays between them: who is not cancelled has his own balance."""
    stated = promise(1, f"never a stranger's balance, past cancels and late 408s, {lane}")
    came = in_child("cancels", cancels=size(2_000, 50_000, quick=300), lane=lane, limit_s=3600)
    stated.came(
        tried=came["right"] + came["wrong"],
        failed=came["wrong"],
        figure=f"{came['cancelled']:,} cancels, {came['server']['late_408']:,} late 408s",
        why=came,
    )
    assert came["server"]["stray"] > 0


@over_both
@pytest.mark.parametrize("fault", ["idle_close", "late_408"])
def test_a_dead_keep_alive_is_invisible(promise, size, fault, lane):
    """Behind a server that closes idle connections in a race, nothing fails in one attempt."""
    stated = promise(9, f"a dead keep-alive is invisible: {fault}, {lane}")
    members = size(2_000, 10_000, quick=500)
    faults = f"{fault}=0.5"
    outcome = stream(members=members, faults=faults, rest_every=100, max_attempts=1, lane=lane)
    stated.came(
        tried=members,
        failed=failures(outcome, members),
        figure=f"{outcome['server'][fault]:,} closed, {outcome['free_repeats']:,} free repeats",
        why=outcome,
    )
    assert outcome["server"][fault] > members / 40


@pytest.mark.parametrize(
    ("form", "lane"), [("json", "aiohttp"), ("xml", "aiohttp"), ("json", "direct")]
)
def test_nothing_is_lost_and_nothing_doubled(promise, size, form, lane):
    """With 10 % of faults each input has one outcome, and with 12 attempts none fails."""
    stated = promise(2, f"nothing lost, nothing doubled: {form}, {lane}")
    is_usual = (form, lane) == ("json", "aiohttp")
    members = size(20_000, 200_000, quick=1_000) if is_usual else size(4_000, 40_000, quick=500)
    busy = 0.002 if is_usual else 0.02  # at each the client slows down, and many take long
    faults = f"reset=0.03,latency=0.01,status503={busy},status500=0.02,html=0.01,empty=0.01"
    faults += ",truncated=0.01"
    more = {"max_attempts": 12, "format": form, "lane": lane, "attempt_s": 0.5}
    outcome = stream(members=members, faults=faults, **more)
    stated.came(
        tried=members,
        failed=failures(outcome, members),
        figure=f"{outcome['requests'] / members:.3f} requests an item",
        why=outcome,
    )
    assert outcome["attempts"]["attempt_timeout"] > members / 200
    assert outcome["requests"] > 1.05 * members
    assert outcome["requests"] < 1.15 * members


def test_without_enough_attempts_what_fails_is_said(promise, size):
    """With one attempt and faults, each input still has exactly one outcome."""
    stated = promise(2, "nothing lost, nothing doubled: one attempt")
    members = size(2_000, 20_000, quick=500)
    outcome = stream(members=members, faults="status500=0.2", max_attempts=1)
    failed = outcome["failed"]["http_status"]
    stated.came(
        tried=members,
        failed=outcome["lost"] + outcome["doubled"] + outcome["wrong"],
        figure=f"{failed:,} failures, all said",
        why=outcome,
    )
    assert outcome["right"] + failed == members
    assert failed == outcome["server"]["status500"]
