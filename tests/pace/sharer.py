"""Takes permits of a shared rate as fast as they come, and prints when each was used, as JSON.

Run as `python -m tests.pace.sharer --url=...`, several at once. It says ``ready``, begins at the
first line of its input, and stamps with the machine's monotonic clock, which is the same for all
processes on Linux.
"""

import argparse
import asyncio
import json
import sys
import time

from altcraft_balance.pace.store import Store, StoreAway, open_store
from altcraft_balance.shared_rate import SharedRate


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--name", default="sharers")
    parser.add_argument("--per-s", type=float, default=200)
    parser.add_argument("--burst", type=float)
    parser.add_argument("--seconds", type=float, default=5)
    return parser.parse_args()


async def use_permits(store: Store, seconds: float) -> tuple[list[float], int]:
    """When each permit was used, and how many takes that cost."""
    used: list[float] = []
    takes, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        takes += 1
        taken = await store.take(64)
        used += [time.monotonic() for _ in range(taken.granted)]
        if not taken.granted:
            await asyncio.sleep(taken.retry_after_s)
    return used, takes


async def run(asked: argparse.Namespace) -> dict[str, object]:
    rate = SharedRate.from_url(asked.url, asked.per_s, name=asked.name)
    store = open_store(rate, asked.burst)
    try:
        await store.take(1)  # connects, so that all begin at once
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        used, takes = await use_permits(store, asked.seconds)
    except StoreAway as away:
        return {"away": away.reason}
    finally:
        await store.aclose()
    return {"used": used, "takes": takes}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(arguments()))))
