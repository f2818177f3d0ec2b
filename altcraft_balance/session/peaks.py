"""The most requests in any one second and in any one minute: what an account's limits speak of."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Final

__all__ = ["Peaks"]

_BINS_PER_S: Final = 10
_BINS_PER_MIN: Final = 600


class Peaks:
    """Counts requests in tenths of a second, and looks at ten and at six hundred of them."""

    def __init__(self) -> None:
        self._bin = self._in_bin = 0
        self._full: deque[int] = deque(maxlen=_BINS_PER_MIN)
        self._in_minute = 0
        self._most_per_s = self._most_per_min = 0

    def sent(self, now: float) -> None:
        """A request leaves, at `now` on a monotonic clock."""
        bin_now = int(now * _BINS_PER_S)
        if bin_now != self._bin:
            self._turn_to(bin_now)
        self._in_bin += 1

    @property
    def most_per_s(self) -> int:
        """The most in any one second."""
        self._look()
        return self._most_per_s

    @property
    def most_per_min(self) -> int:
        """The most in any one minute."""
        self._look()
        return self._most_per_min

    def _turn_to(self, bin_now: int) -> None:
        self._look()
        passed = min(bin_now - self._bin, _BINS_PER_MIN)
        for count in (self._in_bin, *(0,) * (passed - 1)):
            if len(self._full) == _BINS_PER_MIN:
                self._in_minute -= self._full[0]
            self._full.append(count)
            self._in_minute += count
        self._bin, self._in_bin = bin_now, 0

    def _look(self) -> None:
        full, current = self._full, self._in_bin
        in_second = current + sum(islice(reversed(full), _BINS_PER_S - 1))
        oldest = full[0] if len(full) == _BINS_PER_MIN else 0
        self._most_per_s = max(self._most_per_s, in_second)
        self._most_per_min = max(self._most_per_min, self._in_minute - oldest + current)
