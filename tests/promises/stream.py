"""Streams members past a sandbox in a process of its own, and prints what came of it as JSON.

Run as a program, since coverage and development mode make it ten times slower.
"""

import argparse
import asyncio
import json
from collections import Counter

from altcraft_balance.client import BalanceClient
from altcraft_balance.models import ByEmail, Found
from altcraft_balance.sandbox import Sandbox
from altcraft_balance.settings import Limits, RetryPolicy
from altcraft_balance.telemetry.events import ConnectionChanged


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, required=True)
    parser.add_argument("--faults", default="")
    parser.add_argument("--format", default="json")
    parser.add_argument("--max-attempts", type=int, default=6)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


async def run(asked: argparse.Namespace) -> dict[str, object]:
    seen: Counter[int] = Counter()
    tally: Counter[str] = Counter()
    news: Counter[str] = Counter()
    requests = 0

    def listen(event: object) -> None:
        if isinstance(event, ConnectionChanged):
            news[event.what] += 1

    async with Sandbox(faults=asked.faults or None, seed=asked.seed, retry_after_s=0) as sandbox:
        client = BalanceClient(
            sandbox.url,
            token="sandbox-token",
            loyalty_program_id=123,
            format=asked.format,
            limits=Limits(concurrency=asked.concurrency),
            retry=RetryPolicy(max_attempts=asked.max_attempts, base_s=0.01, cap_s=0.1),
            on_event=listen,
        )
        members = (f"member-{i}@example.com" for i in range(asked.members))
        async with client, client.stream_balances(members, by=ByEmail) as outcomes:
            async for outcome in outcomes:
                seen[outcome.index] += 1
                requests += outcome.requests
                if not isinstance(outcome, Found):
                    tally[outcome.error.kind] += 1
                    continue
                right = sandbox.balance_of(outcome.query, loyalty_program_id=123)
                same = (
                    right.total_balance == outcome.balance.total_balance
                    and right.active_balance == outcome.balance.active_balance
                )
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
            "server": dict(sandbox.counts),
        }


print(json.dumps(asyncio.run(run(arguments()))))
