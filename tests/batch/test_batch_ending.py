"""The ways in which a stream ends, to the letter."""

import asyncio

import pytest

from altcraft_balance.errors import (
    AuthenticationError,
    ClientClosed,
    DeadlineExceeded,
)
from altcraft_balance.models import BalanceQuery, Failed, Found
from tests.session.fakes import (
    Slow,
    api,
    assert_idle,
    broken,
    http,
    make_client,
    member,
    members,
    now,
    number_of,
    ok,
    opened,
    settle,
)


class Source:
    """An iterator, plain or not, that remembers how far it was read and whether it was closed.

    Args:
        items: what it gives.
        fails_at: raises at this index, and would go on after it, as `map` does.
    """

    def __init__(self, items, fails_at=None, error=None):
        self.items, self.fails_at, self.error = items, fails_at, error or ValueError("bad row")
        self.taken, self.closed = 0, False

    def __iter__(self):
        return self

    def __next__(self):
        if self.taken == len(self.items):
            raise StopIteration
        index, self.taken = self.taken, self.taken + 1
        if index == self.fails_at:
            raise self.error
        return self.items[index]

    def close(self):
        self.closed = True


class AsyncSource:
    """The same, asynchronous, with a turn of the loop before each item."""

    def __init__(self, items, fails_at=None, error=None):
        self.plain = Source(items, fails_at, error)
        self.pulls = 0

    def __aiter__(self):
        return self

    async def __anext__(self):
        self.pulls += 1
        assert self.pulls == 1, "the source was pulled by two at once"
        try:
            await asyncio.sleep(0)
            return next(self.plain)
        except StopIteration:
            raise StopAsyncIteration from None
        finally:
            self.pulls -= 1

    @property
    def taken(self):
        return self.plain.taken

    @property
    def closed(self):
        return self.plain.closed

    async def aclose(self):
        self.plain.close()


SOURCES = pytest.mark.parametrize("make_source", [Source, AsyncSource])
ORDERS = pytest.mark.parametrize("ordered", [False, True], ids=["as they come", "ordered"])


async def read(client, source, **options):
    """All outcomes, and the error that ended the stream."""
    async with client.stream_balances(source, **options) as stream:
        return await read_on(stream)


async def read_on(stream):
    """What is left of a stream, and the error that ended it."""
    outcomes, error = [], None
    try:
        async for outcome in stream:
            outcomes.append(outcome)
    except Exception as caught:
        error = caught
    assert not stream._workers
    # After its end a stream gives nothing more, and raises nothing again.
    assert [outcome async for outcome in stream] == []
    return outcomes, error


def accounted(source, outcomes, error):
    """Each item that was taken is an outcome or unsent, once; the unsent ones are in order."""
    unsent = [number_of(query) for query in error.unsent]
    assert unsent == sorted(unsent)
    ended = [outcome.index for outcome in outcomes]
    assert sorted(ended + unsent) == list(range(source.taken))
    return set(unsent)


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
    assert unsent, "workers waited for slots"
    assert sent <= 5 + 1 + 4
    [fatal] = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert fatal.error is error
    assert (fatal.attempts, fatal.requests, error.attempts) == (1, 1, 1)
    assert all(isinstance(query, BalanceQuery) for query in error.unsent)


