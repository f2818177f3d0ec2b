"""GCRA: how long the next request waits for a rate to be kept.

The generic cell rate algorithm (ITU-T I.371, Annex A, virtual scheduling). One number is kept, the
theoretical arrival time: when the next request is due. Each request moves it on by `1 / rate`. A
request may come early by the tolerance, `(burst - 1) / rate`, so that `burst` of them may follow
each other at once after a rest, and never more than `burst + rate * t` pass within `t` seconds.

Without a `burst` nothing comes early, but a timer that is up to 10 ms late loses nothing: the next
request is due as if it had been punctual. The bound is that of a burst of `1 + rate / 100`, yet
after a rest only one request goes at once; a strict server would refuse a second.

When the rate changes, what is owed stays the same number of requests, and is paid at the new rate.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["Gcra"]

_LATE_TIMERS_S: Final = 0.01
_LONGEST_S: Final = 1e12  # between two; an endless one, times nothing, would be no number
_CLOCK_STEP_S: Final = 1e-6  # a shorter wait is none: a clock may be unable to show it


class Gcra:
    """Lets requests through at a rate, which may change while running.

    Args:
        rate_per_s: requests per second, more than 0; `math.inf` for no limit.
        burst: how many may follow each other at once, at least 1. None: one, and as many as
            make up for timers that were 10 ms late, whatever the rate becomes.

    Raises:
        ValueError: `rate_per_s` is not above 0, or `burst` is below 1.
    """

    __slots__ = ("_burst", "_due_at", "_early_s", "_interval_s", "_late_s", "_rate_per_s", "_scale")

    def __init__(self, rate_per_s: float, burst: float | None = None) -> None:
        if burst is not None and not burst >= 1:
            raise ValueError(f"burst must be at least 1, not {burst!r}")
        self._burst = 1.0 if burst is None else burst
        self._late_s = _LATE_TIMERS_S if burst is None else 0.0
        self._due_at = -math.inf
        self._scale = 1.0  # of what is owed, by the changes of rate since it was last looked at
        self._set(rate_per_s)

    @property
    def rate_per_s(self) -> float:
        """Requests per second; may be set at any time.

        Raises:
            ValueError: set to what is not above 0.
        """
        return self._rate_per_s

    @rate_per_s.setter
    def rate_per_s(self, rate_per_s: float) -> None:
        if rate_per_s == self._rate_per_s:
            return
        before_s = self._interval_s
        self._set(rate_per_s)
        # Nothing is owed for what went without a limit.
        self._scale = self._scale * self._interval_s / before_s if before_s else 0.0

    def wait_s(self, now: float, ahead: int = 0) -> float:
        """Seconds until one more may be sent if `ahead` others go first; 0.0 when it may now."""
        wait_s = self._due_s(now) + ahead * self._interval_s - self._early_s
        return wait_s if wait_s > _CLOCK_STEP_S else 0.0

    def spend(self, now: float) -> None:
        """One is sent, whether or not it should have waited."""
        self._due_at = now + self._due_s(now) + self._interval_s

    def _due_s(self, now: float) -> float:
        """Seconds until the next one is due; below 0 when a late timer is being made up for."""
        due_s = self._due_at - now
        if due_s < -self._late_s:
            due_s = 0.0
        if self._scale != 1.0:
            due_s *= self._scale
            self._scale = 1.0
            self._due_at = now + due_s
        return due_s

    def _set(self, rate_per_s: float) -> None:
        if not rate_per_s > 0:
            raise ValueError(f"rate_per_s must be above 0, not {rate_per_s!r}")
        self._rate_per_s = rate_per_s
        self._interval_s = min(1.0 / rate_per_s, _LONGEST_S)
        self._early_s = (self._burst - 1.0) * self._interval_s
