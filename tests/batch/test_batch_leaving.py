"""The other ways: the client closes, the run's deadline comes, the reader leaves; and misuse."""

import asyncio

import pytest

from altcraft_balance.errors import (
    ClientClosed,
    DeadlineExceeded,
)
from altcraft_balance.models import Failed, Found
from tests.batch.sources import ORDERS, SOURCES, AsyncSource, Source, accounted, read, read_on
from tests.session.fakes import (
    Slow,
    assert_idle,
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
    assert unsent == set(range(6, source.taken))
    assert source.taken <= (3 + 12 if make_source is AsyncSource else 6)
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
    assert [number_of(query) for query in one.unsent] == []
    assert [number_of(query) for query in two.unsent] == [50, 51]


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
    assert unsent == (set(range(6, 4 + 8)) if make_source is AsyncSource else set())
    assert wire.sent[-1].limit_s == pytest.approx(1, abs=0.01)


async def test_no_item_sleeps_past_the_runs_deadline(wire):
    """It fails at once, with the time after which asking again may help."""
    wire.answer = lambda _: http(503, retry_after="60")
    async with opened(wire) as client:
        outcomes, _ = await read(client, members(2), run_deadline_s=5)
        assert now() < 1
    assert [(o.error.phase, o.error.retry_after_s) for o in outcomes] == [("gate", 60)] * 2


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
