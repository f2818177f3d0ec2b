"""A sandbox that misbehaves, in a process of its own: what it takes is not the client's.

As a program it prints its URL, and ends with its standard input.
"""

import asyncio
import sys
from contextlib import asynccontextmanager

from altcraft_balance.sandbox import Sandbox

FAULTS = (
    "reset=0.02,status503=0.001,status500=0.02,html=0.01,empty=0.01,truncated=0.01,"
    "app_error_4xx=0.02,app_error_200=0.01,stray=0.02,idle_close=0.01,other_format=0.01"
)


@asynccontextmanager
async def sandbox_beside():
    """One that runs; its URL."""
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.promises.beside"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield (await server.stdout.readline()).decode().strip()
    finally:
        server.stdin.close()
        await server.wait()


async def main():
    async with Sandbox(faults=FAULTS, retry_after_s=0) as sandbox:
        sys.stdout.write(f"{sandbox.url}\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
