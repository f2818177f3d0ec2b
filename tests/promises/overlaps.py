"""Changes points while identical lookups overlap, and prints what their callers saw as JSON.

The real client and the real sandbox in memory, on a virtual clock. A member's points are a number
that only grows, and a reply says what it was when its request arrived.
"""

import asyncio
import json
import random
from collections import Counter

from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.sandbox import Sandbox
from altcraft_balance.settings import RetryPolicy
from tests.promises import virtual
from tests.promises.child import answer, options_of

MEMBERS_AT_ONCE, SLOTS, LATENCY_S = 50, 32, 0.02
TYPE = {"Content-Type": "application/json"}


class Life:
    """One member: points that grow, and calls that ask for them at random moments.

    Attributes:
        points: what a request is answered that arrives now.
        out: calls under way.
    """

    def __init__(self, server, client, number, tally):
        self.server, self.client, self.tally = server, client, tally
        self.member, self.rng = virtual.member(number), random.Random(f"{asked.seed} {number}")
        self.points = self.out = 0
        self.grow()

    def grow(self):
        self.points += 1
        data = {"total_balance": str(self.points), "active_balance": str(self.points)}
        body = json.dumps({"error": 0, "error_text": "", "data": data}).encode()
        self.server.answer(self.member, body=body, headers=TYPE)

    async def live(self):
        """Round after round, until enough calls have overlapped others."""
        while self.tally["overlapped"] < asked.calls:
            jobs = [self.call() for _ in range(self.rng.randint(2, 6))]
            jobs += [self.change() for _ in range(self.rng.randint(1, 4))]
            await asyncio.gather(*jobs)

    async def a_moment(self):
        await asyncio.sleep(self.rng.choice((0, LATENCY_S, self.rng.uniform(0, 4 * LATENCY_S))))

    async def change(self):
        await self.a_moment()
        if self.rng.random() < 0.1:
            self.server.answer(self.member, status=500, times=1)
        self.grow()

    async def call(self):
        """One call, which must see at least what the points were when it began."""
        await self.a_moment()
        overlaps, at_least = self.out > 0, self.points
        self.out += 1
        try:
            async with asyncio.timeout(LATENCY_S if self.rng.random() < 0.1 else None):
                balance = await self.client.get_balance(self.member)
        except TimeoutError:
            self.tally["left"] += 1
        except AltcraftBalanceError as error:
            self.tally[error.kind] += 1
        else:
            self.tally["overlapped"] += overlaps
            self.tally["old"] += balance.total_balance < at_least
            self.tally["wrong"] += balance.total_balance > self.points
        finally:
            self.out -= 1


async def main():
    tally = Counter(old=0, wrong=0)
    server = Sandbox(latency_s=LATENCY_S, jitter_s=LATENCY_S, seed=asked.seed)
    async with virtual.opened(
        sandbox=server,
        single_flight=bool(asked.single_flight),
        limits=virtual.steady(SLOTS),
        retry=RetryPolicy(max_attempts=20, base_s=LATENCY_S, cap_s=LATENCY_S),
    ) as (_, client, transport):
        lives = [Life(server, client, number, tally) for number in range(MEMBERS_AT_ONCE)]
        await asyncio.gather(*(life.live() for life in lives))
        return {**tally, "joined": client.stats().joined, "requests": len(transport.requests)}


if __name__ == "__main__":
    asked = options_of(__doc__, calls=2000, seed=1, single_flight=1)
    answer(virtual.run(main))
