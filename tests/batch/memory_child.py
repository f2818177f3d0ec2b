"""Run by a test: streams members through a fake transport and prints how memory grew, in KiB.

Arguments: how many members after the first 10,000, and ``rss`` or ``tracemalloc``.
"""

import asyncio
import gc
import os
import sys
import tracemalloc
from pathlib import Path

from altcraft_balance.client import BalanceClient
from altcraft_balance.models import ByEmail
from altcraft_balance.settings import Limits
from altcraft_balance.transport.port import RawReply

WARM_UP = 10_000  # by then all workers have started
REPLY = RawReply(
    200, {}, b'{"error":0,"data":{"total_balance":"1000.00","active_balance":"800.50"}}'
)


class Echo:
    """Answers everything, a turn of the loop later."""

    async def open(self, *, warm=0):
        pass

    async def aclose(self):
        pass

    async def send(self, body, headers, *, limit_s, fresh=False):
        await asyncio.sleep(0)
        return REPLY


def rss_kib():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def traced_kib():
    return tracemalloc.get_traced_memory()[0] // 1024


async def main(count, measure, ordered):
    client = BalanceClient(
        "https://altcraft.example",
        token="token",
        loyalty_program_id=1,
        transport=Echo(),
        limits=Limits(concurrency=64),
    )
    members = (ByEmail(f"member-{number}@example.com") for number in range(WARM_UP + count))
    before = most = seen = 0
    async with client, client.stream_balances(members, ordered=ordered) as outcomes:
        async for outcome in outcomes:
            assert outcome.attempts == 1
            seen += 1
            if seen % 100 == 0:
                if seen == WARM_UP:
                    gc.collect()
                # The most of the first ones, too: at one moment alone few may happen to wait.
                if seen <= WARM_UP:
                    before = max(before, measure())
                else:
                    most = max(most, measure())
    gc.collect()
    sys.stdout.write(f"{max(most, measure()) - before} {client.stats().found}\n")


if __name__ == "__main__":
    how = sys.argv[2]
    if how == "tracemalloc":
        tracemalloc.start()
    measured = traced_kib if how == "tracemalloc" else rss_kib
    asyncio.run(main(int(sys.argv[1]), measured, sys.argv[3] == "ordered"))
