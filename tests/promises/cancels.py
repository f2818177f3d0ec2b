"""Cancels lookups and batches at random moments, and prints what was left of them as JSON.

On real sockets: the connections can be reset, and descriptors counted. Those that come to their end
say whether they got their own member's balance.
"""

import asyncio
import random
from collections import Counter

from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.models import ByEmail, Found
from altcraft_balance.sandbox import Sandbox
from altcraft_balance.settings import RetryPolicy
from tests.lanes import client_over, taken_on
from tests.promises.child import answer, is_right, options_of
from tests.promises.virtual import steady
from tests.watches.leftovers import added, descriptors

SLOTS, AT_ONCE = 32, 100
FAULTS = "reset=0.05,status500=0.05,idle_close=0.1,late_408=0.05,stray=0.25,truncated=0.02"


def somebody(rng):
    return ByEmail(f"member-{rng.randrange(1000)}@example.com")


async def call(client, rng, check):
    query = somebody(rng)
    check(query, await client.get_balance(query))


async def batch(client, rng, check):
    members = [somebody(rng) for _ in range(rng.randint(1, 5))]
    async with client.stream_balances(members) as outcomes:
        async for outcome in outcomes:
            if isinstance(outcome, Found):
                check(outcome.query.matching, outcome.balance)
            await asyncio.sleep(0)


async def cancel_some(client, rng, ends, check):
    """Start one after another and cancel most of them, until enough were cancelled."""
    while ends["cancelled"] < asked.cancels:
        task = asyncio.create_task(rng.choice((call, call, batch))(client, rng, check))
        for _ in range(rng.randint(1, 2)):
            await asyncio.sleep(rng.choice((0, 0, rng.uniform(0, 0.02), rng.uniform(0, 0.2))))
            task.cancel()
        await asyncio.wait([task])
        ends[end_of(task)] += 1


def end_of(task):
    if task.cancelled():
        return "cancelled"
    error = task.exception()
    if error is None or isinstance(error, AltcraftBalanceError):
        return "ended"
    return f"raised {type(error).__name__}: {error}"


async def most_at_once(client, rng, check):
    """How many slots are in use at most when all are wanted."""
    most, lookups = 0, asyncio.gather(*(call(client, rng, check) for _ in range(4 * SLOTS)))
    while not lookups.done():
        most = max(most, client.stats().slots_in_use)
        await asyncio.sleep(0)
    await lookups
    return most


def make_client(url):
    return client_over(
        asked.lane,
        url,
        token="sandbox-token",
        loyalty_program_id=123,
        limits=steady(SLOTS),
        retry=RetryPolicy(max_attempts=20, base_s=0.01, cap_s=0.1),
    )


async def main():
    rng, ends, answers = random.Random(asked.seed), Counter(), Counter()
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: ends.update([f"the loop was told: {context['message']}"])
    )
    before = descriptors()
    sandbox = Sandbox(faults=FAULTS, seed=asked.seed, latency_s=0.002, jitter_s=0.01)

    def check(matching, balance):
        answers["right" if is_right(sandbox, matching, balance) else "wrong"] += 1

    async with sandbox, make_client(sandbox.url) as client:
        some = (cancel_some(client, rng, ends, check) for _ in range(AT_ONCE))
        await asyncio.gather(*some)
        left = left_in(client)
        left["slots lost"] = SLOTS - await most_at_once(client, rng, check)
    await asyncio.sleep(0)
    left["tasks"] = len(asyncio.all_tasks()) - 1
    left["descriptors"] = len(added(before, descriptors()))
    cancelled, ended = ends.pop("cancelled"), ends.pop("ended", 0)
    return {
        "cancelled": cancelled,
        "ended": ended,
        "left": left,
        "odd": dict(ends),
        "right": answers["right"],
        "wrong": answers["wrong"],
        "server": dict(sandbox.counts),
    }


def left_in(client):
    """What an open client that nobody uses still holds."""
    stats = client.stats()
    return {
        "lookups": stats.in_progress,
        "slots": stats.slots_in_use,
        "connections": taken_on(client._session.transport),
    }


if __name__ == "__main__":
    asked = options_of(__doc__, cancels=10_000, seed=1, lane="aiohttp")
    answer(asyncio.run(main()))
