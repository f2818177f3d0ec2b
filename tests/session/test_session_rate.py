"""A rate that is known: never more than rate and burst in any second, and calls first."""

import asyncio
import random

import pytest

from altcraft_balance.settings import Limits
from altcraft_balance.shared_rate import SharedRate
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
)


def worst(sent, window_s=1.0):
    """The most requests in any window of that length."""
    times = sorted(request.at for request in sent)
    most = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - window_s:
            first += 1
        most = max(most, last - first + 1)
    return most


def limits(rate_per_s, burst=None, concurrency=64):
    return Limits(concurrency, rate_per_s=rate_per_s, burst=burst, adaptive=False)


@pytest.mark.parametrize(("rate", "burst"), [(50, None), (50, 1), (50, 10), (7.5, None), (0.5, 3)])
async def test_no_second_sees_more_than_rate_and_burst(wire, rate, burst):
    """Of a batch, of calls, and of both together; and no less than the rate is used."""
    async with opened(wire, limits=limits(rate, burst), deadline_s=None) as client:
        count = round(rate * 10)
        run = asyncio.create_task(client.get_balances(members(count)))
        calls = [asyncio.create_task(client.get_balance(member(n))) for n in range(count)]
        await asyncio.gather(run, *calls)
    assert worst(wire.sent) <= rate + (burst or 1 + rate / 100)
    assert now() == pytest.approx(20 - (burst or 1) / rate, rel=0.02)


async def test_after_a_rest_a_burst_goes_at_once(wire):
    """And then the rate holds again."""
    async with opened(wire, limits=limits(10, burst=5)) as client:
        for _ in range(2):
            began = now()
            await client.get_balances(members(7))
            assert now() - began == pytest.approx(0.2, abs=0.001)
            await asyncio.sleep(60)
    assert worst(wire.sent, 0.01) == 5


@pytest.mark.parametrize("seed", range(3))
async def test_repeats_and_free_repeats_count_as_well(wire, seed):
    """Whatever goes out is paced; a free repeat goes at once, and the next one waits for it."""
    rng = random.Random(seed)
    faults = [ok(), ok(), Slow(0.3), http(500), broken(reused=True)]
    wire.answer = lambda _: rng.choice(faults)
    async with opened(wire, limits=limits(50, burst=1), max_attempts=99) as client:
        await client.get_balances(members(300))
        free = client.stats().free_repeats
    assert free > 20
    times = [sent.at for sent in wire.sent if not sent.fresh]
    assert worst(wire.sent) <= 50 + 1 + worst([s for s in wire.sent if s.fresh], 0.02)
    assert len(times) + free == len(wire.sent)
    assert now() >= (len(wire.sent) - 1) / 50 - 0.001


async def test_calls_go_before_a_batch(wire):
    """At the next moment that the rate allows, and with a turn kept for none."""
    async with opened(wire, limits=limits(10)) as client:
        run = asyncio.create_task(client.get_balances(members(100)))
        await asyncio.sleep(1.05)
        began = now()
        await asyncio.gather(*(client.get_balance(member(200 + n)) for n in range(3)))
        assert now() - began == pytest.approx(0.25, abs=0.01)
        await run
    assert wire.emails[11:14] == [member(200 + n).email for n in range(3)]


async def test_a_wait_for_the_rate_holds_no_slot(wire):
    """Two slots are enough for any number that wait."""
    async with opened(wire, limits=limits(2, concurrency=2), deadline_s=None) as client:
        waiting = [asyncio.create_task(client.get_balance(member(n))) for n in range(6)]
        await settle()
        stats = client.stats()
        assert (stats.slots_in_use, dict(stats.waiting)) == (0, {"rate": 5})
        assert stats.rate_per_s == 2
        await asyncio.gather(*waiting)
        assert client.stats().waited_s["rate"] == pytest.approx(sum(range(1, 6)) / 2, rel=0.01)


async def test_a_split_rate_gives_each_process_its_share(wire):
    """Without a store."""
    shared = SharedRate.split(200, workers=20)
    async with opened(wire, limits=limits(shared)) as client:
        assert client.stats().rate_per_s == 10
        await client.get_balances(members(50))
    assert now() == pytest.approx(4.9, abs=0.1)
    assert worst(wire.sent) <= 11


async def test_without_a_rate_nobody_waits_for_one(wire):
    """All at once, as many as there are slots."""
    async with opened(wire, limits=limits(None)) as client:
        await client.get_balances(members(500))
        assert client.stats().rate_per_s is None
        assert "rate" not in client.stats().waited_s
    assert now() < 0.01


async def test_a_cancelled_wait_for_the_rate_takes_no_turn(wire):
    """The next in line has it."""
    async with opened(wire, limits=limits(1), deadline_s=None) as client:
        waiting = [asyncio.create_task(client.get_balance(member(n))) for n in range(5)]
        await settle()
        for call in waiting[1:4]:
            call.cancel()
        await asyncio.wait(waiting)
    assert wire.emails == [member(0).email, member(4).email]
    assert wire.sent[1].at == pytest.approx(1, abs=0.001)