async def test_a_sleeper_comes_out_with_its_last_error(wire):
    """It was sent and refused for now; it is not asked again."""
    wire.answer = lambda sent: {
        0: http(503, retry_after="60"),
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
    source = Source(members(100), fails_at=4)
    async with opened(wire, concurrency=2) as client, client.stream_balances(source) as stream:
        await settle()
        wire.release()
        outcomes, error = await read_on(stream)
        assert error is source.error
        assert sorted(outcome.index for outcome in outcomes) == [0, 1]
        assert [number_of(query) for query in stream.unsent] == [2, 3]
    assert len(wire.sent) == 2


async def test_our_own_error_from_a_source_brings_the_unsent(wire):
    """When the source raises one of this package's errors, it has the field."""
    wire.hold()
    source = Source(members(9), fails_at=4, error=ClientClosed("the other client is closed"))
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


# ── aclose meanwhile ─────────────────────────────────────────────────────────────────────────


@SOURCES
@ORDERS
async def test_when_the_client_is_closed_the_stream_ends_with_it(wire, make_source, ordered):
    """What is in flight comes out, what waits is unsent, then `ClientClosed`."""
    wire.answer = lambda _: Slow(2)
    source = make_source(members(1000))
    client = make_client(wire, concurrency=3)
    await client.open()
    reading = asyncio.create_task(read(client, source, ordered=ordered))
    await asyncio.sleep(3)
    await client.aclose()
    outcomes, error = await reading
    assert isinstance(error, ClientClosed)
    unsent = accounted(source, outcomes, error)
    assert [type(outcome) for outcome in outcomes] == [Found] * 6
    assert unsent == set(range(6, 3 + 12))
    assert now() == pytest.approx(4, abs=0.01)
    assert_idle(client)


async def test_each_stream_of_a_closed_client_has_its_own_unsent(wire):
    """Two readers do not overwrite each other's list."""
    wire.hold()
    client = make_client(wire, concurrency=2)
    await client.open()
    first = asyncio.create_task(read(client, members(100)[:3]))
    await settle()
    second = asyncio.create_task(read(client, members(100)[50:54]))
    await settle()
    closing = asyncio.create_task(client.aclose())
    await settle()
    wire.release()
    await closing
    (_, one), (_, two) = await first, await second
    assert one is not two
    assert [number_of(query) for query in one.unsent] == [2]
    assert [number_of(query) for query in two.unsent] == [50, 51, 52, 53]


async def test_a_reader_may_close_the_client_itself(wire):
    """From inside the loop."""
    client = make_client(wire)
    await client.open()
    async with client.stream_balances(iter(members(10_000))) as stream:
        for _ in range(20):
            await anext(stream)
        await client.aclose()
        _, error = await read_on(stream)
    assert isinstance(error, ClientClosed)
    assert len(wire.sent) < 100


async def test_a_source_that_never_gives_is_left_when_the_client_closes(wire):
    """An event consumer waits for its next event most of the time."""

    async def silent():
        yield member(0)
        await asyncio.Future()

    client = make_client(wire)
    await client.open()
    reading = asyncio.create_task(read(client, silent()))
    await settle()
    await client.aclose()
    outcomes, error = await reading
    assert len(outcomes) == 1
    assert isinstance(error, ClientClosed)
    assert now() < 1


# ── the run's deadline ───────────────────────────────────────────────────────────────────────


@SOURCES
@ORDERS
async def test_at_the_runs_deadline_the_stream_ends(wire, make_source, ordered):
    """Nothing passes it: attempts get what is left, and what waits is unsent."""
    wire.answer = lambda _: Slow(2)
    source = make_source(members(1000))
    async with opened(wire, concurrency=2) as client:
        outcomes, error = await read(client, source, ordered=ordered, run_deadline_s=5)
        assert now() == pytest.approx(5, abs=0.01)
    assert isinstance(error, DeadlineExceeded)
    assert error.phase == "run"
    unsent = accounted(source, outcomes, error)
    assert len([outcome for outcome in outcomes if isinstance(outcome, Found)]) == 4
    cut = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert {(o.error.kind, o.error.phase, o.requests) for o in cut} == {
        ("deadline_exceeded", "attempt", 1)
    }
    assert unsent == set(range(6, 4 + 8))
    assert wire.sent[-1].limit_s == pytest.approx(1, abs=0.01)


async def test_no_item_sleeps_past_the_runs_deadline(wire):
    """It fails at once, with the time after which asking again may help."""
    wire.answer = lambda _: http(503, retry_after="60")
    async with opened(wire) as client:
        outcomes, _ = await read(client, members(2), run_deadline_s=5)
        assert now() < 1
    assert [(o.error.phase, o.error.retry_after_s) for o in outcomes] == [("backoff", 60)] * 2


@pytest.mark.parametrize(("item_s", "run_s", "ends_s"), [(2, 5, 2), (5, 2, 2), (None, 2, 2)])
async def test_the_nearer_deadline_holds(wire, item_s, run_s, ends_s):
    """The item's or the run's."""
    wire.answer = lambda _: Slow(60)
    async with opened(wire) as client:
        [outcome], _ = await read(client, members(1), item_deadline_s=item_s, run_deadline_s=run_s)
    assert outcome.elapsed_s == pytest.approx(ends_s, abs=0.01)


async def test_a_run_that_ends_before_its_deadline_leaves_no_timer(wire):
    """Nothing fires into the void, also when the reader left."""
    async with opened(wire) as client:
        await read(client, members(2), run_deadline_s=5)
        async with client.stream_balances(members(9), run_deadline_s=5) as stream:
            async for _ in stream:
                break
        pending = [timer for timer in asyncio.get_running_loop()._scheduled if not timer._cancelled]
        assert pending == []


# ── the reader leaves ────────────────────────────────────────────────────────────────────────


@SOURCES
@pytest.mark.parametrize("how", ["break", "raise", "cancel", "no reading"])
async def test_when_the_reader_leaves_what_is_in_flight_is_cancelled(wire, make_source, how):
    """And awaited; no task is left, and the source stays open, for its owner to close."""
    source = make_source(members(1000))
    wire.answer = lambda sent: Slow(100) if sent.number > 5 else ok()

    async def reader(client):
        async with client.stream_balances(source) as stream:
            if how == "no reading":
                await settle()
                return
            async for outcome in stream:
                if outcome.index >= 3 and how == "break":
                    break
                if outcome.index >= 3 and how == "raise":
                    raise ZeroDivisionError

    async with opened(wire, attempt_s=200) as client:
        before = asyncio.all_tasks()
        reading = asyncio.create_task(reader(client))
        await settle()
        if how == "cancel":
            reading.cancel()
        [end] = await asyncio.gather(reading, return_exceptions=True)
        expected = {"raise": ZeroDivisionError, "cancel": asyncio.CancelledError}.get(how)
        assert type(end) is (expected or type(None))
        assert asyncio.all_tasks() == before
        assert_idle(client)
        assert not source.closed
        assert now() < 1
        # The source can be read on.
        if isinstance(source, Source):
            assert next(source) == members(1000)[source.taken - 1]


async def test_a_reader_may_leave_while_the_source_waits(wire):
    """An async source that has nothing for now does not hold it."""

    async def silent():
        yield member(0)
        await asyncio.Future()

    async with opened(wire) as client, client.stream_balances(silent()) as stream:
        async for _ in stream:
            break
    assert now() < 1


# ── misuse ───────────────────────────────────────────────────────────────────────────────────


async def test_a_stream_that_is_not_entered_says_so(wire):
    """`async for` without `async with` is one plain sentence."""
    async with opened(wire) as client:
        with pytest.raises(ClientClosed, match=r"async with client.stream_balances"):
            async for _ in client.stream_balances(members(3)):
                pass
        assert not client._session.brake._below
    assert wire.sent == []


async def test_a_stream_is_entered_once(wire):
    """Neither twice at once nor again after its end."""
    async with opened(wire) as client:
        stream = client.stream_balances(members(3))
        async with stream:
            with pytest.raises(ClientClosed, match="read once"):
                await stream.__aenter__()
        with pytest.raises(ClientClosed, match="read once"):
            await stream.__aenter__()


async def test_a_second_loop_reads_on(wire):
    """Two `async for` over one stream share its outcomes, each given once."""
    async with (
        opened(wire) as client,
        client.stream_balances(members(20), ordered=True) as stream,
    ):
        indexes = []
        for _ in range(2):
            async for outcome in stream:
                indexes.append(outcome.index)
                if outcome.index == 7:
                    break
    assert indexes == list(range(20))


async def test_two_readers_at_once_share_the_outcomes(wire):
    """Each outcome goes to one of them, and both come to the end."""
    wire.answer = lambda _: Slow(0.1)
    async with opened(wire) as client, client.stream_balances(members(50)) as stream:

        async def reader():
            return [outcome.index async for outcome in stream]

        one, two = await asyncio.gather(reader(), reader())
    assert sorted(one + two) == list(range(50))


async def test_a_stream_made_before_the_end_is_not_entered_after_it(wire):
    """Entering asks again whether the client is open."""
    client = make_client(wire)
    await client.open()
    stream = client.stream_balances(members(3))
    await client.aclose()
    with pytest.raises(ClientClosed, match="is closed"):
        await stream.__aenter__()


async def test_a_worker_that_somebody_cancels_ends_the_stream(wire):
    """Not silently: an outcome would be missing."""
    wire.hold()
    async with opened(wire) as client, client.stream_balances(members(3)) as stream:
        await settle()
        next(iter(stream._workers)).cancel()
        wire.release()
        with pytest.raises(asyncio.CancelledError):
            async for _ in stream:
                pass


async def test_a_bug_in_the_transport_ends_the_stream(wire):
    """It comes out as it is, after what else was in flight."""
    wire.script.extend([Slow(1), ZeroDivisionError()])
    async with opened(wire) as client:
        outcomes, error = await read(client, members(2))
    assert [outcome.index for outcome in outcomes] == [0]
    assert isinstance(error, ZeroDivisionError)
