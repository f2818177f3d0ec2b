"""A single call beside a bulk stream on the same client: it goes first, so it waits for little."""

import asyncio
import json
import statistics
import subprocess
import sys
from contextlib import asynccontextmanager, suppress
from itertools import count

import pytest

from altcraft_balance.client import BalanceClient
from altcraft_balance.models import ByEmail
from altcraft_balance.settings import Limits
from tests.fast import fast_environment

LATENCY_S = 0.02
SERVER = (
    "import asyncio, sys\n"
    "from altcraft_balance import Sandbox\n"
    "async def main():\n"
    "    async with Sandbox(latency_s=float(sys.argv[1])) as sandbox:\n"
    "        print(sandbox.url, flush=True)\n"
    "        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)\n"
    "asyncio.run(main())"
)


@pytest.fixture
def server():
    """A sandbox in a process of its own: its work is not the client's."""
    command = [sys.executable, "-c", SERVER, str(LATENCY_S)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, text=True, env=fast_environment()
    ) as process:
        yield process.stdout.readline().strip()
        process.stdin.close()


@asynccontextmanager
async def streaming(client):
    """A stream over all slots, until the end."""

    async def read():
        async with client.stream_balances(map(member, count()), by=ByEmail) as outcomes:
            async for _ in outcomes:
                pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0.2)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def member(number):
    return f"m{number}@example.com"


async def p99_s(client, calls):
    """Of so many calls, one every five milliseconds."""
    took, clock = [], asyncio.get_running_loop().time

    async def one(number):
        began = clock()
        await client.get_balance(ByEmail(f"call{number}@example.com"))
        took.append(clock() - began)

    async with asyncio.TaskGroup() as group:
        for number in range(calls):
            group.create_task(one(number))
            await asyncio.sleep(0.005)
    return statistics.quantiles(took, n=100)[-1]


@pytest.mark.alone
@pytest.mark.slow
async def test_a_call_is_not_slowed_by_a_stream(server, size, record_property):
    """Its p99 at most doubles; of interleaved rounds the best counts, as other work only adds."""
    calls, rounds = size(300, 2_000, quick=100), size(3, 9, quick=1)
    ratios = []
    told = {"token": "sandbox-token", "loyalty_program_id": 123, "limits": Limits(concurrency=64)}
    async with BalanceClient(server, **told) as client:
        await p99_s(client, 50)
        for _ in range(rounds):
            alone = await p99_s(client, calls)
            async with streaming(client):
                beside = await p99_s(client, calls)
            ratios.append(beside / alone)
    record_property("ratios", json.dumps([round(ratio, 2) for ratio in ratios]))
    print("p99 beside a stream, over alone:", [round(ratio, 2) for ratio in ratios])
    assert min(ratios) <= size(2, 2, quick=3), ratios  # of one short round, with room
