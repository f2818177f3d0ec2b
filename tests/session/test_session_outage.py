"""A server that is down: no storm, nothing lost, and a gentle return."""

import asyncio
import random
from itertools import pairwise

import pytest

from altcraft_balance.models import Found
from altcraft_balance.settings import Limits
from altcraft_balance.telemetry.events import BreakerChanged
from tests.session.fakes import (
    Slow,
    broken,
    http,
    member,
    members,
    now,
    ok,
    opened,
    settle,
    unreachable,
)

pytestmark = pytest.mark.no_cover  # it would take four times as long

OUTAGE_S = 600.0
TROUBLES = {
    "500": lambda: http(500),
    "503": lambda: http(503),
    "refused": unreachable,
    "broken": broken,
    "silence": None,
}


async def run_through_an_outage(wire, trouble, *, concurrency, items, answered_before=0, **more):
    """All outcomes of a batch of which the server answers some, then nothing for ten minutes."""
    rng = random.Random(7)

    def answer(sent):
        down = sent.number >= answered_before and sent.at < OUTAGE_S
        if down and trouble == "silence":
            return Slow(1000)
        return Slow(rng.uniform(0.05, 0.15), TROUBLES[trouble]() if down else ok())

    wire.answer = answer
    async with opened(wire, limits=Limits(concurrency, **more), attempt_s=5) as client:
        client._session.rng = rng
        return await client.get_balances(members(items))


def down(wire):
    """What was sent while the server was down, first attempts and the rest."""
    seen, first, again = set(), [], []
    for sent in wire.sent:
        if sent.at < OUTAGE_S:
            (again if sent.email in seen else first).append(sent.at)
            seen.add(sent.email)
    return first, again


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_ten_minutes_at_100_percent_failure_are_no_storm(wire, trouble):
    """1,000 under way: 35 repeats at most, then one probe each 1 to 30 s; then all are found."""
    outcomes = await run_through_an_outage(wire, trouble, concurrency=1000, items=1000)
    first, again = down(wire)
    assert len(first) == 1000
    trip = max(first) + 5 + 0.2  # those under way have ended by then
    assert len([at for at in again if at <= trip]) <= 35
    probes = [at for at in again if at > trip]
    gaps = [b - a for a, b in pairwise(probes)]
    assert all(1 - 1e-5 <= gap <= 30 + 5 for gap in gaps)
    assert 18 <= len(probes) <= 50
    assert all(isinstance(outcome, Found) for outcome in outcomes)
    assert sorted(outcome.index for outcome in outcomes) == list(range(1000))


@pytest.mark.parametrize("items", [1, 3, 40])
@pytest.mark.parametrize("trouble", ["500", "refused"])
async def test_a_few_items_come_through_an_outage_as_well(wire, trouble, items):
    """They wait for a server that has been there: probes cost them no attempt."""
    items += 20  # answered before it goes down
    outcomes = await run_through_an_outage(
        wire, trouble, concurrency=8, items=items, answered_before=20
    )
    lost = [outcome for outcome in outcomes if not isinstance(outcome, Found)]
    # Three with a reply never come to twenty failures in a row before their attempts are over.
    assert not lost or (trouble == "500" and items - 20 <= 3)


@pytest.mark.parametrize("adaptive", [True, False])
async def test_the_return_is_gentle_and_quick(wire, adaptive):
    """The first answer does not let everybody go at once: a batch's rate grows from a few."""
    await run_through_an_outage(wire, "refused", concurrency=1000, items=3000, adaptive=adaptive)
    times = sorted(sent.at for sent in wire.sent if sent.at >= OUTAGE_S)
    assert len([at for at in times if at - times[0] <= 1]) <= 50
    assert times[-1] - times[0] < 30


async def test_the_return_begins_at_a_quarter_of_what_was_answered_before(wire):
    """A server that answered 640 a second need not be asked as gently as an unknown one."""
    wire.answer = lambda sent: Slow(0.05, unreachable() if 3 <= sent.at < 5 else ok())
    rates = []

    def back(event):
        if event == BreakerChanged(state="closed", retry_after_s=None):
            rates.append(client.stats().rate_per_s)

    async with opened(wire, limits=Limits(32), max_attempts=99, on_event=back) as client:
        await client.get_balances(members(4000))
    assert rates == [pytest.approx(160, rel=0.1)]


async def test_only_one_probe_is_on_the_way(wire):
    """However many wait, and however long it takes."""
    wire.answer = lambda _: http(500)
    async with opened(wire, concurrency=64, max_attempts=99) as client:
        run = asyncio.create_task(client.get_balances(members(200)))
        await settle()
        assert client.health().breaker == "open"
        wire.most_out = 0
        wire.answer = lambda _: Slow(7, http(500))
        for _ in range(40):
            await asyncio.sleep(1)
            assert wire.out == (client.health().breaker == "probing")
        assert wire.most_out == 1
        wire.answer = lambda _: ok()
        outcomes = await run
    assert all(isinstance(outcome, Found) for outcome in outcomes)


async def test_a_probe_that_is_cancelled_is_followed_by_another(wire):
    """Nobody waits for an answer that nobody wants; the next goes when it would have gone."""
    wire.answer = lambda _: http(500)
    async with opened(wire, concurrency=64, max_attempts=1) as client:
        calls = (client.get_balance(member(n)) for n in range(20))
        await asyncio.gather(*calls, return_exceptions=True)
        await asyncio.sleep(1.5)
        wire.answer = lambda _: Slow(5)
        probe = asyncio.create_task(client.get_balance(member(1)))
        parked = asyncio.create_task(client.get_balances([member(2)]))
        await settle()
        probe.cancel()
        [outcome] = await parked
        assert isinstance(outcome, Found)
        assert now() == pytest.approx(3 + 5, abs=0.01)
        assert client.health().breaker == "closed"


async def test_the_budget_is_whole_again_after_an_outage(wire):
    """The server is back, so there is no reason to be sparing."""
    wire.answer = lambda sent: http(500) if sent.at < 5 else ok()
    async with opened(wire, concurrency=64) as client:
        run = asyncio.create_task(client.get_balances(members(64)))
        await settle()
        client._session.traffic.budget.tokens = 3
        await run
        assert client.stats().budget == 500
