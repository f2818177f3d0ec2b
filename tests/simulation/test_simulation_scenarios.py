"""Each scenario at a small size, and what is promised in it."""

import pytest

from tests.simulation.bounds import BOUNDS
from tests.simulation.child import begin, figures_of
from tests.simulation.scenarios import SCENARIOS

#: Items, in the place of the scenario's own number, where that takes long.
SIZES = {
    "outage": 1500,
    "recovery": 3000,
    "silence": 1500,
    "flapping": 1500,
    "bad_connections": 700,
    "bad_answers": 700,
}
#: Their bounds are those of a long run.
NEED_ALL = {"knee", "silence"}
#: Whose promises are kept in `tests/promises` as well, so that a quick run has them there alone.
PROMISED = {"outage", "quota", "quota_known", "recovery"}
#: Where connections are what goes wrong, all that is promised holds over the fast lane, too.
RUNS = [
    *((name, "aiohttp") for name in SCENARIOS),
    *((name, "direct") for name in ("bad_connections", "faults", "flapping", "silence")),
]


@pytest.mark.parametrize(("name", "lane"), RUNS)
def test_the_scenario_keeps_its_promises(name, lane, size):
    """Each input has one right outcome, no more is on the wire than allowed; and its own bounds.

    One run, looked at in every way: a test for each bound would run it once for each worker.
    """
    if name in size(set(), quick=PROMISED):
        pytest.skip("at a larger size: a quick run has it among the promises")
    items = SIZES.get(name, SCENARIOS[name].items)
    if name not in NEED_ALL:
        items = size(items, quick=items // (2 if name in SIZES else 4))
    items = ("--items", items)
    came = figures_of(begin("--scenario", name, "--seed", 1, "--lane", lane, *items))
    assert came["problems"] == []
    assert came["lost"] == came["doubled"] == came["wrong"] == 0
    assert came["most_on_wire"] <= SCENARIOS[name].concurrency
    assert came["bounds"] == [], came


def test_every_scenario_has_bounds():
    """No scenario is without a promise of its own."""
    assert BOUNDS.keys() == {*SCENARIOS, "mix"}
