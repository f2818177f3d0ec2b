"""What a run's figures say, in sentences: what came of it, and what held it up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from altcraft_balance.refresh.durations import plural, span
from altcraft_balance.refresh.rows.answer import FOUND
from altcraft_balance.refresh.summary import RefreshSummary

__all__ = [
    "REASONS",
    "STATUSES",
    "Reason",
    "Verdict",
    "reason",
    "sentences",
    "share",
    "verdict",
    "wall_time",
]

Tone: TypeAlias = Literal["good", "bad", "open"]


class Verdict(NamedTuple):
    """How a run ended, in a few words; `tone` is its colour."""

    words: str
    tone: Tone


class Reason(NamedTuple):
    """What time is lost by: for a table and for a sentence."""

    name: str
    said: str


REASONS: Final = {
    "rate": Reason("rate", "keeping to a rate (--rate, or found after a 429)"),
    "gate": Reason("asked to wait", "pauses that the server asked for (429, Retry-After)"),
    "breaker": Reason("server down", "waiting for a server that did not answer (the breaker)"),
    "budget": Reason("repeats held back", "holding repeats back, since many requests failed"),
    "slots": Reason("slots in use", "waiting for answers with every slot in use (--concurrency)"),
    "source": Reason("reading", "reading the input"),
    "sink": Reason("writing", "writing the output, or waiting for its database"),
}
STATUSES: Final = {
    "found": "found",
    "not_a_member": "not a member",
    "failed": "failed",
    "bad_input": "bad input",
    "not_asked": "not asked",
}
_OTHERS: Final = {
    "not_a_member": "not in the program",
    "failed": "failed",
    "bad_input": "of bad input",
    "not_asked": "not asked",
}
_VERDICTS: Final = {
    "running": Verdict("Under way", "open"),
    "under way": Verdict("Under way", "open"),
    "unfinished": Verdict("Unfinished", "open"),
    "stopped": Verdict("Stopped before its end", "open"),
    "too_many_failed": Verdict("Stopped: too many failed", "bad"),
    "same_error": Verdict("Stopped: everybody is refused", "bad"),
    "broken": Verdict("Broken off", "bad"),
}
#: A run of fewer stretches has no slow one.
_ENOUGH: Final = 4
_WHOLE: Final = {"finished": "Finished", "finished_before": "Finished"}


def verdict(summary: RefreshSummary) -> Verdict:
    """How it ended, or how it is."""
    word = _WHOLE.get(summary.state)
    if word is None:
        return _VERDICTS.get(summary.state, Verdict(summary.state[:40], "open"))
    if summary.is_within_max_failed:
        return Verdict(word, "good")
    return Verdict(f"{word}, but more failed than may", "bad")


def sentences(summary: RefreshSummary) -> Iterator[str]:
    """What came of it, and why it took so long."""
    if not summary.rows:
        yield "No row has an answer yet." if not summary.elapsed_s else "No row was answered."
    else:
        yield _answers(summary)
        starts = f" in {plural(summary.starts, 'process')}" if summary.starts > 1 else ""
        yield f"It worked for {span(summary.elapsed_s)}{starts}, {_speed(summary.rows_per_s)}."
    yield from _held_up(summary)
    yield from _slowest(summary)


def _answers(summary: RefreshSummary) -> str:
    statuses = summary.statuses
    answers = sum(statuses.values())
    found = statuses.get(FOUND, 0)
    words = [f"{plural(found, 'balance')} found ({share(found, answers)})"]
    words += [f"{statuses[name]:,} {said}" for name, said in _OTHERS.items() if statuses.get(name)]
    if len(words) == 1:
        words.append("none failed")
    return f"{', '.join(words)}."


def _held_up(summary: RefreshSummary) -> Iterator[str]:
    lost = sorted(summary.lost_s.items(), key=lambda item: -item[1])
    if not summary.elapsed_s:
        return
    if not lost or lost[0][1] < summary.elapsed_s / 100:
        yield "Nothing held it up for more than 1 % of its time."
        return
    name, seconds = lost[0]
    yield f"{_part(seconds, summary)} went into {reason(name).said}."
    if len(lost) > 1 and lost[1][1] >= summary.elapsed_s / 20:
        yield f"{_part(lost[1][1], summary)} went into {reason(lost[1][0]).said}."


def _slowest(summary: RefreshSummary) -> Iterator[str]:
    """When it was at less than half of its speed, and by what."""
    points = [point for point in summary.timeline.get("points", ()) if point["seconds"]]
    if len(points) < _ENOUGH:
        return
    point = min(points, key=lambda point: point["rows"] / point["seconds"])
    per_s = point["rows"] / point["seconds"]
    if per_s > summary.rows_per_s / 2:
        return
    lost = sorted(point["lost_s"].items(), key=lambda item: -item[1])
    by = f", mostly by {reason(lost[0][0]).said}" if lost else ""
    moment = wall_time(summary.timeline, point["from_s"])
    yield f"It was slowest about {moment} UTC, {_speed(per_s)}{by}."


def wall_time(timeline: Mapping[str, Any], at_s: float) -> str:
    """What the clock said after `at_s` seconds of work, to the minute; "" if nothing is known."""
    begun = [process for process in timeline["processes"] if process["at_s"] <= at_s]
    if not begun:
        return ""
    began = datetime.fromisoformat(begun[-1]["at"])
    return f"{began + timedelta(seconds=at_s - begun[-1]['at_s']):%Y-%m-%d %H:%M}"


def _speed(rows_per_s: float) -> str:
    figure = f"{rows_per_s:,.0f}" if rows_per_s >= 99.5 else f"{rows_per_s:.2g}"
    return f"at {figure} rows/s"


def _part(seconds: float, summary: RefreshSummary) -> str:
    return f"{span(seconds)}, {share(seconds, summary.elapsed_s)} of the time,"


def reason(name: str) -> Reason:
    """What `name` stands for; an unknown one stands for itself."""
    return REASONS.get(name, Reason(name[:40], name[:40]))


def share(part: float, whole: float) -> str:
    """``99.9 %``: never 100 % when something is missing, and never 0 % when something is there."""
    if not whole:
        return "0 %"
    percent = min(100 * part / whole, 100.0)
    if part < whole and percent > 99.9:
        return "> 99.9 %"
    if part and percent < 0.1:
        return "< 0.1 %"
    return f"{percent:.3g} %" if percent < 99.95 else "100 %"
