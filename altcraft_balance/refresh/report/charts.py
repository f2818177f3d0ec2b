"""The charts over a run's time: how fast it was, how long an answer took, what held it up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from altcraft_balance.refresh.durations import plural
from altcraft_balance.refresh.report.drawing import COLOURS, drawn
from altcraft_balance.refresh.report.html import Html
from altcraft_balance.refresh.report.words import REASONS, reason

__all__ = ["colour_of", "latency_chart", "lost_by", "lost_chart", "throughput_chart"]

_HEIGHT: Final = 190
#: Above so many seconds a time is shown in these.
_UNITS: Final = ((2 * 3600, 3600, "hours"), (150, 60, "minutes"), (0, 1, "seconds"))


def throughput_chart(timeline: Mapping[str, Any]) -> Html:
    """Rows answered in each second, and failed ones before them."""
    points = timeline["points"]
    rows, failed = (_per_second(points, name) for name in ("rows", "failed"))

    def draw(axes: Any) -> None:
        edges = _over_time(axes, timeline)
        axes.stairs(rows, edges, fill=True, color=COLOURS["first"], alpha=0.25)
        axes.stairs(rows, edges, baseline=None, color=COLOURS["first"], linewidth=1.6)
        if any(failed):
            axes.stairs(failed, edges, fill=True, color=COLOURS["bad"])
        axes.set_ylim(0, max([*rows, 1]) * 1.08)
        axes.set_ylabel("rows a second")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.12g}")

    told = f"Between {min(rows):,.0f} and {max(rows):,.0f} rows a second."
    return drawn("throughput", "Rows a second over the run", told, draw, _HEIGHT)


def latency_chart(timeline: Mapping[str, Any]) -> Html | None:
    """How long a row took from when it was taken; None without any time."""
    points = timeline["points"]
    times = {name: [point[name] for point in points] for name in ("p50_s", "p99_s")}
    known = [value for values in times.values() for value in values if value is not None]
    if not known:
        return None

    def draw(axes: Any) -> None:
        edges = _over_time(axes, timeline)
        for name, colour in (("p99_s", "second"), ("p50_s", "first")):
            values = [float("nan") if value is None else value for value in times[name]]
            axes.stairs(values, edges, baseline=None, color=COLOURS[colour], linewidth=1.6)
        if max(known) > 20 * min(known) > 0:
            axes.set_yscale("log")
            axes.set_ylim(min(known) / 1.5, max(known) * 1.5)
        else:
            axes.set_ylim(0, max([*known, 1e-4]) * 1.15)
        axes.yaxis.set_major_formatter(lambda value, _: _duration(value))
        axes.set_ylabel("time of a row")

    told = f"Between {_duration(min(known))} and {_duration(max(known))}."
    return drawn("latency", "Time of a row over the run", told, draw, _HEIGHT)


def lost_chart(timeline: Mapping[str, Any]) -> Html | None:
    """What share of the time was lost by what; None when none was."""
    points = timeline["points"]
    order = lost_by(timeline)
    if not order:
        return None
    shares = {name: [_share(point, name) for point in points] for name in order}

    def draw(axes: Any) -> None:
        edges = _over_time(axes, timeline)
        below = [0.0] * len(points)
        for name in order:
            above = [low + part for low, part in zip(below, shares[name], strict=True)]
            colour = COLOURS[colour_of(name)]
            axes.stairs(above, edges, baseline=below, fill=True, color=colour, linewidth=0)
            below = above
        axes.set_ylim(0, 100)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0f} %")
        axes.set_ylabel("share of the time")

    told = f"Lost by {', '.join(reason(name).name for name in order)}."
    return drawn("lost", "Time lost over the run", told, draw, _HEIGHT)


def lost_by(timeline: Mapping[str, Any]) -> list[str]:
    """What time was lost by, from the axis on; twelve at most, as many as a drawing bears."""
    points = timeline["points"]
    names = {name for point in points for name, seconds in point["lost_s"].items() if seconds}
    return ([name for name in REASONS if name in names] + sorted(names - set(REASONS)))[:12]


def colour_of(name: str) -> str:
    """The colour of what time is lost by."""
    return name if name in REASONS else "other"


def _share(point: Mapping[str, Any], name: str) -> float:
    lost = point["lost_s"].get(name, 0.0)
    return min(100.0 * lost / point["seconds"], 100.0) if point["seconds"] else 0.0


def _per_second(points: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    # What came in no time at all is shown as if it had taken a millisecond.
    return [point[name] / max(point["seconds"], 0.001) for point in points]


def _over_time(axes: Any, timeline: Mapping[str, Any]) -> list[float]:
    """Lay out the axis of time, with a mark where a process began; the edges of the stretches."""
    points = timeline["points"]
    ends = [point["from_s"] + max(point["seconds"], 0.001) for point in points]
    last = max(ends)
    size, unit = next((size, unit) for over, size, unit in _UNITS if last >= over)
    for process in timeline["processes"]:
        if 0 < process["at_s"] < last:
            axes.axvline(process["at_s"] / size, color=COLOURS["ink"], linewidth=1, dashes=(3, 2))
    axes.set_xlim(points[0]["from_s"] / size, last / size)
    axes.set_xlabel(f"{unit} of work")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.4g}")
    return [point["from_s"] / size for point in points] + [last / size]


def _duration(seconds: float) -> str:
    if seconds < 0.9995:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 120 else plural(round(seconds / 60), "min")[:-1]
