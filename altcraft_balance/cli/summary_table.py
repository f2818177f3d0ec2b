"""What came of a run, as a table: at the end of ``refresh``, in ``status`` and in ``demo``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime

from altcraft_balance.refresh.durations import milliseconds, plural, span
from altcraft_balance.refresh.summary import RefreshSummary

__all__ = ["counts", "described", "rows_done"]

_PUNCTUAL = 0.02  # of a night: no night is as exact as that
_SAID = {
    "finished_before": "finished before",
    "too_many_failed": "stopped, since too many failed",
    "same_error": "stopped, since everybody is refused",
    "broken": "broken off",
}


def described(summary: RefreshSummary, word: str | None = None) -> Iterator[tuple[str, str]]:
    """Names and values of the table; `word` says how the run is, in the place of its state."""
    yield "Run", summary.run_id
    yield "State", word or _SAID.get(summary.state, summary.state)
    yield "Input", summary.source
    if summary.output:
        yield "Output", summary.output
    yield "Begun", _when(summary.started_at)
    if summary.finished_at is not None:
        yield "Finished", _when(summary.finished_at)
    yield "Rows", rows_done(summary)
    if summary.left_s is not None:
        yield "Left", _left(summary)
    yield "Answers", counts(summary.statuses)
    if summary.kinds:
        yield "Failures", counts(summary.kinds)
    yield "Requests", f"{summary.requests:,}, of them {plural(summary.repeats, 'repeat')}"
    starts = f", in {summary.starts} processes" if summary.starts > 1 else ""
    yield "Time", span(summary.elapsed_s) + starts
    yield "Rate", f"{summary.rows_per_s:,.0f} rows/s"
    yield (
        "At most",
        f"{summary.most_per_s:,} requests in a second, {summary.most_per_min:,} a minute",
    )
    yield "Lost", _lost(summary.lost_s)
    if summary.p50_s is not None:
        p50, p99 = milliseconds(summary.p50_s), milliseconds(summary.p99_s)
        yield "One row", f"p50 {p50}, p99 {p99}, waits included"


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M UTC}"


def _left(summary: RefreshSummary) -> str:
    """``21 h 00 min of work: about 3 more nights like this one``; rounded up."""
    work = f"{span(summary.left_s or 0.0)} of work"
    if not (summary.reason and summary.nights_left):
        return work  # a signal came, and nobody knows how long the night would have been
    nights = math.ceil(summary.nights_left - _PUNCTUAL)
    return (
        f"{work}: about {max(1, nights)} more {'night' if nights <= 1 else 'nights'} like this one"
    )


def rows_done(summary: RefreshSummary) -> str:
    """``1,000 of ~20,000``; ~ marks an estimate."""
    if summary.total is None:
        return f"{summary.rows:,}"
    mark = "" if summary.total_is_exact else "~"
    return f"{summary.rows:,} of {mark}{summary.total:,}"


def counts(by_name: Mapping[str, int]) -> str:
    """``found 990, failed 10``."""
    shown = [f"{name} {count:,}" for name, count in by_name.items() if count]
    return ", ".join(shown) or "none"


def _lost(lost_s: Mapping[str, float]) -> str:
    """Seconds by what was waited for, from the most on."""
    by_most = sorted(lost_s.items(), key=lambda item: -item[1])
    shown = [f"{name} {span(seconds)}" for name, seconds in by_most if seconds >= 0.1]
    return ", ".join(shown) or "nothing"
