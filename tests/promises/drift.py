"""Streams members past faults over real sockets, and says how the memory went, in KiB.

Run as a program, since a process has one peak only. Of each tenth of the run it is the most that
counts, since at one moment alone few may happen to wait.
"""

import asyncio
import gc
import os
import sys
import tracemalloc
from pathlib import Path

from altcraft_balance.models import ByEmail
from altcraft_balance.settings import Limits, RetryPolicy
from tests.lanes import client_over
from tests.promises.beside import sandbox_beside
from tests.promises.child import answer, options_of

TENTHS = 10
BETWEEN_LOOKS = 200
#: The collector comes as often in a short run as in a long one: by itself it comes the more seldom
#: the more there is, and what an error's traceback holds waits for it.
BETWEEN_COLLECTIONS = 1_000
#: Where many sleep before a repeat, others work in their place: up to four workers for a slot, who
#: stay. When that comes is chance; 32 workers hold a quarter of what may drift.
SLOTS = 8


def rss_kib():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def renew_interned():
    """Have the interpreter make its table of interned strings anew, which it does once in a while.

    Of a string that goes its place in there is not used again. What a program has imported fills
    the table to half or so: made anew for the first time it counts for 0.9 MiB, later for nothing.
    """
    for number in range(50_000):
        sys.intern(f"a string that goes at once, {number}")


def traced_kib():
    return tracemalloc.get_traced_memory()[0] // 1024


async def main(url):
    client = client_over(
        asked.lane,
        url,
        token="sandbox-token",
        loyalty_program_id=123,
        limits=Limits(concurrency=SLOTS, adaptive=False),
        retry=RetryPolicy(max_attempts=3, base_s=0.001, cap_s=0.01),
    )
    members = (f"member-{number}@example.com" for number in range(asked.members))
    traced, rss, seen, failed, requests = [0] * TENTHS, [0] * TENTHS, 0, 0, 0
    async with client, client.stream_balances(members, by=ByEmail) as outcomes:
        async for outcome in outcomes:
            failed += hasattr(outcome, "error")
            requests += outcome.requests
            if seen % BETWEEN_LOOKS == 0:
                await asyncio.sleep(0.02)  # by then as much is unread as ever may be
                tenth = seen * TENTHS // asked.members
                traced[tenth] = max(traced[tenth], traced_kib())
                rss[tenth] = max(rss[tenth], rss_kib())
            seen += 1
            if seen % BETWEEN_COLLECTIONS == 0:
                gc.collect()
    return {
        "seen": seen,
        "failed": failed,
        "requests": requests,
        "traced_kib": traced,
        "rss_kib": rss,
    }


async def beside_a_server():
    async with sandbox_beside() as url:
        return await main(url)


if __name__ == "__main__":
    asked = options_of(__doc__, members=20_000, lane="aiohttp")
    tracemalloc.start()
    renew_interned()
    answer(asyncio.run(beside_a_server()))
