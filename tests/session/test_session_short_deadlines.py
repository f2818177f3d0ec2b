"""Callers with little time: what becomes of them says little of the server."""

import asyncio

import pytest

from altcraft_balance.errors import (
    AttemptTimeout,
    CircuitOpen,
    DeadlineExceeded,
)
from tests.session.fakes import (
    Slow,
    http,
    member,
    members,
    now,
    opened,
    settle,
    unreachable,
)


async def error_of(client, number=0, **options):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the tests say which
        await client.get_balance(member(number), **options)
    return caught.value


def timed_out(error):
    return isinstance(getattr(error, "last_error", error), AttemptTimeout)


async def test_an_impatient_caller_does_not_stop_the_others(wire):
    """The server answers in 0.3 s; one caller gives it 0.1 s, over and over."""
    wire.answer = lambda _: Slow(0.3)
    async with opened(wire, max_attempts=1) as client:
        await client.get_balance(member(0))

        async def impatient():
            while True:
                error = await error_of(client, 1, deadline_s=0.1)
                assert not isinstance(error, CircuitOpen)

        loop = asyncio.create_task(impatient())
        for _ in range(20):
            await asyncio.sleep(3)
            health = client.health()
            assert (health.ok, health.breaker, health.failures_in_a_row) == (True, "closed", 0)
            await client.get_balance(member(2))
        loop.cancel()
        await asyncio.wait([loop])
        assert loop.cancelled()


@pytest.mark.parametrize(
    ("usual_s", "given_s", "to_open"),
    [
        (None, 0.15, None),
        (None, 0.3, 5),
        (0.01, 0.15, None),
        (0.01, 0.3, 5),
        (0.1, 0.25, None),
        (0.1, 0.4, 5),
        (0.5, 1.4, None),
        (0.5, 1.8, 5),
        (1.0, 2.9, None),
        (1.0, 3.5, 5),
    ],
)
async def test_an_attempt_counts_that_had_a_fair_time(wire, usual_s, given_s, to_open):
    """0.2 s, and three times what answers usually take: then silence is the server's."""
    async with opened(wire, max_attempts=1) as client:
        if usual_s is not None:
            wire.script.extend(Slow(usual_s) for _ in range(5))
            await client.get_balances(members(5))
        wire.answer = lambda _: Slow(1000)
        for number in range(to_open or 30):
            assert client.health().breaker == "closed"
            error = await error_of(client, number, deadline_s=given_s)
            assert timed_out(error)
            assert client.health().failures_in_a_row == (number + 1 if to_open else 0)
        assert client.health().breaker == ("open" if to_open else "closed")
        if to_open:
            assert isinstance(await error_of(client, deadline_s=given_s), CircuitOpen)
            assert not client.health().ok


async def test_a_server_that_became_slower_is_not_taken_for_dead(wire):
    """Many have too little time for it now, a few have enough: those are answered."""
    async with opened(wire, max_attempts=1, concurrency=64) as client:
        wire.answer = lambda _: Slow(0.1)
        for number in range(50):
            await client.get_balance(member(number))
        wire.answer = lambda _: Slow(0.45)

        async def impatient():
            while True:
                await error_of(client, 1, deadline_s=0.35)
                await asyncio.sleep(0.05)

        callers = [asyncio.create_task(impatient()) for _ in range(10)]
        await asyncio.sleep(5)
        for _ in range(20):
            await asyncio.sleep(1)
            await client.get_balance(member(2), deadline_s=10)
        for caller in callers:
            caller.cancel()
        await asyncio.wait(callers)


async def test_silence_is_no_news_to_a_caller_with_as_much_time(wire):
    """One with far more of it is the probe, and after that such callers are told as well."""
    wire.answer = lambda _: Slow(1000)
    async with opened(wire, max_attempts=1) as client:
        for _ in range(5):
            await error_of(client, deadline_s=0.3)
        assert isinstance(await error_of(client, deadline_s=0.5), CircuitOpen)
        began = now()
        assert isinstance(await error_of(client, deadline_s=1.2), DeadlineExceeded | AttemptTimeout)
        assert now() - began == pytest.approx(1.2)
        assert isinstance(await error_of(client, deadline_s=1.2), CircuitOpen)


async def test_the_time_of_one_attempt_is_always_fair(wire):
    """Who sets it to 0.2 s means that a server which takes longer is not well."""
    wire.answer = lambda _: Slow(1000)
    async with opened(wire, max_attempts=1, attempt_s=0.2) as client:
        for _ in range(5):
            await error_of(client)
        assert client.health().breaker == "open"


async def test_the_fair_time_never_exceeds_that_of_an_attempt(wire):
    """Answers take 0.9 s of the 1 s: still, silence opens the breaker."""
    wire.script.extend(Slow(0.9) for _ in range(5))
    async with opened(wire, max_attempts=1, attempt_s=1) as client:
        await client.get_balances(members(5))
        wire.answer = lambda _: Slow(1000)
        for _ in range(5):
            await error_of(client)
        assert client.health().breaker == "open"


@pytest.mark.parametrize("answer", [lambda: http(500), unreachable], ids=["500", "refused"])
async def test_a_failure_counts_however_little_time_it_had(wire, answer):
    """A server that says so, or is not there, needs no time for that."""
    wire.answer = lambda _: answer()
    async with opened(wire, max_attempts=1) as client:
        await error_of(client, deadline_s=0.1)
        assert client.health().failures_in_a_row == 1


async def test_a_call_that_waited_too_long_is_not_sent(wire):
    """Less is left than the fastest answer ever took: the server is spared, nobody is blamed."""
    wire.answer = lambda _: Slow(0.3)
    async with opened(wire, concurrency=1) as client:
        await client.get_balance(member(0))
        first = asyncio.create_task(client.get_balance(member(1)))
        await settle()
        began = now()
        error = await error_of(client, 2, deadline_s=0.5)
        assert isinstance(error, DeadlineExceeded)
        assert (error.phase, error.attempts, error.maybe_sent) == ("attempt", 0, False)
        assert now() - began == pytest.approx(0.3, abs=0.001), "as soon as it is known"
        await first
        assert len(wire.sent) == 2
        assert client.health().ok


async def test_a_call_with_just_enough_left_is_sent(wire):
    """As much as the fastest answer took is enough."""
    wire.answer = lambda _: Slow(0.3)
    async with opened(wire, concurrency=1) as client:
        await client.get_balance(member(0))
        first = asyncio.create_task(client.get_balance(member(1)))
        await settle()
        await client.get_balance(member(2), deadline_s=0.65)
        await first


async def test_a_call_whose_whole_time_is_short_is_sent(wire):
    """Its caller knows best; and the server may have become faster."""
    wire.answer = lambda _: Slow(0.3)
    async with opened(wire) as client:
        await client.get_balance(member(0))
        error = await error_of(client, 1, deadline_s=0.1)
        assert timed_out(error)
        assert error.maybe_sent
        wire.answer = lambda _: Slow(0.05)
        await client.get_balance(member(2), deadline_s=0.1)
        assert len(wire.sent) == 3
