"""A loop's thread, from without: whoever waits for it hears of its end."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from altcraft_balance.blocking.loop_thread import LoopThread
from altcraft_balance.errors import ClientClosed


async def never(begun):
    begun.set()
    await asyncio.Event().wait()


def test_who_still_waits_when_it_ends_is_told():
    """Its error is the client's own, and no word of the standard library's."""
    thread, begun = LoopThread(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(thread.call, never(begun))
        assert begun.wait(10)
        thread.end()
        with pytest.raises(ClientClosed, match="make a new BalanceClient"):
            waits.result(10)


def test_after_its_end_nothing_begins():
    """Neither is a coroutine left that nobody awaits."""
    thread = LoopThread()
    thread.end()
    with pytest.raises(ClientClosed):
        thread.call(asyncio.sleep(0))
