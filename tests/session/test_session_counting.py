"""What counts as an attempt, what as a request, and what is repeated at all."""

import asyncio

import pytest

from altcraft_balance.errors import (
    ApiError,
    AttemptTimeout,
    ConnectionFailed,
    HttpStatusError,
    RateLimited,
    TlsRefused,
    UnexpectedReply,
)
from altcraft_balance.models import Failed, Found
from altcraft_balance.settings import Limits
from altcraft_balance.transport.port import RawReply, SendFailed
from tests.session.fakes import (
    Slow,
    api,
    broken,
    http,
    member,
    now,
    ok,
    opened,
    throttled,
    unreachable,
)


async def one(client):
    """The outcome of one item, since an outcome shows its counts."""
    [outcome] = await client.get_balances([member(0)])
    return outcome


def counts(outcome):
    return outcome.attempts, outcome.requests, pytest.approx(outcome.elapsed_s, abs=1e-6)


@pytest.mark.parametrize(
    ("script", "attempts", "requests", "elapsed_s"),
    [
        ([ok()], 1, 1, 0.0),
        ([Slow(0.25)], 1, 1, 0.25),
        ([http(500), ok()], 2, 2, 0.1),
        ([http(500), http(502), unreachable(), ok()], 4, 4, 0.1 + 0.2 + 0.4),
        ([broken(), ok()], 2, 2, 0.1),
        ([throttled(1), ok()], 1, 2, 1.1),
        ([throttled(1), throttled(2), http(500), ok()], 2, 4, 1.1 + 2.2 + 0.1),
        ([http(503, retry_after="3"), ok()], 1, 2, 3.1),
        ([api(429), ok()], 1, 2, 1.1),
        ([api(500), ok()], 2, 2, 0.1),
        ([http(408, reused=True), ok()], 1, 2, 0.0),
        ([broken(reused=True), ok()], 1, 2, 0.0),
        ([broken(reused=True), Slow(0.5), ok()], 1, 2, 0.5),
        ([http(500), broken(reused=True), ok()], 2, 3, 0.1),
    ],
    ids=str,
)
async def test_a_balance_tells_how_much_it_took(wire, script, attempts, requests, elapsed_s):
    """Attempts count failures and the answer; requests count all; waits are in the time."""
    wire.script.extend(script)
    # An adaptive pace would add waits of its own.
    async with opened(wire, limits=Limits(4, adaptive=False)) as client:
        outcome = await one(client)
    assert isinstance(outcome, Found)
    assert counts(outcome) == (attempts, requests, elapsed_s)
    assert len(wire.sent) == requests


@pytest.mark.parametrize(
    ("script", "kind", "attempts", "requests"),
    [
        ([api(400)], ApiError, 1, 1),
        ([api(440)], ApiError, 1, 1),
        ([http(403)], HttpStatusError, 1, 1),
        ([http(500)] * 3, HttpStatusError, 3, 3),
        ([unreachable()] * 3, ConnectionFailed, 3, 3),
        ([http(500), throttled(1), http(500), http(500)], HttpStatusError, 3, 4),
        ([http(500), http(500), api(400)], ApiError, 3, 3),
        ([throttled(901)], RateLimited, 0, 1),
        ([TlsRefused("who are you")], TlsRefused, 1, 1),
        ([UnexpectedReply("too large")], UnexpectedReply, 1, 1),
        ([http(408, reused=True), api(400)], ApiError, 1, 2),
    ],
    ids=str,
)
async def test_a_failure_tells_how_much_it_took(wire, script, kind, attempts, requests):
    """A failure's outcome and its error agree on what was tried, and nothing more is sent."""
    wire.script.extend(script)
    async with opened(wire, max_attempts=3) as client:
        outcome = await one(client)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, kind)
    assert (outcome.attempts, outcome.requests) == (attempts, requests)
    assert (outcome.error.attempts, outcome.error.elapsed_s) == (attempts, outcome.elapsed_s)
    assert len(wire.sent) == requests


@pytest.mark.parametrize("dead", [http(408, reused=True), broken(reused=True)], ids=str)
async def test_a_dead_reused_connection_is_repeated_at_once_on_a_fresh_one(wire, dead):
    """One repeat, at the same moment, and with a new connection demanded."""
    wire.script.append(dead)
    async with opened(wire, max_attempts=1) as client:
        await client.get_balance(member(0))
        assert client.stats().free_repeats == 1
    assert [sent.fresh for sent in wire.sent] == [False, True]
    assert wire.sent[0].at == wire.sent[1].at


@pytest.mark.parametrize("dead", [http(408), broken(), unreachable()], ids=str)
async def test_a_fresh_connection_that_dies_costs_an_attempt(wire, dead):
    """Only a reused connection may have been dead before it was used."""
    wire.script.append(dead)
    async with opened(wire, max_attempts=1) as client:
        with pytest.raises((HttpStatusError, ConnectionFailed)) as caught:
            await client.get_balance(member(0))
        assert client.stats().free_repeats == 0
    assert (caught.value.attempts, len(wire.sent)) == (1, 1)


@pytest.mark.parametrize(
    "trouble",
    [http(500, reused=True), SystemError("a bug"), api(400)],
    ids=["500", "bug", "400"],
)
async def test_what_does_not_come_of_a_dead_connection_is_no_reason_for_a_free_repeat(
    wire, trouble
):
    """A reply of any other kind came from a living server."""
    wire.script.append(trouble)
    async with opened(wire, max_attempts=1) as client:
        with pytest.raises((HttpStatusError, ApiError, SystemError)):
            await client.get_balance(member(0))
    assert len(wire.sent) == 1


