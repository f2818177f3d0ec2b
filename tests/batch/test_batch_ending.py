"""The ways in which a stream ends, to the letter: its source, a fatal answer, an exception."""

import asyncio

import pytest

from altcraft_balance.errors import (
    AuthenticationError,
    ClientClosed,
)
from altcraft_balance.models import BalanceQuery, Failed, Found
from tests.batch.sources import ORDERS, SOURCES, AsyncSource, Source, accounted, read, read_on
from tests.session.fakes import (
    Slow,
    api,
    broken,
    http,
    make_client,
    member,
    members,
    number_of,
    ok,
    opened,
    settle,
)

# ── the source's end ─────────────────────────────────────────────────────────────────────────


@SOURCES
@ORDERS
@pytest.mark.parametrize("count", [0, 1, 3, 100])
async def test_at_the_sources_end_the_stream_ends_normally(wire, make_source, ordered, count):
    """With one outcome for each item."""
    source = make_source(members(count))
    async with opened(wire) as client:
        outcomes, error = await read(client, source, ordered=ordered)
    assert error is None
    assert sorted(outcome.index for outcome in outcomes) == list(range(count))
    assert all(number_of(outcome.query) == outcome.index for outcome in outcomes)
    assert not source.closed


async def test_a_run_that_is_over_is_not_ended_by_what_comes_later(wire):
    """All is done and waits for a slow reader: neither deadline nor `aclose` takes it away."""
    client = make_client(wire)
    await client.open()
    async with client.stream_balances(members(5), run_deadline_s=1) as stream:
        await asyncio.sleep(2)
        await client.aclose()
        assert len([outcome async for outcome in stream]) == 5


# ── a stop ───────────────────────────────────────────────────────────────────────────────────


@SOURCES
@ORDERS
async def test_a_stream_that_is_stopped_takes_and_sends_nothing_more(wire, make_source, ordered):
    """What is on the wire comes out; then it ends, without an error, and `unsent` has the rest."""
    source = make_source(members(1000))
    wire.answer = lambda sent: Slow(1, ok())
    async with opened(wire, concurrency=4) as client:
        async with client.stream_balances(source, ordered=ordered) as stream:
            outcomes = [await anext(stream)]
            stream.stop()
            taken, sent = source.taken, len(wire.sent)
            outcomes += [outcome async for outcome in stream]
            stream.stop()
        await asyncio.sleep(60)
        assert (source.taken, len(wire.sent)) == (taken, sent)
    assert all(isinstance(outcome, Found) for outcome in outcomes)
    asked = {outcome.index for outcome in outcomes}
    assert len(asked) == sent
    assert asked | set(map(number_of, stream.unsent)) == set(range(taken))


async def test_what_would_be_repeated_comes_out_of_a_stop_with_its_last_error(wire):
    """It is not sent again."""
    wire.answer = lambda sent: http(503) if sent.number else ok()
    async with (
        opened(wire, concurrency=4) as client,
        client.stream_balances(members(4)) as stream,
    ):
        outcomes = [await anext(stream)]
        await asyncio.sleep(0.01)
        stream.stop()
        outcomes += [outcome async for outcome in stream]
    assert [outcome.error.status for outcome in outcomes if isinstance(outcome, Failed)] == [
        503
    ] * 3
    assert len(wire.sent) == 4


async def test_a_stream_is_stopped_once_it_is_open(wire):
    """Before that there is nothing to stop; after its end a stop is nothing."""
    async with opened(wire) as client:
        stream = client.stream_balances(members(2))
        with pytest.raises(ClientClosed, match="once it is open"):
            stream.stop()
        async with stream:
            assert len([outcome async for outcome in stream]) == 2
            stream.stop()


# ── a fatal answer ───────────────────────────────────────────────────────────────────────────


@SOURCES
@ORDERS
async def test_after_a_fatal_answer_nothing_is_taken_or_sent(wire, make_source, ordered):
    """What is in flight comes out, the fatal one as `Failed`; then its error, with `unsent`."""
    source = make_source(members(1000))
    wire.answer = lambda sent: Slow(1, api(401) if sent.number == 5 else ok())
    async with opened(wire, concurrency=4) as client:
        outcomes, error = await read(client, source, ordered=ordered)
        taken, sent = source.taken, len(wire.sent)
        await asyncio.sleep(60)
        assert (source.taken, len(wire.sent)) == (taken, sent)
    assert isinstance(error, AuthenticationError)
    unsent = accounted(source, outcomes, error)
    asked = {int(sent.email.split("-")[1].split("@")[0]) for sent in wire.sent}
    assert {outcome.index for outcome in outcomes} == asked
    assert not unsent & asked
    assert bool(unsent) == (make_source is AsyncSource), "what has to be waited for is read ahead"
    assert sent <= 5 + 1 + 4
    [fatal] = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert fatal.error is error
    assert (fatal.attempts, fatal.requests, error.attempts) == (1, 1, 1)
    assert all(isinstance(query, BalanceQuery) for query in error.unsent)


