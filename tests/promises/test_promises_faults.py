"""Rows 2b: past every fault of the sandbox both transports give the same outcomes.

On real sockets, in a process of its own. Each outcome is also held against what the protocol's page
says, so that the lanes cannot agree on something wrong.
"""

import pytest

from tests.promises.child import in_child
from tests.promises.fates import CASES, ENDS

pytestmark = pytest.mark.slow


def test_both_lanes_meet_each_fault_alike(promise, size):
    """Item by item the same balance, or an error of the same kind, status, code and count."""
    stated = promise("2b", "each fault ends alike over aiohttp and direct")
    members = size(400, 20_000, quick=200)
    outcomes = in_child("faults", limit_s=7200, members=members)
    assert list(outcomes) == list(CASES)
    amiss = {
        case: (outcome["differing"][:3], outcome["lanes"])
        for case, outcome in outcomes.items()
        if wrong(outcome)
    }
    met = sum(lane["met"] for outcome in outcomes.values() for lane in outcome["lanes"].values())
    stated.came(
        tried=2 * members * len(CASES),
        failed=sum(map(wrong, outcomes.values())),
        figure=f"{len(CASES)} faults, met {met:,} times",
        why=amiss,
    )
    for case, outcome in outcomes.items():
        assert (outcome["failed"] > 0) == (case in ENDS), case
        assert all(lane["met"] > 0 for lane in outcome["lanes"].values()), case


def wrong(outcome):
    """How many items differ between the lanes, or were lost, doubled or not what was due."""
    amiss = sum(
        lane["lost"] + lane["doubled"] + len(lane["odd"]) for lane in outcome["lanes"].values()
    )
    return len(outcome["differing"]) + amiss
