"""One timer for all attempts in flight, in the place of a timer for each.

`asyncio.timeout` makes and cancels a timer for each use, which costs 6.6 µs. Attempts nearly
always end before their limit, and their limits are nearly always equal; so one timer, set to
the earliest limit of those in flight, fires about once per limit and otherwise costs nothing.
"""

from __future__ import annotations

import asyncio
import math
from typing import Protocol

from altcraft_balance.transport.scope import Scope

__all__ = ["Limit", "Limited", "Sweep"]


class Limited(Protocol):
    """Whatever has to end at `when`, a moment of the loop's clock."""

    when: float

    def cancel(self) -> None:
        """End it."""


class Limit(Scope):
    """A context manager that ends what is inside with `TimeoutError` at `when`."""

    __slots__ = ("when",)

    def __init__(self, sweep: Sweep, when: float) -> None:
        super().__init__(TimeoutError, sweep)
        self.when = when


class Sweep:
    """The limits of all that is in flight on one loop, and the timer for the earliest.

    Attributes:
        due: when the timer fires; infinite when there is none.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._limits: dict[Limited, None] = {}  # a set's order would differ from run to run
        self._timer: asyncio.TimerHandle | None = None
        self.due = math.inf  # ours to keep: uvloop's handles do not always know it

    def within(self, seconds: float) -> Limit:
        """A limit that many seconds from now."""
        return Limit(self, self._loop.time() + seconds)

    def until(self, when: float | None) -> Limit:
        """A limit at that moment of the loop's clock; None: there is none."""
        return Limit(self, math.inf if when is None else when)

    def add(self, limit: Limited) -> None:
        """Watch `limit`; once more when its moment has moved to an earlier one."""
        if limit.when == math.inf:
            return
        self._limits[limit] = None
        if limit.when < self.due:
            self._set_timer(limit.when)

    def discard(self, limit: Limited) -> None:
        """Watch `limit` no longer; the timer stays, since the next attempt will want one."""
        self._limits.pop(limit, None)

    def close(self) -> None:
        """Cancel the timer and end all that is in flight."""
        self._stop_timer()
        for limit in list(self._limits):
            limit.cancel()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.due = math.inf

    def _set_timer(self, when: float) -> None:
        self._stop_timer()
        self.due = when
        self._timer = self._loop.call_at(when, self._fire, when)

    def _fire(self, when: float) -> None:
        self._timer, self.due = None, math.inf
        now = max(when, self._loop.time())  # loops fire early, by up to their clock's resolution
        for limit in [limit for limit in self._limits if limit.when <= now]:
            self._limits.pop(limit, None)
            limit.cancel()
        if self._limits:
            self._set_timer(min(limit.when for limit in self._limits))
