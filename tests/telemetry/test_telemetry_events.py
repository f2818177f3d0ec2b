"""The one stream of events: what is told, in which order, and to whom."""

import asyncio
import logging
from contextlib import suppress

import attrs
import pytest
from attrs.exceptions import FrozenInstanceError

from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.secret import Secret
from altcraft_balance.session import attempt as attempts
from altcraft_balance.session import ended, session, told, traffic
from altcraft_balance.telemetry import events as all_events
from altcraft_balance.telemetry.events import (
    AttemptEnded,
    Closed,
    ConnectionChanged,
    GateClosed,
    LookupEnded,
    LookupStarted,
    Opened,
    RetryPlanned,
    TokenReloaded,
    Waited,
)
from altcraft_balance.telemetry.listeners import deaf_to_errors
from tests.session.fakes import (
    URL,
    Slow,
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
)

OPENED = Opened(base_url=URL)


def about(seconds):
    return pytest.approx(seconds, abs=0.001)


def attempt(seconds, status, kind, free_repeat=False):
    return AttemptEnded(
        lookup=1, elapsed_s=about(seconds), status=status, kind=kind, free_repeat=free_repeat
    )


def retry(wait_s, kind, retry_after_s=None):
    return RetryPlanned(lookup=1, wait_s=about(wait_s), kind=kind, retry_after_s=retry_after_s)


def waited(reason, wait_s):
    return Waited(lookup=1, reason=reason, wait_s=about(wait_s))


def end(kind, code, attempts, requests, seconds):
    return LookupEnded(
        lookup=1,
        kind=kind,
        code=code,
        attempts=attempts,
        requests=requests,
        elapsed_s=about(seconds),
    )


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ([Slow(0.5)], [attempt(0.5, 200, None), end(None, None, 1, 1, 0.5)]),
        (
            [Slow(0.5, http(500)), throttled(2), ok()],
            [
                attempt(0.5, 500, "http_status"),
                retry(0.1, "http_status"),
                waited("backoff", 0.1),
                attempt(0, 429, "rate_limited"),
                GateClosed(pause_s=about(2.1)),
                retry(0, "rate_limited", 2.0),
                waited("gate", 2.1),
                attempt(0, 200, None),
                end(None, None, 2, 3, 2.7),
            ],
        ),
        (
            [broken(reused=True), ok()],
            [
                attempt(0, None, "connection_failed"),
                attempt(0, 200, None, free_repeat=True),
                end(None, None, 1, 2, 0),
            ],
        ),
        ([api(440)], [attempt(0, 200, "api_error"), end("api_error", 440, 1, 1, 0)]),
        ([http(404)], [attempt(0, 404, "http_status"), end("http_status", None, 1, 1, 0)]),
        (
            [throttled(60)],
            [
                attempt(0, 429, "rate_limited"),
                GateClosed(pause_s=about(60.1)),
                end("deadline_exceeded", None, 0, 1, 0),
            ],
        ),
    ],
    ids=["success", "retries", "free repeat", "refusal", "bare status", "no time"],
)
async def test_a_lookup_tells_its_story_in_order(wire, script, told):
    """Start, each request, each wait, end."""
    wire.script.extend(script)
    events = []
    async with opened(wire, on_event=events.append) as client:
        with suppress(AltcraftBalanceError):
            await client.get_balance(member(0))
    assert events == [OPENED, LookupStarted(lookup=1), *told, Closed(unfinished=0)]


async def test_lookups_are_numbered(wire):
    """From 1, each with its own events."""
    events = []
    async with opened(wire, on_event=events.append) as client:
        await client.get_balances(members(10))
        await client.get_balance(member(0))
    for kind in (LookupStarted, AttemptEnded, LookupEnded):
        numbers = [event.lookup for event in events if type(event) is kind]
        assert sorted(numbers) == list(range(1, 12))


async def test_a_lookup_that_will_not_ask_again_plans_no_retry(wire):
    """After the end of a run nothing is told of repeats that never come."""
    events = []
    wire.script.extend([Slow(1, api(401)), Slow(2, http(500))])
    async with opened(wire, on_event=events.append) as client:
        await client.get_balances(members(2))
    assert not [event for event in events if isinstance(event, RetryPlanned)]
    assert len([event for event in events if isinstance(event, LookupEnded)]) == 2


async def test_another_token_is_told(monkeypatch):
    """That it came into force, and nothing about what it is."""
    monkeypatch.setenv("BALANCE_TOKEN", "old-token")
    events, wire = [], Wire()
    wire.script.append(api(401))
    settings = {"token": Secret.from_env("BALANCE_TOKEN"), "on_event": events.append}
    async with opened(wire, **settings) as client:
        monkeypatch.setenv("BALANCE_TOKEN", "new-token")
        await client.get_balance(member(0))
    assert events.count(TokenReloaded()) == 1


async def test_a_close_tells_what_it_cut_off(wire):
    """The number of lookups that had not ended when the grace was over."""
    events = []
    wire.hold()
    client = make_client(wire, on_event=events.append)
    await client.open()
    calls = [asyncio.create_task(client.get_balance(member(n))) for n in range(3)]
    await settle()
    await client.aclose(grace_s=1)
    await asyncio.wait(calls)
    assert [call.exception().kind for call in calls] == ["client_closed"] * 3
    assert [event for event in events if isinstance(event, Closed)] == [Closed(unfinished=3)]


def test_news_of_connections_are_events():
    """As the transport tells them."""
    events = []
    client = make_client(Wire(), on_event=events.append)
    client._session._heard("dropped_when_taken")
    assert events == [ConnectionChanged(what="dropped_when_taken")]


async def test_without_a_listener_no_event_is_made(monkeypatch):
    """Not one: what nobody hears costs nothing."""

    def never(**_):
        pytest.fail("an event was made")

    names = {name for name, kind in vars(all_events).items() if attrs.has(kind)}
    for module in (attempts, ended, session, told, traffic):
        for name in vars(module).keys() & names:
            monkeypatch.setattr(module, name, never)
    monkeypatch.setenv("BALANCE_TOKEN", "old-token")
    wire = Wire()
    wire.script.extend([http(500), broken(reused=True), api(401), api(400)])
    async with opened(wire, token=Secret.from_env("BALANCE_TOKEN")) as client:
        monkeypatch.setenv("BALANCE_TOKEN", "new-token")
        await client.get_balances(members(3))
        client._session._heard("connected")


async def test_a_listener_that_raises_breaks_nothing_and_is_logged_once(wire, caplog):
    """By the type of its exception only: the rest may be anything."""

    def listener(event):
        raise ValueError("a canary")

    async with opened(wire, on_event=listener) as client:
        await client.get_balance(member(0))
        await client.get_balance(member(0))
    [record] = caplog.records
    assert (record.levelno, record.name) == (logging.ERROR, "altcraft_balance")
    assert "ValueError" in record.getMessage()
    assert "canary" not in caplog.text


def test_a_listener_may_stop_the_program():
    """What is no `Exception` goes through."""

    def listener(event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deaf_to_errors(listener)(OPENED)


def test_events_are_frozen():
    """One reader cannot spoil them for the next."""
    with pytest.raises(FrozenInstanceError):
        Closed(unfinished=1).unfinished = 2
