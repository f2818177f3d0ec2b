"""The sandbox as the benchmark's server: one for each format, until it is told to end."""

import asyncio
import json
import signal

from altcraft_balance.sandbox import Sandbox
from benchmarks.side.answer import CONTENT_TYPES, REPLIES


async def serve() -> None:
    """Print the URLs by format, as JSON, and serve."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    boxes = {syntax: Sandbox() for syntax in REPLIES}
    for syntax, box in boxes.items():
        headers = {"Content-Type": CONTENT_TYPES[syntax]}
        box.answer(None, body=REPLIES[syntax], headers=headers)
        await box.start()
    print(json.dumps({syntax: box.url for syntax, box in boxes.items()}), flush=True)
    await ended.wait()
    for box in boxes.values():
        await box.stop()


if __name__ == "__main__":
    asyncio.run(serve())
