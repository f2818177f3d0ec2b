"""One timer for all attempts in flight, in the place of a timer for each.

`asyncio.timeout` makes and cancels a timer for each use, which costs 6.6 µs. Attempts nearly
always end before their limit, and their limits are nearly always equal; so one timer, set to
the earliest limit of those in flight, fires about once per limit and otherwise costs nothing.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

__all__ = ["Limit", "Sweep"]


class Limit:
    """A context manager that cancels its task at `when` and then raises `TimeoutError`.

    A cancel from elsewhere goes through, also one that comes in the same moment, by the rules
    of `asyncio.timeout`: only a cancel that this limit asked for is turned into its error.
    """

    __slots__ = ("_cancelling", "_sweep", "_task", "expired", "when")

    def __init__(self, sweep: Sweep, when: float) -> None:
        self._sweep = sweep
        self.when = when
        self.expired = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a Limit is used inside a task")
        self._task, self._cancelling = task, task.cancelling()
        self._sweep.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._sweep.discard(self)
        if not self.expired:
            return
        ours = self._task.uncancel() <= self._cancelling
        if ours and kind is asyncio.CancelledError:
            raise TimeoutError

    def expire(self) -> None:
        """Cancel the task: its time is up."""
        self.expired = True
        self._task.cancel()


class Sweep:
    """The limits of all that is in flight on one loop, and the timer for the earliest."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._limits: set[Limit] = set()
        self._timer: asyncio.TimerHandle | None = None

    def within(self, seconds: float) -> Limit:
        """A limit that many seconds from now."""
        return Limit(self, self._loop.time() + seconds)

    def add(self, limit: Limit) -> None:
        """Watch `limit`."""
        self._limits.add(limit)
        if self._timer is None or limit.when < self._timer.when():
            self._set_timer(limit.when)

    def discard(self, limit: Limit) -> None:
        """Watch `limit` no longer; the timer stays, since the next attempt will want one."""
        self._limits.discard(limit)

    def close(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self, when: float) -> None:
        self.close()
        self._timer = self._loop.call_at(when, self._fire)

    def _fire(self) -> None:
        self._timer = None
        now = self._loop.time()
        due = [limit for limit in self._limits if limit.when <= now]
        for limit in due:
            self._limits.discard(limit)
            limit.expire()
        if self._limits:
            self._set_timer(min(limit.when for limit in self._limits))
