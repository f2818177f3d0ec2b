"""Sends many lookups through two slots, and prints how they ended as JSON; the clock is virtual."""

import asyncio
from collections import Counter

from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.models import Found
from altcraft_balance.sandbox import Sandbox
from altcraft_balance.settings import Limits, RetryPolicy, Timeouts
from altcraft_balance.telemetry.events import AttemptEnded
from tests.promises import virtual
from tests.promises.child import answer, options_of

SLOTS, LATENCY_S, ATTEMPT_S = 2, 0.3, 1.0


async def as_batch(client):
    """The kinds of how the items of one batch ended."""
    members = (virtual.member(number) for number in range(asked.lookups))
    ends = Counter()
    async with client.stream_balances(members) as outcomes:
        async for outcome in outcomes:
            ends["found" if isinstance(outcome, Found) else outcome.error.kind] += 1
    return ends


async def as_calls(client):
    """The kinds of how single calls ended that were all begun at once."""

    async def kind(number):
        try:
            await client.get_balance(virtual.member(number), deadline_s=None)
        except AltcraftBalanceError as error:
            return error.kind
        return "found"

    return Counter(await asyncio.gather(*map(kind, range(asked.lookups))))


async def main():
    attempts = Counter()

    def listen(event):
        if isinstance(event, AttemptEnded):
            attempts[event.kind or "found"] += 1

    began = virtual.now()
    async with virtual.opened(
        sandbox=Sandbox(latency_s=LATENCY_S),
        lane=asked.lane,
        limits=Limits(concurrency=SLOTS),
        timeouts=Timeouts(attempt_s=ATTEMPT_S),
        retry=RetryPolicy(max_attempts=1),
        on_event=listen,
    ) as (_, client, _):
        ends = await (as_calls if asked.how == "calls" else as_batch)(client)
    ideal_s = asked.lookups * LATENCY_S / SLOTS
    return {"ends": ends, "attempts": attempts, "pace": (virtual.now() - began) / ideal_s}


if __name__ == "__main__":
    asked = options_of(__doc__, lookups=1000, how="batch", lane="aiohttp")
    answer(virtual.run(main))
