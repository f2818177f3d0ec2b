"""The tables: every figure of the summary stands in one, exactly, under its own name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from altcraft_balance.refresh.report.html import Html, figure, joined, tag
from altcraft_balance.refresh.report.words import STATUSES, reason, share, wall_time
from altcraft_balance.refresh.rows.balance_counts import BOUNDS
from altcraft_balance.refresh.summary import RefreshSummary

__all__ = [
    "balances_table",
    "errors_table",
    "figures_table",
    "lost_table",
    "named_table",
    "points_table",
    "processes_table",
    "sizes_table",
    "statuses_table",
]

_NUMBER: Final = "number"
#: A file of anybody's may have a million names; the page of a run has not.
_MOST: Final = 100
_TIMES: Final = ("started_at", "finished_at")


def named_table(title: str, field: str, values: Mapping[str, Any]) -> Html:
    """A row for each name of the summary's field `field`."""
    rows = [
        [_text(name), _single(f"{field}.{name}", value)] for name, value in _some(values.items())
    ]
    return table(title, None, rows, more=len(values) - len(rows), layout="pairs")


def lost_table(lost_s: Mapping[str, float], elapsed_s: float) -> Html:
    """Seconds by what they were lost to, from the most on, with their shares."""
    rows = [
        [
            _text(reason(name).name),
            _cell(f"lost_s.{name}", seconds),
            tag("td", share(seconds, elapsed_s), class_=_NUMBER),
        ]
        for name, seconds in _some(sorted(lost_s.items(), key=lambda item: -item[1]))
    ]
    head = ["lost to", "#seconds", "#share of the time"]
    return table("Time lost, in seconds", head, rows, more=len(lost_s) - len(rows))


def statuses_table(statuses: Mapping[str, int]) -> Html:
    """Answers by status, with their shares."""
    answers = sum(statuses.values())
    rows = [
        [
            _text(_status(name)),
            _cell(f"statuses.{name}", count),
            tag("td", share(count, answers), class_=_NUMBER),
        ]
        for name, count in _some(statuses.items())
    ]
    return table("Answers by status", ["status", "#answers", "#share"], rows)


def figures_table(summary: RefreshSummary) -> Html:
    """All fields that are one value each."""
    values = summary.as_dict(series=False)
    single = {name: value for name, value in values.items() if not isinstance(value, Mapping)}
    rows = [[_text(name), _single(name, value)] for name, value in single.items()]
    return table("All figures", None, rows, layout="pairs")


def errors_table(errors: Mapping[str, Any]) -> Html:
    """Errors by status, kind and code, with examples."""
    rows = []
    for place, kind in enumerate(_some(errors["kinds"])):
        path = f"errors.kinds.{place}"
        examples = [
            tag("li", _quoted(f"{path}.examples.{number}", text))
            for number, text in enumerate(kind["examples"][:_MOST])
        ]
        code = "" if kind["code"] is None else str(kind["code"])  # a name, not a count
        rows.append(
            [
                tag("td", _quoted(f"{path}.kind", kind["kind"])),
                _cell(f"{path}.count", kind["count"]),
                tag("td", _quoted(f"{path}.status", kind["status"])),
                tag("td", figure(f"{path}.code", kind["code"], code), class_=_NUMBER),
                tag("td", tag("ul", *examples)),
            ]
        )
    head = ["kind", "#answers", "status", "#code", "what was said, masked"]
    more = len(errors["kinds"]) - len(rows)
    return table("Errors", head, rows, more=more, layout="full stack")


def balances_table(place: int, pair: Mapping[str, Any]) -> Html:
    """What one currency's balances are together, at least and at most."""
    path = f"balances.currencies.{place}"
    kinds = ("total", "active")
    rows = [
        [_text(word), *(_amount(f"{path}.{kind}.{name}", pair[kind][name]) for kind in kinds)]
        for name, word in (("sum", "together"), ("min", "least"), ("max", "most"))
    ]
    return table("Points", ["", "#total", "#active"], rows)


def sizes_table(place: int, pair: Mapping[str, Any]) -> Html:
    """How many balances of one currency lie between which bounds."""
    path = f"balances.currencies.{place}"
    kinds, rows = ("total", "active"), []
    for bound in BOUNDS:
        counts = [(kind, pair[kind]["counts"].get(bound)) for kind in kinds]
        if any(count is not None for _, count in counts):
            cells = (
                tag("td", class_=_NUMBER) if count is None
                else _cell(f"{path}.{kind}.counts.{bound}", count)
                for kind, count in counts
            )  # fmt: skip
            rows.append([_text(_range(bound)), *cells])
    return table("Balances by size", ["points", "#total", "#active"], rows)


