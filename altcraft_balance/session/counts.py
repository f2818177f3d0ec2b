"""The counters of one client, while it runs."""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

from altcraft_balance.session.peaks import Peaks
from altcraft_balance.telemetry.progress import Histogram

__all__ = ["Counts"]

#: The weight of the latest answer: a server that has become slower is known after a few.
_LATEST: Final = 0.25


class Counts:
    """The counters of one client."""

    def __init__(self) -> None:
        self.lookups = self.found = self.requests = self.throttled = self.free_repeats = 0
        self.in_progress = self.cancelled = self.joined = 0
        self.connections_opened = self.connections_dropped = 0
        self.failed: Counter[str] = Counter()
        self.failures_in_a_row = 0
        self.last_failure: str | None = None
        self.peaks = Peaks()
        self.latency, self.fastest_s, self.recent_s = Histogram(), math.inf, 0.0

    def answered(self, latency_s: float) -> None:
        """A healthy server answered, so many seconds after the request was sent."""
        self.latency.add(latency_s)
        self.recent_s += (latency_s - self.recent_s) * _LATEST
        if latency_s < self.fastest_s:
            self.fastest_s = latency_s
        self.failures_in_a_row, self.last_failure = 0, None

    def troubled(self, kind: str) -> None:
        """An attempt failed, or was refused for now."""
        self.failures_in_a_row += 1
        self.last_failure = kind
