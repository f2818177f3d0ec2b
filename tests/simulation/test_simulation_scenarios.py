"""Each scenario at a small size, and what is promised in it."""

import functools

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


@functools.cache
def figures(name, seed=1, lane="aiohttp"):
    """What the scenario comes to; run once for all tests."""
    size = SIZES.get(name)
    items = () if size is None else ("--items", size)
    return figures_of(begin("--scenario", name, "--seed", seed, "--lane", lane, *items))


def bounds():
    """A test for each bound of each scenario."""
    for name in SCENARIOS:
        for bound in BOUNDS[name]:
            yield pytest.param(name, bound, id=f"{name}: {bound.says}")


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_input_has_one_right_outcome(name):
    """In every scenario each input has exactly one outcome, and each balance is its member's."""
    assert figures(name)["problems"] == []
    assert figures(name)["lost"] == figures(name)["doubled"] == figures(name)["wrong"] == 0


@pytest.mark.parametrize("name", ["bad_connections", "faults", "flapping", "silence"])
def test_the_fast_lane_keeps_the_same_promises(name):
    """Where connections are what goes wrong, all that is promised holds over it too."""
    came = figures(name, lane="direct")
    assert (came["problems"], came["bounds"]) == ([], [])
    assert came["lost"] == came["doubled"] == came["wrong"] == 0


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_more_is_on_the_wire_than_allowed(name):
    """The client never has more requests under way than its concurrency."""
    assert figures(name)["most_on_wire"] <= SCENARIOS[name].concurrency


@pytest.mark.parametrize(("name", "bound"), list(bounds()))
def test_the_scenario_stays_within_its_bound(name, bound):
    """What is promised in one scenario holds there."""
    assert bound.says not in figures(name)["bounds"], figures(name)


def test_every_scenario_has_bounds():
    """No scenario is without a promise of its own."""
    assert BOUNDS.keys() == {*SCENARIOS, "mix"}
