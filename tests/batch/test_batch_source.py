"""What a stream reads from, and how lazily."""

import asyncio
import itertools

import pytest

from altcraft_balance.batch.source import Source
from altcraft_balance.errors import InvalidQuery
from altcraft_balance.models import BalanceQuery, ByEmail
from tests.batch.sources import ORDERS, Counted
from tests.session.fakes import Slow, http, member, members, now, opened, settle

WORKERS_PER_SLOT = 4
WINDOW_PER_SLOT = 8


@pytest.fixture
def endless():
    return Counted()


KINDS = pytest.mark.parametrize("kind", ["plain", "slow"])


# ── lazily ───────────────────────────────────────────────────────────────────────────────────


@KINDS
@ORDERS
@pytest.mark.parametrize("concurrency", [1, 4])
async def test_a_reader_that_stops_reading_stops_the_source(
    wire, endless, kind, ordered, concurrency
):
    """No more is taken than the window ahead of it, however long it waits."""
    async with (
        opened(wire, concurrency=concurrency) as client,
        client.stream_balances(getattr(endless, kind)(), ordered=ordered) as stream,
    ):
        for read in range(1, 4):
            await anext(stream)
            await asyncio.sleep(60)
            assert endless.taken == read + WINDOW_PER_SLOT * concurrency
    assert len(wire.sent) <= endless.taken


@KINDS
async def test_nothing_is_taken_before_the_stream_is_entered(wire, endless, kind):
    """Making one reads nothing."""
    async with opened(wire) as client:
        client.stream_balances(getattr(endless, kind)())
        await settle()
    assert endless.taken == 0


@KINDS
@ORDERS
async def test_an_endless_source_is_read_for_as_long_as_the_reader_likes(
    wire, endless, kind, ordered
):
    """The stream never wants to see its end."""
    async with (
        opened(wire) as client,
        client.stream_balances(getattr(endless, kind)(), ordered=ordered) as stream,
    ):
        seen = []
        async for outcome in stream:
            seen.append(outcome.index)
            if len(seen) == 2000:
                break
    assert len(set(seen)) == 2000
    assert endless.taken <= 2000 + WINDOW_PER_SLOT * 4


async def test_an_async_source_is_never_pulled_by_two_at_once(wire):
    """An async generator would raise if it were."""
    pulling = 0

    async def source():
        nonlocal pulling
        for item in members(100):
            pulling += 1
            assert pulling == 1
            await asyncio.sleep(0.01)
            pulling -= 1
            yield item

    async with opened(wire) as client, client.stream_balances(source()) as stream:
        assert len([outcome async for outcome in stream]) == 100


async def test_an_async_source_is_waited_for_while_lookups_go_on(wire):
    """An event that comes late holds back nobody else's answer."""

    async def events():
        yield member(0)
        await asyncio.sleep(60)
        yield member(1)

    times = []
    async with opened(wire) as client, client.stream_balances(events()) as stream:
        async for outcome in stream:
            times.append((outcome.index, round(now())))
    assert times == [(0, 0), (1, 60)]


@KINDS
@pytest.mark.parametrize("concurrency", [1, 3])
async def test_there_are_as_many_workers_as_slots(wire, endless, kind, concurrency):
    """And one task that reads ahead what has to be waited for; none for an item that waits."""
    ahead = kind == "slow"
    most = concurrency + ahead
    wire.hold()
    async with opened(wire, concurrency=concurrency) as client:
        before = len(asyncio.all_tasks())
        async with client.stream_balances(getattr(endless, kind)()) as stream:
            await asyncio.sleep(1)
            assert len(asyncio.all_tasks()) - before == most
            assert endless.taken == concurrency * (4 if ahead else 1)
            wire.release()
            for _ in range(200):
                await anext(stream)
                assert len(asyncio.all_tasks()) - before <= most


async def test_an_item_that_was_read_ahead_keeps_its_deadline(wire, endless):
    """Wherever it waits: then a worker waits with each, four for each slot."""
    wire.hold()
    async with opened(wire, concurrency=1) as client:
        options = {"item_deadline_s": 5}
        async with client.stream_balances(endless.slow(), **options) as stream:
            ended = [await anext(stream) for _ in range(WORKERS_PER_SLOT)]
            assert now() == pytest.approx(5, abs=0.1)
        assert [outcome.elapsed_s for outcome in ended] == [pytest.approx(5)] * WORKERS_PER_SLOT


