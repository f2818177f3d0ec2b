"""Permits kept in PostgreSQL, for an event loop: one thread waits, so that the loop does not."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
from psycopg.conninfo import conninfo_to_dict

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.pace.ledger import Ledger
from altcraft_balance.pace.store import LONGEST_TAKE_S, StoreAway, Taken
from altcraft_balance.secret import HiddenStr

__all__ = ["PostgresStore"]


class PostgresStore:
    """A `Store` in a table ``ratelimit___<name>`` of PostgreSQL, made at the first take.

    Raises:
        ConfigurationError: `url` has options that psycopg refuses.
    """

    def __init__(self, url: HiddenStr, name: str, per_s: float, burst: float | None) -> None:
        _check(url)
        self._ledger = Ledger(url, name.lower(), per_s, burst)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="altcraft-balance-rate")

    async def take(self, most: int) -> Taken:
        """Up to `most` permits; as `Store.take`."""
        loop, last = asyncio.get_running_loop(), time.monotonic() + LONGEST_TAKE_S
        try:
            async with asyncio.timeout(LONGEST_TAKE_S):
                return await loop.run_in_executor(self._thread, self._ledger.take, most, last)
        except TimeoutError:
            self._ledger.link.cut()
        raise StoreAway(f"no answer within {LONGEST_TAKE_S:g} s")

    async def aclose(self) -> None:
        """Close the connection and end the thread."""
        if self._ledger.link.closed:
            return
        loop, self._ledger.link.closed = asyncio.get_running_loop(), True
        try:
            async with asyncio.timeout(LONGEST_TAKE_S):
                await loop.run_in_executor(self._thread, self._ledger.link.drop)
        except TimeoutError:
            self._ledger.link.cut()
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)


def _check(url: HiddenStr) -> None:
    try:
        conninfo_to_dict(url)
        return
    except psycopg.Error:
        pass
    raise ConfigurationError("url is not one that PostgreSQL takes: see its host and options")
