"""Streams members past faults over real sockets, and tells how long the loop's turns took.

Run as a program, since coverage and development mode make it ten times slower. A turn is measured
in its thread's CPU time, so that a busy machine does not decide; what waits without using any is
found by the watch over blocking calls.
"""

import asyncio
import gc
import time
from collections import Counter

from altcraft_balance.models import ByEmail, Found
from altcraft_balance.settings import RetryPolicy, Timeouts
from tests.lanes import client_over
from tests.promises.beside import sandbox_beside
from tests.promises.child import answer, options_of
from tests.watches.blocking import Blocked, watched


class Turns:
    """Stands in the place of a loop's selector, and reads the clock around each look for news.

    Attributes:
        took_s: the CPU time of each turn.
    """

    def __init__(self, loop):
        self._selector, self.took_s = loop._selector, []
        loop._selector, self._began_s = self, time.thread_time()

    def __getattr__(self, name):
        return getattr(self._selector, name)

    def select(self, timeout=None):
        self.took_s.append(time.thread_time() - self._began_s)
        found = self._selector.select(timeout)
        self._began_s = time.thread_time()
        return found


def lag_s(took_s, share):
    """How long who becomes ready while the loop works waits for the turn's end, at most.

    In such a share of all moments: a long turn has more of them than a short one.
    """
    beyond = sum(took_s) * (1 - share)  # the sum of what of each turn is over the answer
    turns = sorted(took_s, reverse=True)
    for count, (longer, shorter) in enumerate(zip(turns, [*turns[1:], 0.0], strict=True), start=1):
        step = (longer - shorter) * count
        if step >= beyond:
            return longer - beyond / count
        beyond -= step
    return 0.0


async def stream(url):
    """How many members had a balance, and how many an error."""
    tally = Counter()
    client = client_over(
        asked.lane,
        url,
        token="sandbox-token",
        loyalty_program_id=123,
        format=asked.format,
        retry=RetryPolicy(max_attempts=8, base_s=0.01, cap_s=0.1),
        timeouts=Timeouts(attempt_s=0.5),
    )
    members = (f"member-{number}@example.com" for number in range(asked.members))
    async with client, client.stream_balances(members, by=ByEmail) as outcomes:
        async for outcome in outcomes:
            tally["found" if isinstance(outcome, Found) else outcome.error.kind] += 1
            if asked.hold_ms:
                hold(asked.hold_ms / 1000)
    return dict(tally)


def hold(seconds):
    """Keep the loop busy, for a test of the measure itself."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


async def main():
    async with sandbox_beside() as url:
        gc.freeze()  # how long the collector takes for all that was imported is not our matter
        turns = Turns(asyncio.get_running_loop())
        with watched():
            tally = await stream(url)
    return {
        "tally": tally,
        "blocked": Blocked.seen,
        "turns": len(turns.took_s),
        "p999_ms": lag_s(turns.took_s, 0.999) * 1000,
        "worst_ms": max(turns.took_s) * 1000,
    }


if __name__ == "__main__":
    asked = options_of(__doc__, members=2000, lane="aiohttp", format="json", hold_ms=0)
    answer(asyncio.run(main()))
