"""The most requests in any one second and in any one minute: what an account's limits speak of."""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["Peaks"]

_BINS_PER_S: Final = 10
_BINS_PER_MIN: Final = 600


class Peaks:
    """Remembers the requests of the last second, and counts those of a minute by tenths of one."""

    def __init__(self) -> None:
        self._second: deque[float] = deque()
        self._bin = self._in_bin = 0
        self._full: deque[int] = deque(maxlen=_BINS_PER_MIN)
        self._in_minute = 0
        self.most_per_s = self._most_per_min = 0

    def sent(self, now: float) -> None:
        """A request leaves, at `now` on a monotonic clock."""
        second, bin_now = self._second, int(now * _BINS_PER_S)
        second.append(now)
        while second[0] <= now - 1:
            second.popleft()
        if len(second) > self.most_per_s:
            self.most_per_s = len(second)
        if bin_now != self._bin:
            self._turn_to(bin_now)
        self._in_bin += 1

    @property
    def most_per_min(self) -> int:
        """The most in any one minute."""
        self._look()
        return self._most_per_min

    def _turn_to(self, bin_now: int) -> None:
        self._look()
        passed = bin_now - self._bin
        if passed > _BINS_PER_MIN:  # nothing of it counts any more
            self._full.clear()
            self._in_minute = passed = 0
        for number in range(passed):
            if len(self._full) == _BINS_PER_MIN:
                self._in_minute -= self._full[0]
            self._full.append(0 if number else self._in_bin)
            self._in_minute += self._full[-1]
        self._bin, self._in_bin = bin_now, 0

    def _look(self) -> None:
        # One bin more than a minute has: too many by a tenth of a second's, and never too few.
        self._most_per_min = max(self._most_per_min, self._in_minute + self._in_bin)
