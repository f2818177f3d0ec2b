"""Row 12: cancelling is safe.

A cancel at any await point of a call or a batch, through aiohttp and down to the socket, leaves
no task, slot, connection or descriptor behind, and the client goes on at its full width.
"""

import asyncio
import uuid

import pytest

from altcraft_balance.sandbox import Sandbox
from altcraft_balance.settings import RetryPolicy
from tests.promises import virtual
from tests.promises.child import in_child
from tests.session.fakes import TurningLoop

over_both = pytest.mark.parametrize("lane", ["aiohttp", "direct"])
FAULTS = "reset=0.15,status500=0.1,idle_close=0.2,late_408=0.15,truncated=0.1"


ANSWER = b'{"error": 0, "data": {"total_balance": "1", "active_balance": "1"}}'


async def fresh_token():
    """Another token each time, after a while."""
    await asyncio.sleep(0.1)
    return uuid.uuid4().hex


async def one_call(server, client):
    """A call that waits for a slot and meets a 401, a 429, a 500 and at last its reply."""
    others = [asyncio.create_task(client.get_balance(virtual.member(n))) for n in (1, 2)]
    try:
        await asyncio.sleep(0.1)
        for status, headers in ((401, {}), (429, {"Retry-After": "1"}), (500, {})):
            server.answer(virtual.member(0), status=status, headers=headers, times=1)
        await client.get_balance(virtual.member(0), deadline_s=None)
    finally:
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)


async def one_batch(server, client):
    """A batch past faults, read slowly."""
    async with client.stream_balances(map(virtual.member, range(12)), ordered=True) as outcomes:
        async for _ in outcomes:
            await asyncio.sleep(0.05)


async def both_slots_work(server, client):
    """Two lookups of a second each take a second together."""
    began = virtual.now()
    await asyncio.gather(*(client.get_balance(virtual.member(n)) for n in (100, 101)))
    assert virtual.now() - began < 1.5


def ours(tasks):
    """Without the tasks in which the server keeps its connections and replies."""
    return {task for task in tasks if "RequestHandler." not in task.get_coro().__qualname__}


def left_after(scenario, faults, turn, lane):
    """What a cancel after so many turns left behind, and whether there was one."""

    async def main():
        loop = asyncio.get_running_loop()
        server = Sandbox(faults=faults, latency_s=1.0 if faults is None else 0.2, seed=5)
        settings = {"limits": virtual.steady(2), "retry": RetryPolicy(max_attempts=100)}
        if faults is None:
            settings["token"] = fresh_token
            server.answer(None, body=ANSWER, headers={"Content-Type": "application/json"})
        async with virtual.opened(sandbox=server, lane=lane, **settings) as (_, client, transport):
            before = ours(asyncio.all_tasks())
            loop.cancel_after, loop.victim = turn, asyncio.create_task(scenario(server, client))
            await asyncio.wait([loop.victim])
            victim, loop.victim = loop.victim, None
            stats = client.stats()
            left = [stats.in_progress, stats.slots_in_use, transport.taken]
            left.append(len(ours(asyncio.all_tasks()) - before))
            await asyncio.sleep(30)  # whatever pause the server wished is over
            if faults is None:
                await both_slots_work(server, client)
        await asyncio.sleep(0)
        left.append(len(asyncio.all_tasks()) - 1)
        if not victim.cancelled():
            victim.result()
        return left, victim.cancelled()

    return virtual.run(main, TurningLoop)


@over_both
def test_a_cancel_at_every_await_point_leaves_nothing(promise, lane):
    """Also with the real transport below: connecting, writing, reading, repeating."""
    stated = promise(12, f"cancelling is safe: at every await point, {lane}")
    turns, wrong = 0, []
    for scenario, faults in ((one_call, None), (one_batch, FAULTS)):
        turn, cancelled = 0, True
        while cancelled:
            turn += 1
            left, cancelled = left_after(scenario, faults, turn, lane)
            if any(left):
                wrong.append(f"{scenario.__name__}, turn {turn}: {left}")
        assert turn > 50
        turns += turn - 1
    stated.came(
        tried=turns,
        failed=len(wrong),
        figure=f"{len(wrong)} left a task, slot or connection",
        why="lookups, slots, connections, tasks, tasks at the end\n" + "\n".join(wrong),
    )


@over_both
def test_random_cancels_leave_nothing(promise, size, lane):
    """On real sockets: calls and batches, a hundred at once, past a server with faults."""
    stated = promise(12, f"cancelling is safe: at random moments, {lane}")
    cancels = size(10_000 if lane == "aiohttp" else 1_000, 100_000, quick=600)
    came = in_child("cancels", cancels=cancels, lane=lane, limit_s=3600)
    left = {name: count for name, count in came["left"].items() if count}
    stated.came(
        tried=came["cancelled"],
        failed=sum(map(abs, left.values())) + sum(came["odd"].values()),
        figure=f"left: {left or 'nothing'}; {came['ended']:,} ended before their cancel",
        why=came,
    )