def points_table(timeline: Mapping[str, Any]) -> Html:
    """The run, stretch by stretch."""
    plain = ("from_s", "seconds", "rows", "failed", "requests", "p50_s", "p99_s")
    rows = []
    for place, point in enumerate(timeline["points"]):
        path = f"timeline.points.{place}"
        lost = [
            tag("li", f"{reason(name).name} ", figure(f"{path}.lost_s.{name}", seconds), " s")
            for name, seconds in _some(point["lost_s"].items())
        ]
        cells = [_cell(f"{path}.{name}", point[name]) for name in plain]
        moment = wall_time(timeline, point["from_s"])
        rows.append([tag("td", moment, class_=_NUMBER), *cells, tag("td", tag("ul", *lost))])
    head = [
        "#from, UTC",
        "#from, s",
        "#seconds",
        "#rows",
        "#failed",
        "#requests",
        "#p50, s",
        "#p99, s",
        "lost",
    ]
    return table("The run, stretch by stretch", head, rows, layout="full")


def processes_table(processes: Sequence[Mapping[str, Any]]) -> Html:
    """When processes began."""
    rows = [
        [
            _cell(f"timeline.processes.{place}.at_s", process["at_s"]),
            _time(f"timeline.processes.{place}.at", process["at"]),
        ]
        for place, process in enumerate(_some(processes))
    ]
    return table(
        "Processes", ["#began at, s of work", "#on, UTC"], rows, more=len(processes) - len(rows)
    )


def table(
    title: str,
    head: Sequence[str] | None,
    rows: Iterable[Sequence[Html]],
    *,
    more: int = 0,
    layout: str | None = None,
) -> Html:
    """A table; a name in `head` that begins with # is that of numbers."""
    parts = [tag("caption", title)]
    if head is not None:
        names = (
            tag("th", name.removeprefix("#"), scope="col", class_=_NUMBER if "#" in name else None)
            for name in head
        )
        parts.append(tag("thead", tag("tr", *names)))
    parts.append(tag("tbody", *(tag("tr", *row) for row in rows)))
    inner = tag("table", *parts, class_=layout)
    # Who has no pointer scrolls by keys, once it is in focus.
    whole = tag("div", inner, class_="wide", tabindex="0", role="group", aria_label=title)
    return joined(whole, tag("p", f"and {more:,} more", class_="note")) if more else whole


def _cell(path: str, value: Any) -> Html:
    """A cell of a number, or of one of our own words."""
    return tag("td", figure(path, value, _shown(value)), class_=_NUMBER)


def _amount(path: str, value: str | None) -> Html:
    return tag("td", figure(path, value, value and f"{Decimal(value):,f}"), class_=_NUMBER)


def _time(path: str, value: str) -> Html:
    return tag("td", figure(path, value, value[:19].replace("T", " ")), class_=_NUMBER)


def _shown(value: Any) -> str | None:
    """A number with as many digits as anybody reads; None: as it is."""
    if not isinstance(value, float):
        return None
    return f"{value:.3g}" if 0 < value < 0.1 else f"{value:,.3f}".rstrip("0").rstrip(".")


def _single(path: str, value: Any) -> Html:
    """A cell of anything."""
    if isinstance(value, list | dict):
        value = json.dumps(value)
    if isinstance(value, str) and path in _TIMES:
        return _time(path, value)
    return tag("td", _quoted(path, value)) if isinstance(value, str) else _cell(path, value)


def _quoted(path: str, value: str) -> Html:
    """What others have written, in a direction of its own."""
    return tag("bdi", figure(path, value))


def _text(name: str) -> Html:
    return tag("th", tag("bdi", name), scope="row")


def _status(name: str) -> str:
    return STATUSES.get(name) or name


def _range(bound: str) -> str:
    if bound[0] != "<":
        return f"{int(bound.removeprefix('>=')):,}{' and more' if bound[0] == '>' else ''}"
    return f"below {int(bound[1:]):,}"


def _some(values: Iterable[Any]) -> list[Any]:
    return [value for value, _ in zip(values, range(_MOST), strict=False)]
