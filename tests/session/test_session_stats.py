"""What a client says about itself."""

import asyncio
from contextlib import suppress

import pytest
from attrs.exceptions import FrozenInstanceError

from altcraft_balance.errors import AltcraftBalanceError, TlsRefused, UnexpectedReply
from tests.session.fakes import (
    Wire,
    api,
    broken,
    http,
    make_client,
    member,
    members,
    ok,
    opened,
    settle,
    throttled,
    unreachable,
)


async def test_stats_count_what_was_done(wire):
    """Lookups by their end, requests by what came of them."""
    wire.script.extend([ok(), api(400), http(500), throttled(1), broken(reused=True), ok()])
    async with opened(wire, concurrency=1) as client:
        await client.get_balances(members(3))
        stats = client.stats()
    assert (stats.lookups, stats.found, dict(stats.failed)) == (3, 2, {"bad_request": 1})
    assert stats.requests == len(wire.sent)
    assert (stats.throttled, stats.free_repeats) == (1, 1)
    assert (stats.in_progress, stats.slots, stats.slots_in_use) == (0, 1, 0)


async def test_stats_tell_what_is_under_way(wire):
    """Two on the wire, three that wait for a slot."""
    wire.hold()
    async with opened(wire, concurrency=2) as client:
        calls = [asyncio.create_task(client.get_balance(member(n))) for n in range(5)]
        await settle()
        stats = client.stats()
        assert (stats.in_progress, stats.slots_in_use, stats.requests) == (5, 2, 2)
        wire.release()
        await asyncio.gather(*calls)


async def test_a_snapshot_stays_as_it_was(wire):
    """It is frozen, its mapping too."""
    wire.script.append(api(400))
    async with opened(wire) as client:
        await client.get_balances(members(1))
        stats = client.stats()
        await client.get_balances(members(1))
        assert stats.lookups == 1
        with pytest.raises(FrozenInstanceError):
            stats.lookups = 7
        with pytest.raises(TypeError):
            stats.failed["bad_request"] = 7


async def test_connections_are_counted_by_what_the_transport_tells():
    """Opened, and dropped at either of the two looks."""
    client = make_client(Wire())
    for news in ("connected", "connected", "dropped_when_taken", "dropped_when_written"):
        client._session._heard(news)
    stats = client.stats()
    assert (stats.connections_opened, stats.connections_dropped) == (2, 2)


async def test_stats_and_health_send_nothing(wire):
    """And work in every state."""
    client = make_client(wire)
    assert (client.health().state, client.health().ok) == ("new", False)
    async with client:
        assert (client.health().state, client.health().ok) == ("open", True)
        client.stats()
    assert (client.health().state, client.health().ok) == ("closed", False)
    assert client.stats().slots == 4
    assert wire.sent == []


@pytest.mark.parametrize(
    ("reply", "healthy"),
    [
        (ok(), True),
        (api(400), True),
        (api(401), True),
        (api(440), True),
        (http(403), True),
        (http(404), True),
        (UnexpectedReply("too large"), True),
        (http(500), False),
        (throttled(1), False),
        (unreachable(), False),
        (broken(), False),
        (TlsRefused("who are you"), False),
    ],
    ids=str,
)
async def test_a_final_answer_comes_from_a_healthy_server(wire, reply, healthy):
    """A refusal is an answer; silence, a fault and a request for a pause are none."""
    wire.script.append(reply)
    async with opened(wire, deadline_s=0.05) as client:
        with suppress(AltcraftBalanceError):
            await client.get_balance(member(0))
        health = client.health()
    assert (health.ok, health.failures_in_a_row) == (healthy, 0 if healthy else 1)
    assert (health.last_failure is None) is healthy


async def test_health_recovers_with_the_first_answer(wire):
    """Failures in a row end there."""
    wire.script.extend([http(500), http(500), unreachable(), ok()])
    seen = []
    async with opened(wire, on_event=lambda _: seen.append(client.health())) as client:
        await client.get_balance(member(0))
        assert client.health().ok
    rows = [(health.failures_in_a_row, health.last_failure) for health in seen]
    assert (3, "connection_failed") in rows
    assert (2, "http_status") in rows
