"""What the shared policies cost on a healthy server: CPU per lookup, over the plain path.

The plain path is the same client with a bare count of slots in the place of the admission, and
nobody is told how an attempt ended. The transport answers from memory, so that
what is measured is ours. Rounds of both are interleaved; the figures are medians of thread CPU
time, with the quartiles of the difference.

    python benchmarks/overhead.py [--lookups 10000] [--rounds 15]
"""

import argparse
import asyncio
import json
import statistics
import time

from altcraft_balance.client import BalanceClient
from altcraft_balance.models import ByEmail
from altcraft_balance.session import lookup
from altcraft_balance.session.passes import Pass
from altcraft_balance.transport.port import RawReply

BODY = json.dumps(
    {"error": 0, "error_text": "", "data": {"total_balance": "991.70", "active_balance": "694.10"}}
).encode()


class Memory:
    """A transport that answers in the next turn of the loop."""

    async def open(self, *, warm=0):
        """Nothing to open."""

    async def aclose(self):
        """Nothing to close."""

    async def send(self, body, headers, *, limit_s, fresh=False):
        """The same balance for everybody."""
        await asyncio.sleep(0)
        return RawReply(200, {}, BODY)


PASS = Pass(call=False)
FINISH = lookup.finish


class Bare:
    """A count of slots, in the place of `session.admission.Admission`; nobody ever waits here."""

    def __init__(self, slots):
        self.slots = slots

    def open(self, loop, clock):
        """Nothing to open."""

    def enter_at_once(self, rank, now):
        self.slots.in_use += 1
        return PASS

    def close(self):
        """Nothing to close."""


def release(session, passed, result, sent_at, taken, paid):
    """In the place of `session.finish.finish`: the slot is free, and nothing is learnt."""
    session.traffic.slots.release()


def client(bare):
    made = BalanceClient(
        "http://127.0.0.1:1", token="token", loyalty_program_id=123, transport=Memory()
    )
    lookup.finish = release if bare else FINISH
    if bare:
        made._session.admission = Bare(made._session.traffic.slots)
    return made


async def stream(asked, members):
    async with asked.stream_balances(members) as outcomes:
        async for _ in outcomes:
            pass


async def calls(asked, members):
    for member in members:
        await asked.get_balance(member)


async def cpu_us(work, members, bare):
    """Microseconds of CPU per lookup."""
    async with client(bare) as asked:
        began = time.thread_time()
        await work(asked, members)
        return (time.thread_time() - began) / len(members) * 1e6


async def measure(work, lookups, rounds):
    members = [ByEmail(f"member{number}@example.com") for number in range(lookups)]
    plain, ours = [], []
    for number in range(rounds + 1):
        for kind in (plain, ours) if number % 2 else (ours, plain):
            kind.append(await cpu_us(work, members, kind is plain))
    return plain[1:], ours[1:]  # the first round warms up


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lookups", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    table = {}
    for name, work in (("a stream, 64 slots", stream), ("single calls", calls)):
        plain, ours = asyncio.run(measure(work, asked.lookups, asked.rounds))
        more = [b - a for a, b in zip(plain, ours, strict=True)]
        low, middle, high = statistics.quantiles(more, n=4)
        table[name] = {
            "plain_us": statistics.median(plain),
            "ours_us": statistics.median(ours),
            "least_us": [min(plain), min(ours)],
            "more_us": middle,
            "quartiles_us": [low, high],
        }
    if asked.json:
        print(json.dumps(table))
        return
    print(f"{'CPU per lookup':<20} {'plain':>9} {'ours':>9} {'more':>9}   quartiles of that")
    for name, row in table.items():
        low, high = row["quartiles_us"]
        print(
            f"{name:<20} {row['plain_us']:>6.1f} µs {row['ours_us']:>6.1f} µs "
            f"{row['more_us']:>6.1f} µs   {low:.1f} to {high:.1f} µs"
        )


if __name__ == "__main__":
    main()
