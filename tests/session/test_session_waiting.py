"""What a client says of those who wait: how many, for what, and for how long so far."""

import asyncio
import contextlib

import pytest

from altcraft_balance.errors import DeadlineExceeded
from altcraft_balance.settings import Limits
from tests.session.fakes import (
    Slow,
    http,
    make_client,
    member,
    members,
    now,
    ok,
    opened,
    settle,
    throttled,
)

SOON = pytest.approx


def about(seconds):
    return pytest.approx(seconds, abs=0.001)


def calls(client, numbers, **options):
    return [asyncio.create_task(client.get_balance(member(n), **options)) for n in numbers]


async def test_a_client_at_rest_has_waited_for_nothing(wire):
    """Also before it is open; one that is served at once has not waited either."""
    client = make_client(wire)
    assert (dict(client.stats().waiting), dict(client.stats().waited_s)) == ({}, {})
    async with client:
        await client.get_balance(member(0))
        assert (dict(client.stats().waiting), dict(client.stats().waited_s)) == ({}, {})


@pytest.mark.parametrize(
    ("reply", "reason", "wait_s"),
    [
        (throttled(5), "gate", 5.1),
        (http(503, retry_after="5"), "gate", 5.1),
        (http(500, retry_after="5"), "backoff", 5.1),
        (http(500), "backoff", 0.1),
    ],
    ids=str,
)
async def test_a_wait_is_counted_by_its_reason(wire, reply, reason, wait_s):
    """While it goes on and when it is over."""
    wire.script.append(reply)
    async with opened(wire, limits=Limits(4, adaptive=False)) as client:
        [call] = calls(client, [0])
        await settle()
        assert dict(client.stats().waiting) == {reason: 1}
        await call
        assert dict(client.stats().waiting) == {}
        assert dict(client.stats().waited_s) == {reason: about(wait_s)}


async def test_a_wait_for_a_slot_is_counted(wire):
    """All waits together: the second waits one second, the third two."""
    wire.answer = lambda _: Slow(1)
    async with opened(wire, concurrency=1) as client:
        waiting = calls(client, range(3))
        await settle()
        assert dict(client.stats().waiting) == {"slot": 2}
        await asyncio.gather(*waiting)
        assert dict(client.stats().waited_s) == {"slot": about(3)}


async def test_a_wait_for_the_breaker_is_counted(wire):
    """A batch's, since calls do not wait for it."""
    wire.answer = lambda sent: http(500) if sent.number < 20 else Slow(0)
    async with opened(wire, concurrency=32, max_attempts=1) as client:
        await asyncio.gather(*calls(client, range(20)), return_exceptions=True)
        run = asyncio.create_task(client.get_balances(members(1)))
        await settle()
        assert dict(client.stats().waiting) == {"breaker": 1}
        await run
        assert dict(client.stats().waited_s) == {"breaker": about(1.5)}


async def test_a_wait_for_the_budget_is_counted(wire):
    """Of an item that is parked after its probe has failed."""
    wire.script.extend([http(500)] * 2)
    async with opened(wire, limits=Limits(4, adaptive=False)) as client:
        client._session.traffic.budget.tokens = 0
        await client.get_balances(members(1))
        # 0.1 s and 0.2 s of backoff; the second probe is due 1.5 s after the first.
        waited_s = dict(client.stats().waited_s)
        assert waited_s == {"backoff": about(0.3), "budget": about(1.3)}


@pytest.mark.parametrize("how", ["deadline", "cancel", "refused"])
async def test_those_who_give_up_have_waited_as_well(wire, how):
    """Their time was no less spent."""
    wire.script.append(Slow(3, throttled(60) if how == "refused" else http(400)))
    async with opened(wire, concurrency=1, deadline_s=None) as client:
        first, *others = calls(client, range(1)) + calls(
            client, (1, 2), deadline_s=2 if how == "deadline" else 30
        )
        await settle()
        if how == "cancel":
            await asyncio.sleep(2)
            for other in others:
                other.cancel()
        ends = await asyncio.gather(*others, return_exceptions=True)
        assert client.stats().waited_s["slot"] == about(6 if how == "refused" else 4)
        kind = asyncio.CancelledError if how == "cancel" else DeadlineExceeded
        assert {type(end) for end in ends} == {kind}
        await asyncio.gather(first, return_exceptions=True)


async def test_the_attempts_latencies_are_shown(wire):
    """From sending to the answer; waits are not in them, nor attempts without an answer."""
    wire.answer = lambda sent: Slow(2 if sent.number == 50 else 0.1)
    async with opened(wire, limits=Limits(1, adaptive=False), deadline_s=None) as client:
        assert (client.stats().latency_p50_s, client.stats().latency_p99_s) == (None, None)
        await asyncio.gather(*calls(client, range(80)))
        stats = client.stats()
        assert stats.latency_p50_s == SOON(0.1, rel=0.1)
        assert stats.latency_p99_s == SOON(2, rel=0.1)
        wire.answer = lambda _: Slow(5, http(500))
        await asyncio.gather(*calls(client, range(9), deadline_s=6), return_exceptions=True)
        assert client.stats().latency_p50_s == stats.latency_p50_s


async def test_width_gate_and_budget_are_shown(wire):
    """With their figures now."""
    async with opened(wire, concurrency=7) as client:
        stats = client.stats()
        assert (stats.slots, stats.width, stats.gate_s, stats.budget) == (7, 7, 0.0, 500)
        assert (stats.breaker, stats.rate_per_s) == ("closed", None)
        wire.script.extend([http(500), throttled(30)])
        run = asyncio.create_task(client.get_balances(members(2)))
        await settle()
        stats = client.stats()
        assert (stats.gate_s, stats.throttled) == (about(30.1), 1)
        assert client.health().retry_after_s == about(30.1)
        await run
        assert now() > 30


async def test_those_who_gave_up_do_not_pile_up(wire):
    """Calls that leave in the middle of a long sleep are forgotten."""
    wire.answer = lambda sent: ok() if sent.number % 2 else http(500, retry_after="600")
    async with opened(wire, deadline_s=None, concurrency=64) as client:
        staying = asyncio.create_task(client.get_balance(member(0)))
        await settle()
        for number in range(2, 2000):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await client.get_balance(member(number))
        assert len(client._session.admission._asleep) <= 130
        assert client.stats().waiting == {"backoff": 1}
        await staying
    assert 600 <= now() < 630
