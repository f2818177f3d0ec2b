"""Deadlines: of a call, of an item, of a run; no sleep and no attempt passes one."""

import pytest

from altcraft_balance.errors import (
    ConfigurationError,
    DeadlineExceeded,
    HttpStatusError,
    RateLimited,
)
from tests.session.fakes import (
    Slow,
    broken,
    http,
    member,
    members,
    now,
    ok,
    opened,
    throttled,
    unreachable,
)


async def failure(client, **options):
    with pytest.raises(DeadlineExceeded) as caught:
        await client.get_balance(member(0), **options)
    return caught.value


@pytest.mark.parametrize(
    ("setting", "option", "ends_after_s"),
    [
        (30.0, {}, 30),
        (5.0, {}, 5),
        (5.0, {"deadline_s": 8}, 8),
        (30.0, {"deadline_s": 0.5}, 0.5),
        (None, {"deadline_s": 7}, 7),
    ],
)
async def test_a_call_ends_at_its_deadline(wire, setting, option, ends_after_s):
    """The client's deadline holds unless the call brings its own."""
    wire.answer = lambda _: Slow(1e6)
    async with opened(wire, deadline_s=setting, attempt_s=1e5) as client:
        error = await failure(client, **option)
    assert now() == pytest.approx(ends_after_s)
    assert error.elapsed_s == pytest.approx(ends_after_s)
    assert (error.phase, error.last_error.kind) == ("attempt", "attempt_timeout")
    assert error.maybe_sent


@pytest.mark.parametrize(("setting", "option"), [(None, {}), (1.0, {"deadline_s": None})])
async def test_without_a_deadline_attempts_are_the_limit(wire, setting, option):
    """None is no limit."""
    wire.script.extend([http(503, retry_after="600")] * 10 + [ok()])
    async with opened(wire, deadline_s=setting) as client:
        await client.get_balance(member(0), **option)
    assert now() > 6000


@pytest.mark.parametrize("value", [0, -1, "5", True, float("nan"), float("inf"), 1e10])
async def test_a_deadline_that_is_no_time_is_refused(wire, value):
    """One sentence that names the argument, for calls, items and runs."""
    async with opened(wire) as client:
        with pytest.raises(ConfigurationError, match=r"^deadline_s must be"):
            await client.get_balance(member(0), deadline_s=value)
        with pytest.raises(ConfigurationError, match=r"^item_deadline_s must be"):
            await client.get_balances(members(1), item_deadline_s=value)
        with pytest.raises(ConfigurationError, match=r"^item_deadline_s must be"):
            client.stream_balances(members(1), item_deadline_s=value)
        with pytest.raises(ConfigurationError, match=r"^run_deadline_s must be"):
            client.stream_balances(members(1), run_deadline_s=value)
    assert wire.sent == []


async def test_an_attempt_gets_no_more_time_than_is_left(wire):
    """Its limit is its own or what is left of the call's, whichever is less."""
    wire.script.extend([Slow(2), Slow(2), Slow(2)])
    async with opened(wire, attempt_s=2, deadline_s=5) as client:
        await failure(client)
    assert [sent.limit_s for sent in wire.sent] == [
        pytest.approx(limit) for limit in (2, 2, 5 - 2 - 0.1 - 2 - 0.2)
    ]
    assert now() == pytest.approx(5)


async def test_a_call_without_a_deadline_has_the_attempts_limit(wire):
    """Also when nothing else limits it."""
    async with opened(wire, attempt_s=4, deadline_s=None) as client:
        await client.get_balance(member(0))
    assert wire.sent[0].limit_s == 4


@pytest.mark.parametrize(
    ("reply", "phase"),
    [
        (throttled(60), "gate"),
        (http(503, retry_after="60"), "gate"),
        (http(500, retry_after="60"), "backoff"),
    ],
    ids=str,
)
async def test_a_pause_that_does_not_fit_fails_at_once(wire, reply, phase):
    """The caller learns now, and not at the deadline, when it is worth asking again."""
    wire.script.append(reply)
    async with opened(wire, deadline_s=30) as client:
        error = await failure(client)
    assert now() < 0.01
    assert (error.phase, error.retry_after_s) == (phase, 60)
    assert error.last_error.status == reply.status
    assert error.maybe_sent
    assert error.transient


