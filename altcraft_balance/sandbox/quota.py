"""A rate quota: a bucket of tokens that fills with time."""

from __future__ import annotations

__all__ = ["Quota"]


class Quota:
    """How many requests are let through.

    Args:
        rate_per_s: tokens that come in each second.
        burst: tokens that the bucket holds; it starts full.
    """

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self._rate_per_s = rate_per_s
        self._burst = self._tokens = burst
        self._filled_at_s: float | None = None

    def take(self, now_s: float) -> bool:
        """Take one token at this moment of a monotonic clock; False when there is none."""
        if self._filled_at_s is not None:
            gained = (now_s - self._filled_at_s) * self._rate_per_s
            self._tokens = min(self._burst, self._tokens + gained)
        self._filled_at_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
