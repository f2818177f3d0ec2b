"""The table of permits in PostgreSQL, for the one thread that waits for it.

pyrate-limiter's bucket logs each permit as a row and counts the rows of a window. Time is the
server's, asked by ourselves: the bucket's own clock goes on with this host's time, and a traceback
in the log, when the server is away.
"""

from __future__ import annotations

import random
import time
from typing import Any, Final

import psycopg
from pyrate_limiter import PostgresBucket, RateItem

from altcraft_balance.pace.connection import OneConnection
from altcraft_balance.pace.rates import window_rates
from altcraft_balance.pace.reason import reason_of
from altcraft_balance.pace.store import StoreAway, Taken, refused
from altcraft_balance.secret import HiddenStr

__all__ = ["Ledger"]

_LOCKED_S: Final = 0.005
_SWEEP_EVERY_S: Final = (0.5, 1.5)  # drawn, so that not all processes sweep at once


class Ledger:
    """Takes permits, over a connection that it makes when it needs one."""

    def __init__(self, url: HiddenStr, name: str, per_s: float, burst: float | None) -> None:
        self.link = OneConnection(url, name)
        self.rates, self.portion = window_rates(per_s, burst)
        self._url = url
        self._name = name
        self._bucket: PostgresBucket | None = None
        self._sweep_at = 0.0

    def take(self, most: int, last: float) -> Taken:
        """Up to `most` permits; nothing is begun after the moment `last`.

        Raises:
            StoreAway: no answer, or none that can be used.
        """
        reason, again = "it is busy", True
        while again and time.monotonic() < last:
            # A connection may have died since the last take, which says nothing of the server.
            again = self.link.is_open
            try:
                return self._take(min(most, self.portion))
            except (psycopg.Error, OSError) as error:
                reason = reason_of(error, self._url)
            self._forget()
        raise StoreAway(reason)

    def _take(self, wanted: int) -> Taken:
        self._sweep()
        with self.link.turn() as now_ms:
            item = RateItem(self._name, now_ms, weight=wanted)
            # No awaitable: the bucket is a synchronous one.
            decision: Any = self._ready_bucket().put_decision(item)
        if decision.allowed:
            return Taken(wanted)
        if decision.retry_after_ms is None:  # a vacuum, say, has the table locked
            return Taken(0, _LOCKED_S)
        return refused(decision.retry_after_ms / 1000, self.rates[-1].interval / 1000)

    def _ready_bucket(self) -> PostgresBucket:
        if self._bucket is None:  # making one makes the table
            pool: Any = self.link  # all that the bucket asks of a pool
            self._bucket = PostgresBucket(pool, self._name, self.rates)
        return self._bucket

    def _sweep(self) -> None:
        """Delete the rows of windows gone by, now and then: each take reads the whole table."""
        if time.monotonic() >= self._sweep_at:
            self._sweep_at = time.monotonic() + random.uniform(*_SWEEP_EVERY_S)
            with self.link.turn() as now_ms:
                self._ready_bucket().leak(now_ms)

    def _forget(self) -> None:
        self.link.drop()
        self._bucket = None