async def test_the_free_repeat_is_one(wire):
    """A repeat that dies too, whatever its connection is said to be, counts as the attempt."""
    wire.script.extend([broken(reused=True), broken(reused=True), ok()])
    async with opened(wire) as client:
        outcome = await one(client)
    assert (outcome.attempts, outcome.requests) == (2, 3)
    assert [sent.fresh for sent in wire.sent] == [False, True, False]


async def test_an_attempt_that_takes_too_long_counts(wire):
    """The attempt's own limit ends it, and it is repeated."""
    wire.script.append(Slow(60))
    async with opened(wire, attempt_s=2) as client:
        outcome = await one(client)
    assert counts(outcome) == (2, 2, 2.1)


async def test_the_last_timeout_comes_out_as_such(wire):
    """The error of the last attempt is the lookup's."""
    wire.answer = lambda _: Slow(60)
    async with opened(wire, attempt_s=2, max_attempts=2) as client:
        with pytest.raises(AttemptTimeout) as caught:
            await client.get_balance(member(0))
    assert caught.value.maybe_sent
    assert now() == pytest.approx(2 + 0.1 + 2)


@pytest.mark.parametrize("wish", ["7", "Fri, 02 Jan 2026 12:00:07 GMT"])
@pytest.mark.parametrize("status", [500, 503, 429])
async def test_no_request_is_sent_before_retry_after_is_over(wire, wish, status):
    """Seconds, and a date against the reply's own date; for the lookup alone or for everybody."""
    wire.script.append(http(status, retry_after=wish, date="Fri, 02 Jan 2026 12:00:00 GMT"))
    async with opened(wire, draw=0.0) as client:
        await client.get_balance(member(0))
    assert wire.sent[1].at - wire.sent[0].at == pytest.approx(7)


@pytest.mark.parametrize("wish", ["soon", "-1", "", "1e3", "٣"])
@pytest.mark.parametrize(("status", "attempts", "pause_s"), [(500, 2, 0), (429, 1, 1)])
async def test_an_unreadable_retry_after_is_no_wish(wire, wish, status, attempts, pause_s):
    """Garbage in the header breaks nothing; a 429 asks for a pause of its own accord."""
    wire.script.append(http(status, retry_after=wish))
    async with opened(wire, draw=0.0) as client:
        outcome = await one(client)
    assert counts(outcome) == (attempts, 2, pause_s)


async def test_every_attempt_has_a_request_id_of_its_own(wire):
    """The platform replays its first reply to an id that it knows, so none goes out twice."""
    wire.script.extend([http(500), broken(reused=True), ok()])
    async with opened(wire, request_ids=True) as client:
        await client.get_balance(member(0))
    assert len({sent.headers["Request-ID"] for sent in wire.sent}) == 3


async def test_no_request_id_is_sent_unasked(wire):
    """Ids are the user's choice."""
    async with opened(wire) as client:
        await client.get_balance(member(0))
    assert "Request-ID" not in wire.sent[0].headers


async def test_an_attempt_sends_the_same_bytes_as_the_one_before(wire):
    """The body is built once."""
    wire.script.extend([http(500), throttled(1)])
    async with opened(wire) as client:
        await client.get_balance(member(0))
    assert len({sent.body for sent in wire.sent}) == 1


@pytest.mark.parametrize(
    ("headers", "stale"),
    [
        ({}, False),
        ({"duplicate_request": "true"}, True),
        ({"x_duplicate_request": "true"}, True),
        ({"duplicate_request": "false"}, False),
    ],
)
async def test_a_replayed_reply_is_marked(wire, headers, stale):
    """What the platform calls a duplicate may be old."""
    wire.script.append(ok(**headers))
    async with opened(wire) as client:
        assert (await client.get_balance(member(0))).possibly_stale is stale


async def test_a_bug_in_a_transport_goes_through(wire):
    """What is no reply and no failure to send is nobody's to hide."""
    wire.script.append(ZeroDivisionError())
    async with opened(wire) as client:
        with pytest.raises(ZeroDivisionError):
            await client.get_balance(member(0))


async def test_many_calls_share_a_client(wire):
    """Each call gets the answer to its own question."""
    wire.answer = lambda sent: Slow(0.1, ok(total=sent.email.split("-")[1].split("@")[0]))
    async with opened(wire) as client:
        balances = await asyncio.gather(*(client.get_balance(member(n)) for n in range(20)))
    assert [int(balance.total_balance) for balance in balances] == list(range(20))


async def test_a_lookup_has_one_free_repeat(wire):
    """However many dead connections it meets: a sick server is not asked twice as often."""
    wire.answer = lambda _: RawReply(408, {}, b"", reused=True)
    async with opened(wire, max_attempts=4) as client:
        with pytest.raises(HttpStatusError) as caught:
            await client.get_balance(member(0))
        assert (caught.value.attempts, len(wire.sent)) == (4, 5)
        assert [sent.fresh for sent in wire.sent] == [False, True, False, False, False]


async def test_a_reply_that_breaks_off_has_no_free_repeat(wire):
    """A connection that began to answer was alive."""
    cut = ConnectionFailed("cut", maybe_sent=True)
    wire.script.append(SendFailed(cut, reused=True, began=True))
    async with opened(wire, max_attempts=1) as client:
        with pytest.raises(ConnectionFailed):
            await client.get_balance(member(0))
    assert len(wire.sent) == 1
