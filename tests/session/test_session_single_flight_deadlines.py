"""Single flight: each call keeps its own deadline, and is told as soon as it is hopeless."""

import asyncio
import math

import pytest

from altcraft_balance.errors import CircuitOpen, DeadlineExceeded
from altcraft_balance.session.flight import Rider
from altcraft_balance.session.passes import Obstacle
from altcraft_balance.settings import Limits
from tests.session.fakes import (
    Slow,
    http,
    member,
    now,
    opened,
    settle,
    throttled,
)

SOON = pytest.approx


def flying(wire, **settings):
    """An open client that shares requests."""
    return opened(wire, single_flight=True, **settings)


def ask(client, **options):
    return asyncio.create_task(client.get_balance(member(0), **options))


async def errors(*calls):
    return await asyncio.gather(*calls, return_exceptions=True)


async def told(call):
    """The error of a call, and when it came."""
    with pytest.raises(Exception, match=r".") as caught:
        await call
    return caught.value, now()


@pytest.mark.parametrize("first_s", [1, 30])
async def test_a_shorter_deadline_ends_its_own_call_only(wire, first_s):
    """One call ends after a second, whether it leads or has joined; the other has its answer."""
    wire.script.append(Slow(5))
    async with flying(wire) as client:
        calls = [ask(client, deadline_s=s) for s in (first_s, 31 - first_s)]
        ends = {type(end).__name__: end for end in await errors(*calls)}
        late = ends["DeadlineExceeded"]
        assert (late.elapsed_s, late.phase, late.maybe_sent) == (SOON(1), "attempt", True)
        assert (late.attempts, late.last_error) == (1, None)
        assert "Balance" in ends
        assert (now(), len(wire.sent)) == (SOON(5), 1)


async def test_a_caller_without_a_deadline_outlives_all_others(wire):
    """When the lookup ends for want of time, those who have more of it go on with the next."""
    wire.script.extend([Slow(1, http(500)), Slow(60), Slow(5)])
    async with flying(wire, attempt_s=100) as client:
        first = ask(client, deadline_s=10)
        await asyncio.sleep(0.5)
        second = ask(client, deadline_s=None)
        error, at = await told(first)
        assert (error.attempts, at) == (2, SOON(10))
        await second
        assert (now(), len(wire.sent)) == (SOON(15), 3)


async def test_who_waits_for_the_next_request_is_told_in_time(wire):
    """Nothing was sent for it, and the error says so."""
    wire.script.append(Slow(5))
    async with flying(wire) as client:
        first = ask(client)
        await asyncio.sleep(1)
        error, at = await told(ask(client, deadline_s=2))
        assert (at, error.phase, error.attempts, error.maybe_sent) == (SOON(3), "slot", 0, False)
        await first
        assert len(wire.sent) == 1


async def test_no_time_for_the_repeat_is_told_when_it_is_known(wire):
    """The backoff outlasts one call's deadline: it is told at once, with what has happened."""
    wire.script.append(Slow(1, http(500)))
    async with flying(wire) as client:
        first, second = ask(client), ask(client, deadline_s=1.05)
        error, at = await told(second)
        assert (at, error.phase, error.retry_after_s) == (SOON(1), "backoff", SOON(0.1))
        assert (error.attempts, error.last_error.kind, error.maybe_sent) == (1, "http_status", True)
        await asyncio.sleep(0.01)
        error, at = await told(ask(client, deadline_s=0.05))  # joins during the same wait
        assert (at, error.attempts, error.maybe_sent) == (SOON(1.01), 0, False)
        await first


