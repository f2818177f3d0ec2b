"""Looks members up with a real client that shares its rate, and prints when each request left.

Run as a program, several at once. It says ``ready``, begins at the first line of its input, and
stamps with the machine's monotonic clock, which is the same for all processes on Linux.
"""

import argparse
import asyncio
import itertools
import json
import logging
import sys
import time

from altcraft_balance.client import BalanceClient
from altcraft_balance.models import ByEmail
from altcraft_balance.settings import Limits
from altcraft_balance.shared_rate import SharedRate
from altcraft_balance.telemetry.events import RateStoreChanged
from altcraft_balance.transport.port import RawReply

BODY = b'{"error": 0, "error_text": "", "data": {"total_balance": "1", "active_balance": "1"}}'


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--name", default="clients")
    parser.add_argument("--per-s", type=float, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=6)
    return parser.parse_args()


class Stamping:
    """A transport that answers after 20 ms and remembers when it was asked to send."""

    def __init__(self) -> None:
        self.sent: list[float] = []

    async def open(self, *, warm: int = 0) -> None:
        """Nothing to open."""

    async def aclose(self) -> None:
        """Nothing to close."""

    async def send(self, body: bytes, headers: object, *, limit_s: float, fresh: bool = False):
        self.sent.append(time.monotonic())
        await asyncio.sleep(0.02)
        return RawReply(200, {}, BODY)


class Said(logging.Handler):
    """What the package logs."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


async def run(asked: argparse.Namespace) -> dict[str, object]:
    transport, said, changes = Stamping(), Said(), []
    logging.getLogger().addHandler(said)
    rate = SharedRate.from_url(asked.url, asked.per_s, name=asked.name, workers=asked.workers)
    client = BalanceClient(
        "http://127.0.0.1:1",
        token="sandbox-token",
        loyalty_program_id=123,
        transport=transport,
        limits=Limits(rate_per_s=rate),
        on_event=lambda event: (
            changes.append(event.away) if isinstance(event, RateStoreChanged) else None
        ),
    )
    members = (ByEmail(f"member{number}@example.com") for number in itertools.count())
    failed = 0
    async with client:
        await client.get_balance(next(members))  # connects, so that all begin at once
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        transport.sent.clear()
        end = time.monotonic() + asked.seconds
        async with client.stream_balances(members) as outcomes:
            async for outcome in outcomes:
                failed += outcome.attempts != 1
                if time.monotonic() > end:
                    break
    return {"used": transport.sent, "failed": failed, "said": said.lines, "away": changes}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(arguments()))))
