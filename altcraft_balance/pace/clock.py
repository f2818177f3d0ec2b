"""The server's clock, as far as this process knows it.

Hosts' clocks differ by more than a permit is worth, so only the server's counts. Asking it before
each take would double the round trips, so the answer is carried on by this process's monotonic
clock for a second. What is carried on is behind the server's clock by the way of the answer, and
never ahead of it: a bucket told an earlier time grants later, not more.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["ServerClock"]

_GOOD_FOR_S: Final = 1.0


class ServerClock:
    """Carries on what the server's clock said; `now` is this process's monotonic clock."""

    __slots__ = ("_asked_at", "_offset_ms")

    def __init__(self) -> None:
        self._asked_at = -math.inf
        self._offset_ms = 0.0

    def is_stale(self, now: float) -> bool:
        """Whether the server must be asked again."""
        return now - self._asked_at > _GOOD_FOR_S

    def set(self, server_ms: float, now: float) -> None:
        """The server said `server_ms`, milliseconds since 1970; its answer was read at `now`."""
        self._offset_ms = server_ms - now * 1000
        self._asked_at = now

    def forget(self) -> None:
        """Ask again next time: another server may be answering."""
        self._asked_at = -math.inf

    def now_ms(self, now: float) -> int:
        """The server's time in whole milliseconds since 1970."""
        return math.floor(self._offset_ms + now * 1000)
