"""A timetable's rate, kept by the clock on the wall.

What is due is told by the loop's clock, and which rate holds by the other one, which may be set
right or sleep with the machine. So that clock is asked when the next entry is due, and each minute.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from datetime import datetime
from typing import Final

from altcraft_balance.policy.pace import Gcra
from altcraft_balance.timetable import RateTimetable

__all__ = ["TimedPace"]

_LOOK_EVERY_S: Final = 60.0
_SOONEST_S: Final = 0.001


class TimedPace:
    """The rate of the hour; fits `traffic.Pace`.

    Args:
        timetable: says which rate holds.
        burst: as `Gcra` has it.
        wall: gives the moment, aware.
        looked: is called after each look at that clock: another rate may hold.
    """

    def __init__(
        self,
        timetable: RateTimetable,
        burst: float | None,
        *,
        wall: Callable[[], datetime],
        looked: Callable[[], object],
    ) -> None:
        self._timetable, self._wall, self._looked = timetable, wall, looked
        self._loop = asyncio.get_running_loop()
        self._pace = Gcra(1.0, burst)
        self._rate_per_s, self._change_at = 0.0, -math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._look(self._loop.time())

    def begin(self) -> None:
        """From now on whoever waits is told when the rate changes."""
        wait_s = min(_LOOK_EVERY_S, self._change_at - self._loop.time())
        self._timer = self._loop.call_later(max(_SOONEST_S, wait_s), self._time_to_look)

    def close(self) -> None:
        """Nobody waits any more."""
        if self._timer is not None:
            self._timer.cancel()

    @property
    def rate_per_s(self) -> float:
        """The rate that holds; 0.0 in a quiet time."""
        return self._rate_per_s

    def quiet_s(self, now: float) -> float:
        """Seconds until a quiet time ends; 0.0 in any other."""
        if now >= self._change_at:  # the timer may be late
            self._look(now)
        return 0.0 if self._rate_per_s else self._change_at - now

    def wait_s(self, now: float, ahead: int = 0) -> float:
        """Seconds until one more may be sent, when `ahead` others go first."""
        return self.quiet_s(now) or self._pace.wait_s(now, ahead)

    def spend(self, now: float) -> None:
        """One is sent."""
        self._pace.spend(now)

    def _time_to_look(self) -> None:
        self._look(self._loop.time())
        self.begin()
        self._looked()

    def _look(self, now: float) -> None:
        moment = self._wall()
        self._rate_per_s = self._timetable.rate_at(moment)
        self._change_at = now + (self._timetable.next_change(moment) - moment).total_seconds()
        if self._rate_per_s:
            self._pace.rate_per_s = self._rate_per_s
