"""The harness notices what it is there to notice."""

import asyncio

import pytest
from attrs import evolve

from altcraft_balance.models import ByEmail
from altcraft_balance.sandbox import Sandbox
from tests.simulation import world
from tests.simulation.behaviours import Down, Steady
from tests.simulation.ideal import ideal_s
from tests.simulation.judge import Judge
from tests.simulation.report import covered_s, first_full_second, most_within
from tests.simulation.scenarios import SCENARIOS, Scenario
from tests.simulation.server import Seen

SMALL = evolve(SCENARIOS["healthy"], items=20, calls=2)


def problems():
    return " ".join(world.simulate(SMALL, 1).report.problems)


def test_a_healthy_run_has_no_problem():
    """Where nothing goes wrong, nothing is complained about."""
    assert problems() == ""


def test_a_strangers_balance_is_noticed(monkeypatch):
    """A balance that is not the member's is counted as wrong."""
    asked = Sandbox.balance_of
    other = ByEmail("somebody-else@example.com")
    monkeypatch.setattr(
        Sandbox, "balance_of", lambda sandbox, query, **how: asked(sandbox, other, **how)
    )
    assert "22 wrong" in problems()


@pytest.mark.parametrize(("times", "said"), [(0, "20 lost"), (2, "20 doubled")])
def test_lost_and_doubled_outcomes_are_noticed(monkeypatch, times, said):
    """An input without an outcome, and one with two, are problems."""
    judged = Judge.item
    monkeypatch.setattr(
        Judge, "item", lambda judge, outcome: [judged(judge, outcome) for _ in range(times)]
    )
    assert said in problems()


def test_too_many_on_the_wire_are_noticed(monkeypatch):
    """More requests under way than the concurrency are a problem."""
    run = world.World._make_client

    def wider(own):
        client = run(own)
        own.judge._scenario = evolve(own.scenario, concurrency=3)
        return client

    monkeypatch.setattr(world.World, "_make_client", wider)
    assert "on the wire of 3" in problems()


def test_a_deadlock_is_noticed(monkeypatch):
    """A client that waits for what never comes ends the run, with the moment it got stuck."""

    async def never(*_, **__):
        await asyncio.Event().wait()

    monkeypatch.setattr(world.SimulatedTransport, "send", never)
    assert "not over after 3600 s" in problems()


def test_a_livelock_is_noticed(monkeypatch):
    """A client that turns round and round without time passing ends the run."""

    async def round_and_round(*_, **__):
        while True:  # noqa: ASYNC110 - it is to be stuck
            await asyncio.sleep(0)

    monkeypatch.setattr(world, "_MOST_TURNS", 1000)
    monkeypatch.setattr(world.SimulatedTransport, "send", round_and_round)
    assert "livelock" in problems()


def test_a_bug_is_a_problem_with_its_traceback(monkeypatch):
    """An exception that is not an outcome is reported with where it came from."""

    async def broken(*_, **__):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(world.SimulatedTransport, "send", broken)
    assert "ZeroDivisionError: a bug" in problems()


def test_requests_in_a_pause_are_noticed():
    """What comes while Retry-After runs is counted; what comes at its two ends is not."""
    seen = Seen(pauses=[(1.0, 2.0), (1.5, 3.0)])
    for item, at in enumerate([0.5, 1.0, 1.2, 2.0, 3.0]):
        seen.came(at, item)
    assert seen.in_pause == [(1.2, 2), (2.0, 3)]
    assert covered_s(seen.pauses) == 2.0


def test_the_ideal_time_knows_outages():
    """Ten seconds in which nothing is answered are ten seconds more."""
    quick = ideal_s((Steady(0.1, 0.0),), 100, 1)
    down = ideal_s((Down(((5.0, 15.0),)), Steady(0.1, 0.0)), 100, 1)
    assert quick == pytest.approx(10, abs=0.2)
    assert down - quick == pytest.approx(10, abs=0.1)


def test_bursts_and_full_seconds_are_counted():
    """The worst window and the first full second are found among times in order."""
    assert most_within([0.0, 0.05, 0.09, 0.2, 0.21], 0.1) == 3
    assert first_full_second([0.0, 2.0, 2.5, 2.9], 0.0, 3) == 2.9
    assert first_full_second([0.0, 2.0], 0.0, 2) is None


def test_a_run_gives_every_figure():
    """The report of an outage has all figures, and each of them prints in one line."""
    outage = Scenario(
        name="recovery", items=50, concurrency=8, behaviours=(Down(((0.1, 3.0),)), Steady())
    )
    report = world.simulate(outage, 1).report
    assert report.repeats_while_down > 0
    assert all("\n" not in line for line in report.lines())
