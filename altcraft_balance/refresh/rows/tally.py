"""What a run counts, from its first process to its last: it lies in the checkpoint, as JSON."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from altcraft_balance.refresh.rows import answer as answers
from altcraft_balance.refresh.rows.answer import KIND, STATUS, TEXT, Answer
from altcraft_balance.refresh.rows.balance_counts import BalanceCounts
from altcraft_balance.refresh.rows.error_counts import ErrorCounts
from altcraft_balance.refresh.rows.timeline import Counts, Timeline
from altcraft_balance.telemetry.progress import Histogram

__all__ = ["Tally"]


class Tally:
    """Counts of a run.

    Attributes:
        rows: rows of the source that have their answers.
        statuses: answers by status.
        kinds: answers by the error's kind.
        asked: answers that were looked up.
        requests: requests that were sent for them.
        starts: processes that worked on it.
        elapsed_s: seconds that they worked.
        lost_s: seconds in which something held it up, by what it was.
        most_per_s: the most requests in any one second.
        most_per_min: the most requests in any one minute.
        times: seconds from when a row was taken to its answer.
        timeline: how it went, stretch by stretch.
        balances: how the balances that were found are distributed.
        errors: what went wrong, with examples.
    """

    def __init__(self, kept: Mapping[str, Any] | None = None) -> None:
        kept = kept or {}
        self.rows: int = kept.get("rows", 0)
        self.statuses: Counter[str] = Counter(kept.get("statuses"))
        self.kinds: Counter[str] = Counter(kept.get("kinds"))
        self.asked: int = kept.get("asked", 0)
        self.requests: int = kept.get("requests", 0)
        self.starts: int = kept.get("starts", 0)
        self.elapsed_s: float = kept.get("elapsed_s", 0.0)
        self.lost_s: dict[str, float] = defaultdict(float, kept.get("lost_s", {}))
        self.most_per_s: int = kept.get("most_per_s", 0)
        self.most_per_min: int = kept.get("most_per_min", 0)
        self.times = Histogram(kept.get("times"))
        self.timeline = Timeline(kept.get("timeline"))
        self.balances = BalanceCounts(kept.get("balances"))
        self.errors = ErrorCounts(kept.get("errors"))

    @property
    def failed(self) -> int:
        """Answers that are no success: failed, of bad input, or not asked for."""
        statuses = self.statuses
        return sum(
            statuses[name] for name in (answers.FAILED, answers.BAD_INPUT, answers.NOT_ASKED)
        )

    @property
    def answered(self) -> int:
        """Answers of all kinds."""
        return self.statuses.total()

    def add(self, row: Sequence[Answer]) -> None:
        """Count a row that has its answers."""
        self.rows += 1
        for answer in row:
            self.statuses[str(answer[STATUS])] += 1
            if answer[KIND] is not None:
                self.kinds[str(answer[KIND])] += 1
                self.errors.add(answer[STATUS:TEXT], answer[TEXT])
            elif answer[STATUS] == answers.FOUND:
                self.balances.add(answer)

    def begins(self, now: datetime) -> None:
        """A process begins to work on it."""
        self.starts += 1
        self.timeline.begins(self.elapsed_s, now)

    def so_far(self) -> Counts:
        """What the timeline is made of, since the run began."""
        lost_s, times = self.lost_s, self.times.counts
        return [self.elapsed_s, self.rows, self.failed, self.requests, lost_s, times]

    def as_dict(self) -> dict[str, Any]:
        """What the constructor takes, of JSON's types."""
        return {
            "rows": self.rows,
            "statuses": dict(self.statuses),
            "kinds": dict(self.kinds),
            "asked": self.asked,
            "requests": self.requests,
            "starts": self.starts,
            "elapsed_s": self.elapsed_s,
            "lost_s": dict(self.lost_s),
            "most_per_s": self.most_per_s,
            "most_per_min": self.most_per_min,
            "times": self.times.as_dict(),
            "timeline": self.timeline.as_dict(),
            "balances": self.balances.as_dict(),
            "errors": self.errors.as_dict(),
        }
