"""The breaker's probe: whose it is, and what the others are told meanwhile."""

import asyncio

import pytest

from altcraft_balance.errors import CircuitOpen, HttpStatusError
from altcraft_balance.models import Found
from altcraft_balance.session.patience import Patience
from altcraft_balance.settings import Limits
from tests.session.fakes import (
    Slow,
    http,
    member,
    members,
    now,
    ok,
    opened,
    settle,
    unreachable,
)


async def error_of(client, number=0, **options):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the tests say which
        await client.get_balance(member(number), **options)
    return caught.value


async def break_down(wire, client):
    """Open the breaker with 20 failures."""
    wire.answer = lambda _: http(500)
    calls = (client.get_balance(member(n)) for n in range(20))
    await asyncio.gather(*calls, return_exceptions=True)
    assert client.health().breaker == "open"


async def test_a_parked_batch_has_the_probe(wire):
    """A caller with 0.1 s would spoil it; calls are told that the circuit is open meanwhile."""
    async with opened(wire, max_attempts=1) as client:
        await break_down(wire, client)
        wire.answer = lambda _: Slow(0.3)
        run = asyncio.create_task(client.get_balances(members(3)))
        await settle()
        while client.health().breaker != "closed":
            assert isinstance(await error_of(client, 99, deadline_s=0.1), CircuitOpen)
            await asyncio.sleep(0.007)
        outcomes = await run
    assert all(isinstance(outcome, Found) for outcome in outcomes)
    assert now() < 2.5


async def test_a_batch_that_waits_for_the_rate_has_the_probe_too(wire):
    """Its turn comes with the rate's; a call that comes meanwhile is refused."""
    limits = Limits(64, rate_per_s=0.5, adaptive=False)
    async with opened(wire, limits=limits, max_attempts=1, deadline_s=None) as client:
        await break_down(wire, client)
        wire.answer = lambda _: ok()
        run = asyncio.create_task(client.get_balances(members(1)))
        await asyncio.sleep(1.5)
        assert isinstance(await error_of(client, 99), CircuitOpen)
        [outcome] = await run
    assert isinstance(outcome, Found)


async def test_those_behind_the_probe_are_told_when_it_leaves(wire):
    """And not when it ends: one of two calls that waited for the rate has become it."""
    limits = Limits(64, rate_per_s=0.5, adaptive=False)
    async with opened(wire, limits=limits, max_attempts=1, deadline_s=None) as client:
        await break_down(wire, client)
        wire.answer = lambda _: Slow(3)
        await asyncio.sleep(1.5)
        first = asyncio.create_task(client.get_balance(member(1)))
        await settle()
        began = now()
        assert isinstance(await error_of(client, 2), CircuitOpen)
        assert now() - began == pytest.approx(0.5, abs=0.01)
        await first


async def test_without_a_batch_a_call_is_the_probe(wire):
    """Or nobody would ever find that the server is back."""
    async with opened(wire, max_attempts=1) as client:
        await break_down(wire, client)
        wire.answer = lambda _: ok()
        await asyncio.sleep(1.5)
        await client.get_balance(member(99))
        assert client.health().breaker == "closed"


@pytest.mark.parametrize(("reply", "kind"), [(http(500), "http_status"), (unreachable(), None)])
async def test_an_open_circuit_says_why_and_for_how_long(wire, reply, kind):
    """The last failure's kind, and when to try again: in words and as a number."""
    wire.answer = lambda _: reply
    async with opened(wire, max_attempts=1) as client:
        calls = (client.get_balance(member(n)) for n in range(20))
        failed = await asyncio.gather(*calls, return_exceptions=True)
        await asyncio.sleep(0.25)
        error = await error_of(client)
        assert isinstance(error, CircuitOpen)
        assert f"last with {failed[0].kind}" in str(error)
        assert kind in {None, failed[0].kind}
        assert error.retry_after_s == pytest.approx(1.25, abs=0.01)
        assert f"try again in {error.retry_after_s:.1f} s" in str(error)


async def test_an_open_circuit_never_says_none(wire):
    """An answer to what was sent before it opened leaves no failure to name."""
    wire.script.append(Slow(0.5))
    wire.answer = lambda _: http(500)
    async with opened(wire, concurrency=64, max_attempts=1) as client:
        late = asyncio.create_task(client.get_balance(member(99)))
        await settle()
        calls = (client.get_balance(member(n)) for n in range(20))
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(end, HttpStatusError) for end in ends)
        await late
        error = await error_of(client)
        assert isinstance(error, CircuitOpen)
        assert "None" not in str(error)


async def test_a_probe_that_is_too_late_to_be_sent_leaves_its_turn(wire, monkeypatch):
    """A turn of the loop took long: nothing was asked, so nobody should wait for an answer."""
    async with opened(wire, max_attempts=99) as client:
        await break_down(wire, client)
        wire.answer = lambda _: ok()
        sent, opened_at = len(wire.sent), now()
        is_late = iter([True])
        monkeypatch.setattr(Patience, "is_hopeless", lambda self, at: next(is_late, False))
        outcomes = await client.get_balances(members(2))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Failed", "Found"]
    assert wire.sent[sent].at == pytest.approx(opened_at + 1.5, abs=0.001)
    assert {o.error.phase for o in outcomes if not isinstance(o, Found)} == {"attempt"}
