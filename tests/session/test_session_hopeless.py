"""Whoever would wait for longer than there is time is told at once, and when to come back."""

import asyncio

import pytest

from altcraft_balance.errors import (
    CircuitOpen,
    ClientClosed,
    ConnectionFailed,
    DeadlineExceeded,
    HttpStatusError,
)
from altcraft_balance.models import Found
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
    unreachable,
)

SOON = pytest.approx


async def refusal(client, kind=DeadlineExceeded, **options):
    """The error of a call that must end without any time passing."""
    began, sent = now(), client.stats().requests
    with pytest.raises(kind) as caught:
        await client.get_balance(member(99), **options)
    assert (now() - began, client.stats().requests) == (0, sent)
    assert (caught.value.attempts, caught.value.maybe_sent) == (0, False)
    assert caught.value.transient
    return caught.value


async def close_gate(wire, client, seconds):
    wire.script.append(throttled(seconds))
    with pytest.raises(DeadlineExceeded):
        await client.get_balance(member(0), deadline_s=0.01)


async def break_down(wire, client):
    """Open the breaker with 20 failures."""
    wire.answer = lambda _: http(500)
    calls = [client.get_balance(member(n)) for n in range(20)]
    await asyncio.gather(*calls, return_exceptions=True)
    assert client.health().breaker == "open"


async def test_a_pause_that_outlasts_the_deadline(wire):
    """The phase is the gate; the pause is said; a call with more time waits for it."""
    async with opened(wire) as client:
        await close_gate(wire, client, 60)
        error = await refusal(client, deadline_s=30)
        assert (error.phase, error.retry_after_s) == ("gate", SOON(60.1))
        await asyncio.sleep(20)
        assert client.health().retry_after_s == SOON(40.1)
        assert client.stats().gate_s == SOON(40.1)
        assert (await refusal(client, deadline_s=30)).retry_after_s == SOON(40.1)
        await client.get_balance(member(1), deadline_s=41)
        assert now() == SOON(60.1, abs=0.001)
        assert client.health().retry_after_s == 0


async def test_a_rate_that_leaves_no_turn_in_time(wire):
    """The calls that are ahead count."""
    async with opened(wire, limits=Limits(64, rate_per_s=2), deadline_s=None) as client:
        waiting = [asyncio.create_task(client.get_balance(member(n))) for n in range(5)]
        await settle()
        error = await refusal(client, deadline_s=2)
        assert (error.phase, error.retry_after_s) == ("rate", SOON(2.5, abs=0.001))
        in_time = asyncio.create_task(client.get_balance(member(9), deadline_s=2.6))
        await asyncio.gather(*waiting, in_time)
    assert [sent.at for sent in wire.sent] == [SOON(n / 2, abs=0.001) for n in range(6)]


async def test_an_open_breaker(wire):
    """However much time there is, a call does not wait for a server that is down."""
    async with opened(wire, max_attempts=1) as client:
        await break_down(wire, client)
        error = await refusal(client, CircuitOpen, deadline_s=None)
        assert error.retry_after_s == 1.5
        assert (client.health().retry_after_s, client.health().ok) == (1.5, False)
        await asyncio.sleep(0.4)
        assert (await refusal(client, CircuitOpen)).retry_after_s == SOON(1.1)


async def test_a_probe_that_is_under_way(wire):
    """It is one call; the others are told to come back in a second."""
    async with opened(wire, max_attempts=1) as client:
        await break_down(wire, client)
        await asyncio.sleep(1.5)
        wire.answer = lambda _: Slow(3)
        probe = asyncio.create_task(client.get_balance(member(1)))
        await settle()
        assert client.health().breaker == client.stats().breaker == "probing"
        for _ in range(5):
            assert (await refusal(client, CircuitOpen)).retry_after_s == 1.0
        await probe
        assert client.health().breaker == "closed"
        await client.get_balance(member(2))


