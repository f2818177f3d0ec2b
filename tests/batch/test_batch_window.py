"""Order, and how far ahead of one slow item the rest may run."""

import asyncio

import pytest

from altcraft_balance.batch.window import Window
from altcraft_balance.errors import InvalidQuery
from altcraft_balance.models import BalanceQuery, Failed
from tests.session.fakes import Slow, api, http, member, members, now, ok, opened, throttled

SLOW_HEAD_S = 100


def item(index):
    return Failed(query=BalanceQuery(member(index)), index=index, error=InvalidQuery("no"))


async def test_unordered_outcomes_come_as_they_come(wire):
    """The slow one is the last."""
    wire.answer = lambda sent: Slow(5 if sent.number == 0 else 1)
    async with opened(wire) as client, client.stream_balances(members(4)) as stream:
        seen = [(outcome.index, round(now())) async for outcome in stream]
    assert sorted(seen[:3]) == [(1, 1), (2, 1), (3, 1)]
    assert seen[3] == (0, 5)


@pytest.mark.parametrize("concurrency", [1, 2, 5])
async def test_ordered_outcomes_come_in_the_sources_order(wire, concurrency):
    """However long each of them takes, retries and bad items included."""
    replies = [ok(), http(500), api(400), Slow(3), throttled(2), Slow(0.1)]
    wire.answer = lambda sent: replies[sent.number * 7 % 6]
    items = [*members(100), "no matching", *members(100)]
    async with (
        opened(wire, concurrency=concurrency) as client,
        client.stream_balances(items, ordered=True) as stream,
    ):
        indexes = [outcome.index async for outcome in stream]
    assert indexes == list(range(201))


async def test_one_slow_item_holds_back_no_more_than_the_window(wire):
    """The others go on up to it, and then wait, in bounded memory."""
    wire.answer = lambda sent: Slow(SLOW_HEAD_S) if sent.number == 0 else ok()
    taken = 0

    def source():
        nonlocal taken
        for taken, query in enumerate(members(10_000), 1):  # noqa: B007
            yield query

    async with (
        opened(wire, concurrency=2, attempt_s=2 * SLOW_HEAD_S) as client,
        client.stream_balances(source(), ordered=True) as stream,
    ):
        await asyncio.sleep(SLOW_HEAD_S / 2)
        assert (taken, len(wire.sent)) == (16, 16)
        assert (await anext(stream)).index == 0
        assert now() == pytest.approx(SLOW_HEAD_S, abs=0.1)
        rest = [outcome.index async for outcome in stream]
    assert rest == list(range(1, 10_000))


async def test_unordered_one_slow_item_holds_nobody_back(wire):
    """All the others are read meanwhile."""
    wire.answer = lambda sent: Slow(SLOW_HEAD_S) if sent.number == 0 else ok()
    async with (
        opened(wire, concurrency=2, attempt_s=2 * SLOW_HEAD_S) as client,
        client.stream_balances(members(1000)) as stream,
    ):
        seen = [(outcome.index, now() < 1) async for outcome in stream]
    assert seen[-1] == (0, False)
    assert all(early for _, early in seen[:-1])


async def test_a_window_lets_no_more_in_than_it_has_room_for():
    """Until something is read, or an item goes away without an outcome."""
    window = Window(2, ordered=False)
    await window.enter()
    await window.enter()
    third = asyncio.create_task(window.enter())
    await asyncio.sleep(1)
    assert not third.done()
    window.put(item(0))
    await asyncio.sleep(1)
    assert not third.done(), "room comes back when it is read, not when it is put"
    assert window.pop().index == 0
    await third
    fourth = asyncio.create_task(window.enter())
    await asyncio.sleep(1)
    assert not fourth.done()
    window.leave()
    await fourth


def popped(window):
    indexes = []
    while (outcome := window.pop()) is not None:
        indexes.append(outcome.index)
    return indexes


async def test_an_ordered_window_gives_what_is_due_and_keeps_the_rest():
    """At the end it gives what there is, holes or not."""
    window = Window(9, ordered=True)
    window.put(item(2))
    assert popped(window) == []
    window.put(item(0))
    assert popped(window) == [0]
    window.put(item(1))
    assert popped(window) == [1, 2]
    for index in (7, 4, 6):
        window.put(item(index))
    assert popped(window) == []
    window.flush()
    assert popped(window) == [4, 6, 7]


async def test_the_reader_is_woken_by_every_outcome():
    """And by the end."""
    window = Window(9, ordered=False)
    for tell in (lambda: window.put(item(0)), window.flush, window.wake):
        waiting = asyncio.create_task(window.changed())
        await asyncio.sleep(1)
        assert not waiting.done()
        tell()
        await waiting
