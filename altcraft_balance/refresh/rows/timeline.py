"""How a run went: a bounded series of stretches, each with what was counted in it.

Only stretches that have ended are kept; the one under way is what the run has counted less what
they have. So together they are the run, to the last row, also when a process was killed: whatever
it had counted since its last stretch belongs to the next one. When there are too many, neighbours
become one, so that each is twice as long.

Its time is working time: the nights between two processes take none of it, and a mark says where a
process began.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import zip_longest
from typing import Any, Final, TypeAlias

from altcraft_balance.telemetry.progress import bound_s

__all__ = ["Counts", "Timeline"]

#: Seconds, rows, failed, requests, seconds lost by reason, how many took how long: a list, since it
#: goes into every commit.
Counts: TypeAlias = list[Any]
_LOST, _TIMES = 4, 5
_NOTHING: Final[Counts] = [0.0, 0, 0, 0, {}, {}]

_MOST: Final = 120
_MOST_PROCESSES: Final = 60
_FIRST_WIDTH_S: Final = 1.0
#: So many of the histogram's bounds make one here: each is a fifth above the one before.
_BOUNDS_IN_ONE: Final = 2


class Timeline:
    """The stretches of a run; `kept` is what `as_dict` of another gave, to go on from."""

    def __init__(self, kept: Mapping[str, Any] | None = None) -> None:
        kept = kept or {}
        self._width_s: float = kept.get("width_s", _FIRST_WIDTH_S)
        self._ended: list[Counts] = list(kept.get("stretches", ()))
        self._processes: list[list[Any]] = list(kept.get("processes", ()))
        self._sum = _together(self._ended)

    def begins(self, at_s: float, now: datetime) -> None:
        """A process begins, `at_s` seconds of work after the run did."""
        self._processes.append([round(at_s, 3), now.isoformat(timespec="seconds")])
        if len(self._processes) > _MOST_PROCESSES:
            del self._processes[1]  # the first one stays

    def reaches(self, counts: Counts) -> None:
        """So much has been counted: a stretch ends here if it is long enough."""
        under_way = _less(counts, self._sum)
        if under_way[0] >= self._width_s:
            self._ended.append(under_way)
            self._sum = _together([self._sum, under_way])
            if len(self._ended) >= _MOST:
                self._merge()

    def as_dict(self) -> dict[str, Any]:
        """What the constructor takes, of JSON's types."""
        return {
            "width_s": self._width_s,
            "stretches": list(self._ended),
            "processes": list(self._processes),
        }

    def shown(self, counts: Counts) -> dict[str, Any]:
        """The series for a summary, when `counts` is what has been counted until now."""
        stretches, under_way = list(self._ended), _less(counts, self._sum)
        if stretches and under_way[0] < self._width_s / 2:
            stretches[-1] = _together(
                [stretches[-1], under_way]
            )  # too short for figures per second
        elif under_way != _NOTHING:
            stretches.append(under_way)
        return {
            "points": list(_points(stretches)),
            "processes": [{"at_s": at_s, "at": at} for at_s, at in self._processes],
        }

    def _merge(self) -> None:
        pairs = zip_longest(self._ended[::2], self._ended[1::2], fillvalue=_NOTHING)
        self._ended = [_together(pair) for pair in pairs]
        self._width_s *= 2


def _together(parts: Iterable[Counts]) -> Counts:
    total: Counts = [0.0, 0, 0, 0, {}, {}]
    for part in parts:
        for place in range(_LOST):
            total[place] += part[place]
        for place in (_LOST, _TIMES):
            for name, value in part[place].items():
                total[place][name] = total[place].get(name, 0) + value
    return _rounded(total)


def _less(counts: Counts, before: Counts) -> Counts:
    """What was counted since `before`; the times of `counts` are by the histogram's own bounds."""
    times: Counter[str] = Counter()
    for bound, count in counts[_TIMES].items():
        times[str(bound // _BOUNDS_IN_ONE)] += count
    parts = [counts[_LOST], times]
    return _rounded(
        [max(now - then, 0) for now, then in zip(counts[:_LOST], before[:_LOST], strict=True)]
        + [
            {name: now - then.get(name, 0) for name, now in part.items()}
            for part, then in zip(parts, before[_LOST:], strict=True)
        ]
    )


def _rounded(counts: Counts) -> Counts:
    """To the millisecond, and without what is nothing."""
    seconds, rows, failed, requests, lost_s, times = counts
    lost_s = {name: round(value, 3) for name, value in lost_s.items() if value >= 0.0005}
    times = {name: count for name, count in times.items() if count > 0}
    return [round(seconds, 3), rows, failed, requests, lost_s, times]


def _points(stretches: Iterable[Counts]) -> Iterator[dict[str, Any]]:
    from_s = 0.0
    for seconds, rows, failed, requests, lost_s, times in stretches:
        yield {
            "from_s": round(from_s, 3),
            "seconds": seconds,
            "rows": rows,
            "failed": failed,
            "requests": requests,
            "p50_s": _percentile(times, 50),
            "p99_s": _percentile(times, 99),
            "lost_s": lost_s,
        }
        from_s += seconds


def _percentile(times: Mapping[str, int], percent: float) -> float | None:
    """The middle of the bound that it lies in, so that it is off by a tenth at most."""
    wanted, seen = sum(times.values()) * percent / 100, 0
    for bound, count in sorted((int(bound), count) for bound, count in times.items()):
        seen += count
        if seen >= wanted:
            return float(f"{bound_s((bound + 0.5) * _BOUNDS_IN_ONE):.3g}")
    return None