async def test_a_backoff_that_does_not_fit_fails_at_once(wire):
    """Without a wish of the server `retry_after_s` is the wait that did not fit."""
    wire.answer = lambda _: unreachable()
    async with opened(wire, deadline_s=0.25) as client:
        error = await failure(client)
    assert now() == pytest.approx(0.1)
    assert error.retry_after_s == pytest.approx(0.2)
    assert (error.attempts, error.phase, error.maybe_sent) == (2, "backoff", False)


async def test_an_endless_pause_is_not_sat_out(wire):
    """More than 15 minutes is for the caller to decide, deadline or not."""
    wire.script.append(throttled(901))
    async with opened(wire, deadline_s=None) as client:
        with pytest.raises(RateLimited) as caught:
            await client.get_balance(member(0))
    assert caught.value.retry_after_s == 901
    assert now() < 0.01


async def test_a_batch_obeys_a_pause_of_a_quarter_of_an_hour(wire):
    """Items have no deadline of their own unless one is given."""
    wire.script.append(throttled(900))
    async with opened(wire, draw=0.0) as client:
        [outcome] = await client.get_balances([member(0)])
    assert (outcome.requests, now()) == (2, pytest.approx(900))


@pytest.mark.parametrize(
    ("setting", "options", "ends_after_s"),
    [
        (None, {}, None),
        (3.0, {}, 3),
        (3.0, {"item_deadline_s": 5}, 5),
        (3.0, {"item_deadline_s": None}, None),
        (None, {"item_deadline_s": 2}, 2),
    ],
)
async def test_an_item_ends_at_its_deadline(wire, setting, options, ends_after_s):
    """The client's setting holds unless the batch brings its own."""
    wire.answer = lambda _: Slow(7)
    async with opened(wire, item_deadline_s=setting) as client:
        [outcome] = await client.get_balances([member(0)], **options)
        async with client.stream_balances([member(0)], **options) as outcomes:
            [streamed] = [outcome async for outcome in outcomes]
    for one in (outcome, streamed):
        assert one.elapsed_s == pytest.approx(ends_after_s or 7)
        error = getattr(one, "error", None)
        assert getattr(error, "phase", None) == ("attempt" if ends_after_s else None)


async def test_an_items_time_begins_when_it_is_taken(wire):
    """Waiting in the source is not the item's time; waiting for a slot is."""
    wire.answer = lambda _: Slow(1)
    async with opened(wire, concurrency=1) as client:
        outcomes = await client.get_balances(members(12), item_deadline_s=4.5)
    found = [outcome for outcome in outcomes if not hasattr(outcome, "error")]
    assert len(found) >= 4
    for outcome in outcomes:
        assert outcome.elapsed_s <= 4.5 + 1e-6
        if outcome not in found:
            assert outcome.error.phase in {"slot", "attempt"}


async def test_the_client_deadline_for_calls_is_none_for_items(wire):
    """`deadline_s` is about single calls only."""
    wire.answer = lambda _: Slow(5)
    async with opened(wire, deadline_s=1) as client:
        [outcome] = await client.get_balances([member(0)])
    assert outcome.elapsed_s == pytest.approx(5)


async def test_no_attempt_begins_after_the_deadline(wire):
    """A connection that dies then is not repeated, and the error says what happened."""
    wire.late_s = 5
    wire.script.append(Slow(3, broken(reused=True)))
    async with opened(wire, deadline_s=2) as client:
        error = await failure(client)
        assert client.stats().free_repeats == 0
    assert len(wire.sent) == 1
    assert (error.phase, error.last_error.kind) == ("attempt", "connection_failed")
    assert (error.attempts, error.maybe_sent) == (1, True)


async def test_the_reason_is_kept_when_time_runs_out_between_attempts(wire):
    """`last_error` is the last attempt's, not the first one's."""
    wire.script.extend([http(500), http(502), http(504)])
    async with opened(wire, deadline_s=0.5) as client:
        error = await failure(client)
    assert isinstance(error.last_error, HttpStatusError)
    assert error.last_error.status == 504
    assert error.attempts == 3
