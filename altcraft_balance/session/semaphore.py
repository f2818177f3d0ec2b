"""The bounded semaphore: how many requests are on the way, and how many may be.

It counts and does not wait: who waits, and for what else besides a slot, is `admission`'s affair.
A running batch leaves some slots free while single calls keep coming, so that a call does not
stand behind a page of slow batch requests; without calls the batch has them all.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["Semaphore"]

#: So long after a single call the batch leaves its reserve alone.
_RESERVED_FOR_S: Final = 10.0
_RESERVED_SHARE: Final = 8


class Semaphore:
    """At most `width` slots in use.

    Args:
        most: the user's limit; `width` never exceeds it.

    Attributes:
        most: as given.
        width: slots that may be in use now; those in use beyond it are not taken away.
        in_use: slots in use.
        reserved_until: until this moment a batch leaves some for single calls.
    """

    __slots__ = ("in_use", "most", "reserved_until", "width")

    def __init__(self, most: int) -> None:
        self.most = self.width = most
        self.in_use = 0
        self.reserved_until = -math.inf

    def reserved(self, now: float) -> int:
        """Slots that a batch may not take now."""
        if now >= self.reserved_until:
            return 0
        return min(max(1, self.width // _RESERVED_SHARE), self.width - 1)

    def reserved_for_s(self, now: float) -> float:
        """Seconds until a slot that is only reserved is a batch's as well; 0.0: there is none."""
        return self.reserved_until - now if self.in_use < self.width and self.reserved(now) else 0.0

    def has_room(self, now: float, *, for_call: bool) -> bool:
        """Whether one more may be taken, by a single call or by a batch."""
        free = self.width - self.in_use
        if for_call or now >= self.reserved_until:
            return free > 0
        return free > self.reserved(now)

    def take(self, now: float, *, for_call: bool) -> None:
        """Take a slot, for which there is room."""
        self.in_use += 1
        if for_call:
            self.reserved_until = now + _RESERVED_FOR_S

    def release(self) -> None:
        """Give a slot back."""
        if not self.in_use:
            raise RuntimeError("a slot was given back that nobody had")
        self.in_use -= 1
