"""One lookup by one client, and out: what `startup` times from the outside.

python -m benchmarks.side.first CLIENT BASE_URL
"""

import asyncio
import sys

from benchmarks.side.answer import Target
from benchmarks.side.clients import load
from benchmarks.side.drive import Watch


async def ask(name: str, base_url: str) -> None:
    """Open, ask, close; raises when the answer was not right."""
    client = load(name)(Target(base_url=base_url, format="json", at=1))
    await client.open()
    watch = Watch()
    await client.run(client.prepare(["member@example.com"]), watch)
    await client.close()
    if watch.checked != 1:
        raise SystemExit(watch.trouble)


if __name__ == "__main__":
    if sys.argv[1] != "nobody":
        asyncio.run(ask(*sys.argv[1:]))
