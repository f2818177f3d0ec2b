"""The charts of counts: what came back, what went wrong, how much members have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from altcraft_balance.refresh.report.drawing import COLOURS, drawn, plain
from altcraft_balance.refresh.report.html import Html
from altcraft_balance.refresh.report.words import STATUSES
from altcraft_balance.refresh.rows.balance_counts import BOUNDS

__all__ = ["balances_chart", "errors_chart", "outcomes_chart"]

_MOST_BARS: Final = 10
_BAR: Final = 24
_EDGES: Final = 34
_COLOUR: Final = {"found": "good", "not_a_member": "first"}


def outcomes_chart(statuses: Mapping[str, int]) -> Html:
    """Answers by status."""
    names = [name for name in STATUSES if name in statuses]
    bars = [(STATUSES[name], statuses[name], _COLOUR.get(name, "bad")) for name in names]
    return _across("outcomes", "Answers by status", bars)


def errors_chart(kinds: Sequence[Mapping[str, Any]]) -> Html | None:
    """Answers without a balance, by kind; None without any."""
    bars = [(_named(kind), kind["count"], _COLOUR.get(kind["status"], "bad")) for kind in kinds]
    return _across("errors", "Errors by kind", bars[:_MOST_BARS]) if bars else None


def _named(kind: Mapping[str, Any]) -> str:
    word = plain(kind["kind"].replace("_", " "))
    return word if kind["code"] is None else f"{word} {kind['code']}"


def _across(name: str, title: str, bars: Sequence[tuple[str, int, str]]) -> Html:
    def draw(axes: Any) -> None:
        places = range(len(bars))
        counts = [count for _, count, _ in bars]
        colours = [COLOURS[colour] for _, _, colour in bars]
        axes.barh(places, counts, color=colours, height=0.62)
        for place, count in zip(places, counts, strict=True):
            axes.annotate(
                f"{count:,}", (count, place), (5, 0), textcoords="offset points", va="center"
            )
        axes.set_yticks(places, [label for label, _, _ in bars])
        axes.set_xlim(0, max([*counts, 1]) * 1.28)
        axes.set_ylim(max(len(bars), 2) - 0.5, -0.5)  # the first on top; one bar is no wall
        axes.grid(visible=False)
        axes.xaxis.set_visible(False)
        axes.spines.bottom.set_visible(False)

    told = ", ".join(f"{label} {count:,}" for label, count, _ in bars)
    return drawn(name, title, told, draw, _EDGES + _BAR * max(len(bars), 2))


def balances_chart(name: str, pair: Mapping[str, Any]) -> Html | None:
    """How many balances lie between which bounds; None without any."""
    counts = {kind: [pair[kind]["counts"].get(bound, 0) for bound in BOUNDS] for kind in _KINDS}
    used = [place for kind in _KINDS for place, count in enumerate(counts[kind]) if count]
    if not used:
        return None
    first, last = min(used), max(used) + 1

    def draw(axes: Any) -> None:
        places = range(first, last)
        for (kind, colour), shift in zip(_KINDS.items(), (-0.21, 0.21), strict=True):
            at = [place + shift for place in places]
            axes.bar(at, counts[kind][first:last], width=0.4, color=COLOURS[colour])
        shown = _far_apart(places)
        axes.set_xticks(shown, [_short(BOUNDS[place]) for place in shown])
        axes.set_xlim(first - 0.6, last - 0.4)
        axes.set_ylabel("members")
        axes.set_xlabel("points")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.12g}")

    told = f"Most total balances lie at {_most(counts['total'])}, in points."
    return drawn(name, "Balances by size", told, draw, 190)


_KINDS: Final = {"total": "first", "active": "second"}
_FEW: Final = 8


def _far_apart(places: Sequence[int]) -> list[int]:
    """Some of `places`, so few that their labels do not touch; powers of ten if there are many."""
    if len(places) <= _FEW:
        return list(places)
    shown: list[int] = []
    for place in places:
        is_power = BOUNDS[place].lstrip("<>=").strip("0") == "1"
        if is_power and (not shown or place - shown[-1] >= len(places) / _FEW):
            shown.append(place)
    return shown


def _short(bound: str) -> str:
    """``<10k`` for ``<10000``."""
    for zeros, letter in (("000000000", "G"), ("000000", "M"), ("000", "k")):
        if bound.endswith(zeros):
            return f"{bound.removesuffix(zeros)}{letter}"
    return bound


def _most(counts: Sequence[int]) -> str:
    return BOUNDS[max(range(len(counts)), key=counts.__getitem__)]
