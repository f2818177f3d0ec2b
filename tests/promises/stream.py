"""Streams members past a sandbox in a process of its own, and prints what came of it as JSON.

Run as a program, since coverage and development mode make it ten times slower.
"""

import asyncio
from collections import Counter

from altcraft_balance.models import ByEmail, Found
from altcraft_balance.sandbox import Sandbox
from altcraft_balance.settings import Limits, RetryPolicy, Timeouts
from altcraft_balance.telemetry.events import AttemptEnded, ConnectionChanged
from tests.lanes import client_over
from tests.promises.child import answer, is_right, options_of


async def main():
    seen, tally, news, attempts = (Counter() for _ in range(4))
    requests = 0

    def listen(event):
        if isinstance(event, ConnectionChanged):
            news[event.what] += 1
        elif isinstance(event, AttemptEnded) and event.kind is not None:
            attempts[event.kind] += 1

    server = Sandbox(
        faults=asked.faults or None, seed=asked.seed, retry_after_s=0, slow_s=2 * asked.attempt_s
    )
    async with server as sandbox:
        client = client_over(
            asked.lane,
            sandbox.url,
            token="sandbox-token",
            loyalty_program_id=123,
            format=asked.format,
            limits=Limits(concurrency=asked.concurrency),
            retry=RetryPolicy(max_attempts=asked.max_attempts, base_s=0.01, cap_s=0.1),
            timeouts=Timeouts(attempt_s=asked.attempt_s),
            on_event=listen,
        )
        members = (f"member-{i}@example.com" for i in range(asked.members))
        async with client, client.stream_balances(members, by=ByEmail) as outcomes:
            async for outcome in outcomes:
                seen[outcome.index] += 1
                if asked.rest_every and len(seen) % asked.rest_every == 0:
                    await asyncio.sleep(0.03)  # connections lie idle only while nobody reads
                requests += outcome.requests
                if not isinstance(outcome, Found):
                    tally[outcome.error.kind] += 1
                    continue
                same = is_right(sandbox, outcome.query, outcome.balance)
                tally["right" if same else "wrong"] += 1
        return {
            "lost": asked.members - len(seen),
            "doubled": sum(count - 1 for count in seen.values()),
            "right": tally.pop("right", 0),
            "wrong": tally.pop("wrong", 0),
            "failed": dict(tally),
            "requests": requests,
            "free_repeats": client.stats().free_repeats,
            "news": dict(news),
            "attempts": dict(attempts),
            "server": dict(sandbox.counts),
        }


if __name__ == "__main__":
    asked = options_of(
        __doc__,
        members=1000,
        faults="",
        format="json",
        max_attempts=6,
        attempt_s=10.0,
        concurrency=32,
        rest_every=0,
        seed=1,
        lane="aiohttp",
    )
    answer(asyncio.run(main()))