async def test_a_gate_that_closes_while_they_wait(wire):
    """Those in the queue are told when it closes, and not at their deadlines."""
    wire.script.append(Slow(1, throttled(60)))
    async with opened(wire, concurrency=1, deadline_s=None) as client:
        first = asyncio.create_task(client.get_balance(member(0)))
        await settle()
        short = [asyncio.create_task(client.get_balance(member(n), deadline_s=30)) for n in (1, 2)]
        for error in await asyncio.gather(*short, return_exceptions=True):
            assert (error.phase, error.attempts, error.maybe_sent) == ("gate", 0, False)
            assert error.retry_after_s == SOON(60.1)
            assert error.elapsed_s == SOON(1, abs=0.001)
        assert now() == SOON(1)
        await first


async def test_a_breaker_that_opens_while_they_wait(wire):
    """All are told at once: those in the queue, and those asleep, who end with their own error."""
    wire.answer = lambda _: Slow(1, http(500))
    async with opened(wire, concurrency=20, deadline_s=None) as client:
        calls = [asyncio.create_task(client.get_balance(member(n))) for n in range(25)]
        ends = await asyncio.gather(*calls, return_exceptions=True)
    assert now() == SOON(1)
    assert [type(end) for end in ends] == [HttpStatusError] * 20 + [CircuitOpen] * 5
    assert [(end.attempts, end.maybe_sent) for end in ends] == [(1, True)] * 20 + [(0, False)] * 5
    assert all(end.retry_after_s > 0.8 for end in ends)


async def test_items_wait_for_what_calls_do_not(wire):
    """A batch is parked at gate and breaker, as long as it takes."""
    async with opened(wire, max_attempts=1) as client:
        await break_down(wire, client)
        wire.answer = lambda _: ok()
        outcomes = await client.get_balances(members(3))
        assert 1 <= now() < 2
        await close_gate(wire, client, 600)
        outcomes += await client.get_balances(members(3))
        assert now() > 600
    assert all(isinstance(outcome, Found) for outcome in outcomes)


@pytest.mark.parametrize("stop", ["gate", "breaker"])
async def test_an_item_with_a_deadline_waits_for_as_long_as_that(wire, stop):
    """Refused at once it would only make room for the next, until the source is used up."""
    async with opened(wire, concurrency=1, max_attempts=1) as client:
        await (close_gate(wire, client, 1) if stop == "gate" else break_down(wire, client))
        wire.answer = lambda _: ok()
        began, sent = now(), len(wire.sent)
        [outcome] = await client.get_balances([member(1)], item_deadline_s=0.5)
        assert (outcome.error.phase, outcome.requests, outcome.attempts) == (stop, 0, 0)
        assert now() - began == SOON(0.5)
        assert len(wire.sent) == sent
        [outcome] = await client.get_balances([member(1)], item_deadline_s=5)
        assert isinstance(outcome, Found)


@pytest.mark.parametrize("reply", [throttled(60), http(500, retry_after="60")], ids=str)
async def test_a_brake_ends_every_wait(wire, reply):
    """At the gate and in a backoff: when the client closes, nothing is sat out."""
    wire.answer = lambda _: reply
    client = make_client(wire, concurrency=1, deadline_s=None)
    await client.open()
    waiting = [asyncio.create_task(client.get_balance(member(n))) for n in range(3)]
    await settle()
    await client.aclose()
    assert now() < 1
    ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(end) for end in ends] == [ClientClosed] * 3
    assert [end.maybe_sent for end in ends] == [True] + [reply.status == 500] * 2


async def test_a_server_that_is_not_there_opens_the_breaker_soon(wire):
    """Few lookups have no twenty failures: five without a reply are enough."""
    wire.answer = lambda _: unreachable()
    async with opened(wire, draw=0.5) as client:
        with pytest.raises(ConnectionFailed) as caught:
            await client.get_balance(member(0))
        assert caught.value.attempts == len(wire.sent) == 5
        assert caught.value.retry_after_s > 0
        await refusal(client, CircuitOpen)
