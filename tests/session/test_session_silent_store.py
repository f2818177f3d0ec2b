"""A store that is silent for a while, in virtual time: calls go on, and the rate of all holds."""

import asyncio
import logging
from contextlib import AsyncExitStack

import pytest
from attrs import define, field

from altcraft_balance.models import Found
from altcraft_balance.pace.store import LONGEST_TAKE_S, StoreAway, Taken, refused
from altcraft_balance.settings import Limits
from altcraft_balance.shared_rate import SharedRate
from altcraft_balance.telemetry.events import RateStoreChanged
from tests.pace.sharing import fullest_second
from tests.session.fakes import Wire, member, members, now, opened

pytest.importorskip("pyrate_limiter")

from pyrate_limiter import GCRA, InMemoryStateStore, RateItem, StateBucket

from altcraft_balance.pace.rates import gcra_rate

pytestmark = pytest.mark.no_cover  # it would take four times as long

PER_S = 200
RATE = SharedRate.redis("redis://cache", "any", PER_S, workers=2)
LIMITS = Limits(64, rate_per_s=RATE, adaptive=False)


@define(slots=False)  # a test replaces how it answers
class Cache:
    """A bucket of permits for several clients; it answers nothing from `frozen` to `thawed`."""

    frozen: float = 2.0
    thawed: float = 2.0
    granted: int = 0
    bucket: StateBucket = field(init=False)
    portion: int = field(init=False)

    def __attrs_post_init__(self):
        rate, self.portion = gcra_rate(PER_S, None)
        self.bucket = StateBucket([rate], algorithm=GCRA(), store=InMemoryStateStore())

    async def take(self, most):
        wanted, asked_ms = min(most, self.portion), int(now() * 1000)
        await self._answer()
        decision = self.bucket.put_decision(RateItem("any", asked_ms, weight=wanted))
        if not decision.allowed:
            return refused(decision.retry_after_ms / 1000, 1)
        self.granted += wanted
        return Taken(wanted)

    async def _answer(self):
        await asyncio.sleep(0.002)
        silent_s = self.thawed - now() if now() >= self.frozen else 0
        await asyncio.sleep(min(LONGEST_TAKE_S, max(0, silent_s)))
        if silent_s > LONGEST_TAKE_S:
            raise StoreAway("no answer within 2 s")

    async def aclose(self):
        """Nothing to close."""


@pytest.fixture
def cache(monkeypatch):
    """The store that clients of this test share."""
    made = Cache()
    monkeypatch.setattr("altcraft_balance.session.session.open_store", lambda *_: made)
    return made


async def failed_calls(client, until):
    """How many of 20 calls a second failed, each of which has 0.3 s."""
    calls = []
    while now() < until:
        call = client.get_balance(member(len(calls)), deadline_s=0.3)
        calls.append(asyncio.create_task(call))
        await asyncio.sleep(0.05)
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    return sum(isinstance(outcome, Exception) for outcome in outcomes)


@pytest.mark.parametrize("silent_s", [0.15, 0.23, 0.6, 1.9, 60])
async def test_a_silent_store_costs_no_call(wire, cache, caplog, silent_s):
    """A call with 0.3 s is sent all the same; only a store that is away is told, and once."""
    caplog.set_level(logging.INFO, "altcraft_balance")
    cache.thawed, changes = cache.frozen + silent_s, []

    def hear(event):
        if isinstance(event, RateStoreChanged):
            changes.append(now())

    async with opened(wire, limits=LIMITS, on_event=hear) as client:
        assert await failed_calls(client, until=10) == 0
    away = silent_s > LONGEST_TAKE_S
    assert changes == ([pytest.approx(cache.frozen + LONGEST_TAKE_S, abs=0.1)] if away else [])
    assert len(caplog.messages) == away


@pytest.mark.parametrize("silent_s", [0.1, 0.23, 0.6, 1.5, 1.95, 3])
@pytest.mark.parametrize("busy", [1, 2])
async def test_no_second_is_fuller_for_a_silence(cache, busy, silent_s):
    """Two processes, one or both of which have work all the time, before, meanwhile and after."""
    cache.thawed = cache.frozen + silent_s
    wires = [Wire() for _ in range(2)]
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(opened(w, limits=LIMITS)) for w in wires]
        runs = [asyncio.create_task(one.get_balances(members(1200))) for one in clients[:busy]]
        calls = [asyncio.create_task(failed_calls(one, until=8)) for one in clients[busy:]]
        await asyncio.gather(*runs, *calls)
    sent = [request.at for wire in wires for request in wire.sent]
    assert fullest_second(sent)[0] <= 1.02 * PER_S


async def test_what_went_without_a_permit_is_paid_for_by_and_by(wire, cache):
    """Never more than the share meanwhile; in the end no more than was granted; calls go on."""
    cache.thawed = cache.frozen + 1.5
    async with opened(wire, limits=LIMITS) as client:
        run = asyncio.create_task(client.get_balances(members(2000)))
        assert await failed_calls(client, until=cache.thawed) == 0
        meanwhile = sum(cache.frozen <= request.at for request in wire.sent)
        assert meanwhile == pytest.approx(PER_S / 2 * (1.5 - 0.22), abs=4)
        assert client.stats().rate_per_s == PER_S / 2
        assert await failed_calls(client, until=cache.thawed + 1.5) == 0
        outcomes = await run
        assert client.stats().rate_per_s == PER_S
    assert all(isinstance(outcome, Found) for outcome in outcomes)
    assert len(wire.sent) <= cache.granted


async def test_a_store_that_stays_slow_leaves_no_endless_debt(wire, cache):
    """After minutes of answers that come late, the whole rate is had again within seconds."""

    async def late():
        await asyncio.sleep(0.4 if now() < 200 else 0.002)

    cache._answer = late
    async with opened(wire, limits=LIMITS, deadline_s=None) as client:
        assert await failed_calls(client, until=200) == 0
        run = asyncio.create_task(client.get_balances(members(2000)))
        await asyncio.sleep(5)
        assert client.stats().rate_per_s == PER_S
        await run


async def test_a_store_that_is_away_is_owed_nothing(wire, cache):
    """Back again, and 7 s later, the whole rate is had, whatever was sent while it was silent."""
    cache.thawed = 12
    async with opened(wire, limits=LIMITS) as client:
        assert await failed_calls(client, until=15) == 0
        await asyncio.sleep(3)
        await client.get_balance(member(0))  # finds it back
        await asyncio.sleep(5 + LONGEST_TAKE_S)
        await client.get_balance(member(0))
        assert client.stats().rate_per_s == PER_S


async def test_a_silence_makes_a_slow_share_no_faster(wire, cache):
    """At a share of one in ten seconds the first goes ten seconds after the store was asked."""
    cache.frozen, cache.thawed = 0, 60
    slow = SharedRate.redis("redis://cache", "any", 0.2, workers=2)
    async with opened(wire, limits=Limits(64, rate_per_s=slow), deadline_s=None) as client:
        await client.get_balances(members(2))
    assert [request.at for request in wire.sent] == [pytest.approx(at, abs=0.1) for at in (10, 20)]