async def test_a_sleeper_comes_out_with_its_last_error(wire):
    """Before a closed gate or in its backoff: it was sent and refused for now; no more is sent."""
    wire.answer = lambda sent: {
        0: Slow(0.5, http(503, retry_after="60")),
        1: http(500, retry_after="60"),
        2: Slow(1, api(401)),
        3: Slow(9, ok()),
        4: Slow(5, http(502)),
    }[number_of_email(sent.email)]
    async with opened(wire, concurrency=8) as client:
        outcomes, error = await read(client, members(5), ordered=True)
    kinds = [getattr(getattr(outcome, "error", None), "kind", "found") for outcome in outcomes]
    assert kinds == ["rate_limited", "http_status", "authentication", "found", "http_status"]
    assert [outcome.requests for outcome in outcomes] == [1] * 5
    assert [outcome.attempts for outcome in outcomes] == [0, 1, 1, 1, 1]
    assert [outcome.elapsed_s for outcome in outcomes] == [
        pytest.approx(s, abs=0.01) for s in (1, 1, 1, 9, 5)
    ]
    assert error.unsent == ()
    assert len(wire.sent) == 5


def number_of_email(email):
    return int(email.split("-")[1].split("@")[0])


@pytest.mark.parametrize("dead", [broken(reused=True), http(408, reused=True)], ids=str)
async def test_after_a_fatal_answer_no_free_repeat_is_sent(wire, dead):
    """Nothing more is sent means nothing."""
    wire.script.extend([Slow(1, api(401)), Slow(2, dead)])
    async with opened(wire) as client:
        outcomes, error = await read(client, members(2), ordered=True)
    assert len(wire.sent) == 2
    assert outcomes[0].error.kind == "authentication"
    assert (outcomes[1].requests, error.unsent) == (1, ())


async def test_two_fatal_answers_end_a_stream_once(wire):
    """The first is raised; the second is an outcome like others."""
    wire.script.extend([Slow(2, api(402)), Slow(1, api(401)), Slow(3, api(403))])
    async with opened(wire) as client:
        outcomes, error = await read(client, members(3))
    assert error.code == 401
    assert [outcome.error.code for outcome in outcomes] == [401, 402, 403]


async def test_a_fatal_answer_ends_its_own_batch_only(wire):
    """Single calls and other streams of the client go on."""
    wire.answer = lambda sent: Slow(1, api(401) if number_of_email(sent.email) == 0 else ok())
    async with opened(wire, concurrency=3) as client:
        (_, error), (others, none) = await asyncio.gather(
            read(client, members(50)), read(client, members(50)[1:])
        )
        await client.get_balance(member(1))
    assert isinstance(error, AuthenticationError)
    assert (len(others), none) == (49, None)


# ── the source raises ────────────────────────────────────────────────────────────────────────


@SOURCES
@ORDERS
async def test_when_the_source_raises_its_exception_comes_out_last(wire, make_source, ordered):
    """After the outcomes of what was sent; and it is not asked again, though it would go on."""
    source = make_source(members(100), fails_at=10)
    wire.answer = lambda _: Slow(1)
    async with opened(wire, concurrency=2) as client:
        outcomes, error = await read(client, source, ordered=ordered)
    assert error is (source.error if isinstance(source, Source) else source.plain.error)
    assert source.taken == 11
    assert all(isinstance(outcome, Found) for outcome in outcomes)
    indexes = [outcome.index for outcome in outcomes]
    assert sorted(indexes) == list(range(len(wire.sent)))
    assert (indexes == sorted(indexes)) or not ordered


@pytest.mark.parametrize("at", [0, 1, 7, 8])
async def test_a_source_that_raised_is_left_alone_by_workers_of_the_same_turn(wire, at):
    """Also when others come for more in the very turn in which it raised."""
    source = Source(members(100), fails_at=at)
    async with opened(wire, concurrency=8) as client:
        _, error = await read(client, source)
    assert error is source.error
    assert source.taken == at + 1


async def test_what_waits_for_a_slot_when_the_source_raises_is_not_sent(wire):
    """It is on the stream as `unsent`, since an exception of the source's has no such field."""
    wire.hold()
    source = AsyncSource(members(100), fails_at=4)
    async with opened(wire, concurrency=2) as client, client.stream_balances(source) as stream:
        await settle()
        wire.release()
        outcomes, error = await read_on(stream)
        assert error is source.plain.error
        assert sorted(outcome.index for outcome in outcomes) == [0, 1]
        assert [number_of(query) for query in stream.unsent] == [2, 3]
    assert len(wire.sent) == 2


async def test_our_own_error_from_a_source_brings_the_unsent(wire):
    """When the source raises one of this package's errors, it has the field."""
    wire.hold()
    source = AsyncSource(members(9), fails_at=4, error=ClientClosed("the other client is closed"))
    async with opened(wire, concurrency=2) as client, client.stream_balances(source) as stream:
        await settle()
        wire.release()
        with pytest.raises(ClientClosed, match="other client") as caught:
            async for _ in stream:
                pass
    assert [number_of(query) for query in caught.value.unsent] == [2, 3]


@SOURCES
async def test_a_source_may_raise_at_once(wire, make_source):
    """Then there is nothing else to come."""
    async with opened(wire) as client:
        outcomes, error = await read(client, make_source(members(3), fails_at=0))
    assert (outcomes, str(error), wire.sent) == ([], "bad row", [])


async def test_a_cancel_that_a_source_raises_ends_the_stream_as_a_cancel(wire):
    """It is an exception like others, and the reader is told."""
    source = AsyncSource(members(3), fails_at=1, error=asyncio.CancelledError())
    async with opened(wire) as client:
        with pytest.raises(asyncio.CancelledError):
            await read(client, source)


async def test_a_generator_that_raises_is_a_source_that_raises(wire):
    """The commonest way of all."""

    async def rows():
        yield member(0)
        raise KeyError("no column")

    async with opened(wire) as client:
        outcomes, error = await read(client, rows())
    assert len(outcomes) == 1
    assert isinstance(error, KeyError)
