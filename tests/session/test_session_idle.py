"""A client that idled: what it learnt before neither deafens it nor keeps it narrow."""

import asyncio
import heapq

import pytest

from altcraft_balance.telemetry.events import WidthChanged
from tests.session.fakes import Slow, members, now, opened

pytestmark = pytest.mark.no_cover  # it would take four times as long

SLOTS = 256
SERVICE_S = 0.01


def healthy(sent):
    return Slow(SERVICE_S)


def eight_workers():
    """An answer that waits in a queue before them."""
    free_at = [0.0] * 8

    def answer(sent):
        served_at = max(now(), free_at[0]) + SERVICE_S
        heapq.heapreplace(free_at, served_at)
        return Slow(served_at - now())

    return answer


class Widths(list):
    """Hears of each change."""

    def __call__(self, event):
        if isinstance(event, WidthChanged):
            self.append(event.width)


async def leave_in_a_trial(wire, client, widths):
    """A reader that goes away when a width of 16 has just come on trial."""
    wire.answer = healthy
    await client.get_balances(members(1000))
    wire.answer = eight_workers()
    async with client.stream_balances(members(50_000)) as stream:
        async for _ in stream:
            if widths and widths[-1] <= 16:
                break
    assert client.stats().width == 16


async def took_s(client, count):
    began = now()
    await client.get_balances(members(count))
    return now() - began


@pytest.mark.parametrize("idle_s", [60, 3600])
async def test_idling_in_a_trial_leaves_no_trace(wire, idle_s):
    """Narrow for a queueing server, then away: a healthy one is asked by all slots."""
    widths = Widths()
    async with opened(wire, concurrency=SLOTS, on_event=widths) as client:
        await leave_in_a_trial(wire, client, widths)
        await asyncio.sleep(idle_s)
        wire.answer = healthy
        assert await took_s(client, 8000) < 1.2 * 8000 * SERVICE_S / SLOTS
        assert client.stats().width == SLOTS


async def test_single_calls_keep_nobody_narrow(wire):
    """One each second, for a minute: a batch that comes then has all slots."""
    widths = Widths()
    async with opened(wire, concurrency=SLOTS, on_event=widths) as client:
        await leave_in_a_trial(wire, client, widths)
        wire.answer = healthy
        for query in members(60):
            await asyncio.sleep(1)
            await client.get_balance(query)
        assert client.stats().width == SLOTS


async def test_after_a_moment_it_is_wide_again_within_seconds(wire):
    """What was learnt a moment ago still counts, and is unlearnt step by step."""
    widths = Widths()
    async with opened(wire, concurrency=SLOTS, on_event=widths) as client:
        await leave_in_a_trial(wire, client, widths)
        await asyncio.sleep(10)
        wire.answer = healthy
        assert await took_s(client, 20_000) < 3
        assert client.stats().width > SLOTS / 2