async def test_a_slow_source_does_not_idle_the_slots(wire):
    """While a page is fetched, what was read before it is asked about."""
    wire.answer = lambda _: Slow(0.1)

    async def pages():
        for number in range(400):
            if number % 40 == 0:
                await asyncio.sleep(0.3)
            yield member(number)

    async with opened(wire, concurrency=20) as client, client.stream_balances(pages()) as stream:
        assert len([outcome async for outcome in stream]) == 400
    # Ten pages, one after another, and the answers to the last of them.
    assert now() == pytest.approx(10 * 0.3 + 0.2, abs=0.05)


async def test_workers_that_sleep_leave_their_slots_to_others(wire, endless):
    """So items whose attempts have failed do not idle the slots."""
    wire.answer = lambda _: http(500, retry_after="60")
    async with opened(wire, concurrency=2) as client:
        before = len(asyncio.all_tasks())
        async with client.stream_balances(endless.plain()):
            await asyncio.sleep(1)
            assert len(asyncio.all_tasks()) - before == WORKERS_PER_SLOT * 2
            assert len(wire.sent) == WORKERS_PER_SLOT * 2


@pytest.mark.parametrize("count", [1, 2, 5])
async def test_a_small_batch_starts_few_workers(wire, count):
    """One for each item and one that finds the end."""
    wire.hold()
    async with opened(wire, concurrency=50) as client:
        before = len(asyncio.all_tasks())
        async with client.stream_balances(members(count)) as stream:
            await settle()
            assert len(asyncio.all_tasks()) - before <= count + 1
            wire.release()
            assert len([outcome async for outcome in stream]) == count


async def test_items_asleep_before_a_repeat_do_not_idle_the_slots(wire):
    """There are more workers than slots, so others go on meanwhile."""
    wire.answer = lambda sent: http(500, retry_after="60") if sent.number < 3 else Slow(1)
    async with (
        opened(wire, concurrency=1) as client,
        client.stream_balances(members(20)) as stream,
    ):
        times = [round(now()) async for _ in stream]
    assert times[:17] == list(range(1, 18))
    assert len(times) == 20


async def test_an_ended_source_is_not_asked_again(wire):
    """Some iterators raise, or begin anew, when asked after their end."""
    ends = 0

    class Once:
        def __init__(self):
            self.left = 3

        def __iter__(self):
            return self

        def __next__(self):
            nonlocal ends
            if not self.left:
                ends += 1
                raise StopIteration
            self.left -= 1
            return member(self.left)

    async with opened(wire) as client, client.stream_balances(Once()) as stream:
        assert len([outcome async for outcome in stream]) == 3
    assert ends == 1


@pytest.mark.parametrize(
    "make",
    [
        list,
        tuple,
        iter,
        lambda items: (item for item in items),
        lambda items: dict.fromkeys(items).keys(),
        lambda items: map(BalanceQuery, items),
    ],
    ids=["list", "tuple", "iterator", "generator", "keys", "map"],
)
async def test_any_iterable_is_a_source(wire, make):
    """It is read once, in its order."""
    async with (
        opened(wire) as client,
        client.stream_balances(make(members(10)), ordered=True) as stream,
    ):
        queries = [outcome.query async for outcome in stream]
    assert queries == [BalanceQuery(item) for item in members(10)]


async def test_a_source_counts_what_it_gives():
    """Indexes are from 0, and the end comes once and for all."""
    source = Source(itertools.islice(itertools.count(10), 3))
    assert [await source.take() for _ in range(5)] == [(0, 10), (1, 11), (2, 12), None, None]
    assert source.taken == 3


async def test_a_source_is_begun_once(wire):
    """An iterable that asks a database when it is begun asks it once."""

    class Query:
        begun = 0

        def __iter__(self):
            self.begun += 1
            return iter(members(3))

    query = Query()
    async with opened(wire) as client:
        assert len(await client.get_balances(query)) == 3
    assert query.begun == 1


async def test_a_source_without_an_end_is_no_small_batch(wire):
    """It is refused with the way out, before anything is sent."""
    async with opened(wire) as client:
        with pytest.raises(InvalidQuery, match="use stream_balances"):
            await client.get_balances(member(1) for _ in itertools.count())
    assert not wire.sent


# ── what is no source ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("user@example.com", "a single text is no source"),
        (b"user@example.com", "a single text is no source"),
        (member(0), "not ByEmail"),
        (BalanceQuery(member(0)), "not BalanceQuery"),
        (None, "not NoneType"),
        (7, "not int"),
    ],
    ids=str,
)
async def test_what_is_no_source_is_refused_with_a_sentence(wire, source, sentence):
    """For a stream and for a list alike."""
    async with opened(wire) as client:
        with pytest.raises(InvalidQuery, match=sentence) as caught:
            client.stream_balances(source, by=ByEmail)
        with pytest.raises(InvalidQuery, match=sentence):
            await client.get_balances(source, by=ByEmail)
    assert "user@example.com" not in str(caught.value)
