"""A client that asks one hostile server, and what came of it."""

import tracemalloc
from contextlib import asynccontextmanager

from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.models import ByEmail
from altcraft_balance.settings import RetryPolicy
from tests.cpu import cpu_noted
from tests.lanes import client_over

TOKEN = "canary-token-5f1e"
MEMBER = ByEmail("member@example.com")
#: Six attempts, as by default, which wait for next to nothing.
PATIENT = RetryPolicy(base_s=0.001, cap_s=0.002)
ONCE = RetryPolicy(max_attempts=1)


@asynccontextmanager
async def client_of(lane, url, **settings):
    """An open client over that transport."""
    settings = {"token": TOKEN, "loyalty_program_id": 123, "retry": ONCE, **settings}
    async with client_over(lane, url, **settings) as client:
        yield client


async def outcome_of(client, query=MEMBER):
    """The balance, or the error; one that is not ours is a fault of the library."""
    try:
        return await client.get_balance(query)
    except AltcraftBalanceError as error:
        return error


async def cost_of(ask):
    """The memory that `await ask()` takes more, in bytes, and the CPU of this thread, in seconds.

    What is made at first use is not counted, and of three the best is taken: other work on the
    machine only adds.
    """
    await ask()
    peaks, seconds = [], []
    for _ in range(3):
        with cpu_noted(seconds):
            await ask()
    for _ in range(3):
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            await ask()
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
        finally:
            tracemalloc.stop()
    return min(peaks), min(seconds)
