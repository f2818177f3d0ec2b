"""Many workers and one source: nobody waits a turn longer than it must, and nobody is forgotten."""

import asyncio

import pytest

from altcraft_balance.batch.source import Source
from altcraft_balance.batch.window import Window
from altcraft_balance.models import BalanceQuery, ByEmail, Failed

QUERY = BalanceQuery(ByEmail("a@x.y"))


async def takers(source, count):
    """So many tasks that wait for an item each."""
    tasks = [asyncio.create_task(source.take()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def turns_until(done):
    """Turns of the loop until `done` says so."""
    for turns in range(10_000):
        if done():
            return turns
        await asyncio.sleep(0)
    raise AssertionError("never")


async def test_a_source_with_many_items_gives_them_quickly():
    """200 workers that wait are served in far fewer than 200 turns of the loop."""
    gate = asyncio.Event()

    async def items():
        await gate.wait()
        for number in range(1_000):
            yield number

    tasks = await takers(Source(items()), 200)
    gate.set()
    turns = await turns_until(lambda: all(task.done() for task in tasks))
    assert turns < 50
    assert sorted(task.result()[0] for task in tasks) == list(range(200))


async def test_a_source_that_waits_for_each_item_is_never_asked_twice_at_once():
    """An async generator allows one puller; all workers get what they wait for."""

    async def items():
        for number in range(50):
            await asyncio.sleep(0)
            yield number

    taken = await asyncio.gather(*await takers(Source(items()), 60))
    assert sorted(item[0] for item in taken if item is not None) == list(range(50))
    assert taken.count(None) == 10


async def test_a_worker_that_was_woken_and_cancelled_passes_its_turn_on():
    """A cancel in the very turn of the wake-up leaves nobody waiting."""
    gate = asyncio.Event()

    async def items():
        await gate.wait()
        yield 1
        yield 2
        yield 3

    source = Source(items())
    tasks = await takers(source, 5)
    gate.set()
    await turns_until(tasks[0].done)
    for task in tasks[1:3]:
        task.cancel()
    async with asyncio.timeout(5):
        rest = await asyncio.gather(*tasks[3:])
    assert [item for item in rest if item is not None]


async def test_a_source_that_raises_lets_the_others_go_on():
    """Who waits behind the one that met the exception finds the source ended, not stuck."""

    async def items():
        await asyncio.sleep(0)
        raise KeyError
        yield

    async with asyncio.timeout(5):
        ends = await asyncio.gather(*await takers(Source(items()), 4), return_exceptions=True)
    assert [type(end) for end in ends].count(KeyError) == 1
    assert ends.count(None) == 3


# ── the window ───────────────────────────────────────────────────────────────────────────────


def outcome(index):
    return Failed(query=QUERY, index=index, error=None)


async def test_room_goes_to_those_who_wait():
    """Each outcome that is read lets one more in, in the order in which they came."""
    window, entered = Window(2, ordered=False), []

    async def enter(name):
        await window.enter()
        entered.append(name)

    tasks = [asyncio.create_task(enter(name)) for name in "abcd"]
    await asyncio.sleep(0)
    assert entered == ["a", "b"]
    window.put(outcome(0))
    window.pop()
    await turns_until(lambda: len(entered) == 3)
    assert entered == ["a", "b", "c"]
    window.leave()
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("late", [False, True])
async def test_room_of_one_who_was_cancelled_is_not_lost(late):
    """Whether the cancel comes before the room or in the same turn, the next one gets it."""
    window = Window(1, ordered=False)
    await window.enter()
    first = asyncio.create_task(window.enter())
    second = asyncio.create_task(window.enter())
    await asyncio.sleep(0)
    if late:
        window.leave()
    first.cancel()
    if not late:
        await asyncio.sleep(0)
        window.leave()
    async with asyncio.timeout(5):
        await second
    assert first.cancelled() or await asyncio.wait([first])
