"""The news that concern everybody: the gate closes, the breaker opens, probes and closes."""

import asyncio
from types import SimpleNamespace

import pytest

from altcraft_balance.session.traffic import Traffic
from altcraft_balance.settings import Limits
from altcraft_balance.telemetry.events import BreakerChanged, GateClosed, WidthChanged
from tests.session.fakes import (
    Slow,
    http,
    member,
    members,
    now,
    ok,
    opened,
    settle,
    throttled,
)


def about(seconds):
    return pytest.approx(seconds, abs=0.001)


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


async def test_a_pause_is_told_when_it_begins(wire):
    """Once for all who wait, with the jitter in it."""
    events = []
    wire.script.append(throttled(5))
    async with opened(wire, concurrency=1, on_event=events.append) as client:
        await client.get_balances(members(10))
    assert of(GateClosed, events) == [GateClosed(pause_s=about(5.1))]


async def test_only_a_longer_pause_is_told_again(wire):
    """Two that were under way ask for less and for more."""
    events = []
    wire.script.extend([throttled(5), throttled(2), throttled(60)])
    async with opened(wire, concurrency=4, on_event=events.append, draw=0.0) as client:
        await client.get_balances(members(4))
    assert of(GateClosed, events) == [GateClosed(pause_s=about(5)), GateClosed(pause_s=about(60))]


async def test_an_outage_is_told_from_its_beginning_to_its_end(wire):
    """Open, probing, open for longer, probing, closed."""
    events = []
    wire.answer = lambda sent: Slow(0.1, http(500) if sent.at < 2 else ok())
    async with opened(wire, concurrency=32, on_event=lambda e: events.append((now(), e))) as client:
        await client.get_balances(members(32))
    told = [(at, event) for at, event in events if isinstance(event, BreakerChanged)]
    assert [(event.state, event.retry_after_s) for _, event in told] == [
        ("open", about(1.5)),
        ("probing", None),
        ("open", about(1.4)),
        ("probing", None),
        ("closed", None),
    ]
    assert [at for at, _ in told] == [about(s) for s in (0.1, 1.6, 1.7, 3.1, 3.2)]


async def test_a_client_whose_server_answers_has_no_such_news(wire):
    """Nor has one whose server fails now and then."""
    events = []
    wire.answer = lambda sent: http(500) if sent.number % 5 == 0 else ok()
    async with opened(wire, on_event=events.append) as client:
        await client.get_balances(members(100))
        await client.get_balance(member(0))
    assert not of(GateClosed | BreakerChanged | WidthChanged, events)


async def test_health_says_the_same_as_the_news(wire):
    """At each of them."""
    seen, wire.answer = [], lambda sent: Slow(0.1, http(500) if sent.at < 2 else ok())

    def listen(event):
        if isinstance(event, BreakerChanged):
            health = client.health()
            seen.append(health.breaker == client.stats().breaker == event.state)
            assert health.retry_after_s == {"open": event.retry_after_s}.get(
                event.state, 1.0 if event.state == "probing" else 0.0
            )

    async with opened(wire, concurrency=32, on_event=listen) as client:
        await client.get_balances(members(32))
    assert seen == [True] * 5


async def test_a_listener_that_raises_hurts_nobody(wire):
    """Also not when it is told of a pause or an outage, in the middle of a decision."""

    def listen(event):
        raise RuntimeError("a bug of the caller's own")

    wire.script.extend([throttled(1), *[http(500)] * 25])
    async with opened(wire, concurrency=32, on_event=listen) as client:
        outcomes = await client.get_balances(members(30))
        await settle()
        assert client.health().breaker == "closed"
    assert {type(outcome).__name__ for outcome in outcomes} == {"Found"}


def test_a_width_is_told_when_it_changes():
    """And the semaphore follows it."""
    events = []
    traffic = Traffic(Limits(64), tell=events.append)
    traffic.narrow_or_widen(0.0, 0.0)
    assert events == []
    traffic.width = SimpleNamespace(width=40, tick=lambda now, lag_s: None)
    traffic.narrow_or_widen(0.0, 0.0)
    traffic.narrow_or_widen(1.0, 0.0)
    assert events == [WidthChanged(width=40)]
    assert traffic.slots.width == 40


async def test_events_go_out_in_the_order_in_which_things_happen(wire):
    """The gate has closed before anybody is told to wait for it."""
    events = []
    wire.script.append(throttled(1))
    async with opened(wire, on_event=lambda event: events.append(type(event).__name__)) as client:
        await asyncio.gather(client.get_balance(member(0)))
    assert events.index("GateClosed") < events.index("RetryPlanned")