async def test_a_pause_is_told_at_once_to_all_who_have_no_time_for_it(wire):
    """Who is aboard, who waits for the next and who comes later; the others wait it out."""
    wire.script.append(Slow(1, throttled(20)))
    async with flying(wire) as client:
        calls = [ask(client), ask(client, deadline_s=10)]
        await settle()
        calls.append(ask(client, deadline_s=10))
        await asyncio.wait(calls[1:])
        assert now() == SOON(1)
        for call, attempts in ((calls[1], 0), (calls[2], 0)):
            error = call.exception()
            assert (error.phase, error.attempts) == ("gate", attempts)
        assert [calls[n].exception().maybe_sent for n in (1, 2)] == [True, False]
        error, at = await told(ask(client, deadline_s=10))
        assert (at, error.phase, error.retry_after_s) == (SOON(1), "gate", SOON(20.1))
        await calls[0]
        assert now() > 21


async def test_a_pause_that_another_lookup_brings_is_told_too(wire):
    """Who waits for the next request hears of it at once; the others wait it out."""
    wire.script.extend([Slow(5), Slow(1, throttled(20))])
    async with flying(wire) as client:
        calls = [ask(client), ask(client, deadline_s=8)]  # on the wire: the pause is not theirs
        await settle()
        short, long = ask(client, deadline_s=10), ask(client, deadline_s=60)
        other = asyncio.create_task(client.get_balance(member(1)))
        error, at = await told(short)
        assert at == SOON(1, abs=0.001)
        assert (error.phase, error.attempts, error.maybe_sent) == ("gate", 0, False)
        await asyncio.gather(*calls, long, other)


async def test_what_befell_an_earlier_lookup_is_not_told_of_the_next(wire):
    """A call that shares the second lookup only has one attempt, and no error before it."""
    wire.script.extend([Slow(1, http(500)), Slow(1, http(500)), Slow(60)])
    async with flying(wire, max_attempts=2) as client:
        first = ask(client)
        await asyncio.sleep(1.5)
        calls = [ask(client, deadline_s=s) for s in (5, 30)]
        await errors(first)
        error, _ = await told(calls[0])
        assert (error.attempts, error.last_error) == (1, None)
        await errors(calls[1])


async def test_an_open_breaker_is_told_at_once_to_who_would_join(wire):
    """A call does not wait for a probe, nor for another's sleep, to hear that nothing is sent."""
    async with flying(wire, max_attempts=30, concurrency=30) as client:
        wire.answer = lambda _: http(500)
        wire.script.append(Slow(0.05, http(500)))
        sleeper = ask(client)
        others = [client.get_balance(member(n)) for n in range(1, 25)]
        await errors(*others)
        assert client.health().breaker == "open"
        began = now()
        error, at = await told(ask(client))
        assert (type(error), at) == (CircuitOpen, began)
        assert error.retry_after_s > 0
        sleeper.cancel()
        await asyncio.wait([sleeper])


async def test_a_rate_that_leaves_no_turn_in_time(wire):
    """Who joins is told at once, as who asks alone is, and for how long."""
    async with flying(wire, limits=Limits(rate_per_s=0.1), deadline_s=None) as client:
        await client.get_balance(member(9))
        patient = ask(client)
        await settle()
        late, at = await told(ask(client, deadline_s=1))
        assert (type(late), late.phase, late.retry_after_s) == (
            DeadlineExceeded,
            "rate",
            SOON(10, abs=0.01),
        )
        assert (at, late.maybe_sent) == (SOON(0, abs=0.01), False)
        await patient
    assert len(wire.sent) == 2


async def test_a_probe_that_is_under_way_is_waited_for(wire):
    """Nobody knows when it ends: who shares it has until its own deadline."""
    async with flying(wire, max_attempts=1, concurrency=64) as client:
        wire.answer = lambda _: http(500)
        failing = (client.get_balance(member(number)) for number in range(1, 21))
        await errors(*failing)
        wire.answer = lambda _: Slow(3)
        await asyncio.sleep(1.5)
        probe = ask(client)
        await settle()
        flight = next(iter(client._session.flights._flights.values()))
        rider = Rider(asyncio.get_running_loop().create_future(), now(), now() + 5)
        assert flight._hopeless(rider, Obstacle("breaker", math.inf)) is None
        await probe
