"""How far a refresh has come, on stderr: a display, plain lines, or JSON for programs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from attrs import frozen
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from altcraft_balance.cli.show import Screen, harmless
from altcraft_balance.cli.summary_table import counts, rows_done
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.durations import milliseconds, plural, span
from altcraft_balance.refresh.summary import RefreshSummary
from altcraft_balance.session.stats import ClientStats

__all__ = ["MODES", "Pace", "Teller", "telling"]

MODES: Final = ("auto", "json", "plain", "off")
_LINE_EVERY_S: Final = 3.0
_FAILURES: Final = ("failed", "bad_input", "not_asked")


class Teller(Protocol):
    """Tells how far a run has come."""

    def tell(self, summary: RefreshSummary, stats: ClientStats, *, last: bool = False) -> None:
        """It has come so far; called once a second, and at the end."""

    def say(self, sentence: str) -> None:
        """Something worth a sentence has happened."""


@frozen
class Now:
    """How fast it goes at this moment.

    Attributes:
        lookups_per_s: lookups that ended in a second.
        left_s: seconds until all rows have their answers; None: not known.
    """

    lookups_per_s: float
    left_s: float | None


class Pace:
    """Tells from one look to the next how fast it goes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._first: tuple[float, int] | None = None
        self._last: tuple[float, int] | None = None

    def now(self, summary: RefreshSummary, stats: ClientStats) -> Now:
        """As of this look."""
        at = self._clock()
        ended = stats.found + sum(stats.failed.values())
        self._first = self._first or (at, summary.rows)
        last, self._last = self._last or (at, ended), (at, ended)
        per_s = (ended - last[1]) / (at - last[0]) if at > last[0] else summary.rows_per_s
        goes_on = summary.state == "running" and stats.breaker == "closed"
        left_s = self._left_s(summary, at, *self._first) if goes_on else None
        return Now(per_s, left_s)

    def _left_s(
        self, summary: RefreshSummary, at: float, first_s: float, first_rows: int
    ) -> float | None:
        done = summary.rows - first_rows
        if summary.total is None or done <= 0 or at <= first_s:
            return None
        return max(summary.total - summary.rows, 0) * (at - first_s) / done


@contextmanager
def telling(
    console: Screen, mode: str, *, clock: Callable[[], float] = time.monotonic
) -> Iterator[Teller]:
    """Gives who tells it on `console`, in the way that `mode` names.

    Raises:
        ConfigurationError: there is no such way.
    """
    if mode not in MODES:
        raise ConfigurationError(f"--progress must be one of {', '.join(MODES)}, not {mode!r}")
    if mode == "json":
        yield _Json(console, clock)
    elif mode == "off":
        yield _Silent(console)
    elif mode == "auto" and console.is_terminal and not console.is_dumb_terminal:
        # No refreshing thread: the run may keep the processor to itself.
        with Live(console=console, auto_refresh=False, transient=True) as live:
            yield _Display(live, clock)
    else:
        yield _Lines(console, clock)


class _Silent:
    def __init__(self, console: Screen) -> None:
        self._console = console

    def tell(self, summary: RefreshSummary, stats: ClientStats, *, last: bool = False) -> None:
        """Not asked for."""

    def say(self, sentence: str) -> None:
        self._console.print(harmless(sentence), soft_wrap=True)


class _Json(_Silent):
    def __init__(self, console: Screen, clock: Callable[[], float]) -> None:
        super().__init__(console)
        self._pace = Pace(clock)

    def tell(self, summary: RefreshSummary, stats: ClientStats, *, last: bool = False) -> None:
        now = self._pace.now(summary, stats)
        self._console.out(
            json.dumps({**summary.as_dict(series=False), "now": _now_as_dict(now, stats)})
        )

    def say(self, sentence: str) -> None:
        self._console.out(json.dumps({"notice": sentence}))


class _Lines(_Silent):
    def __init__(self, console: Screen, clock: Callable[[], float]) -> None:
        super().__init__(console)
        self._clock, self._pace = clock, Pace(clock)
        self._due_s = clock() + _LINE_EVERY_S

    def tell(self, summary: RefreshSummary, stats: ClientStats, *, last: bool = False) -> None:
        now = self._pace.now(summary, stats)
        if not last and self._clock() < self._due_s:
            return
        self._due_s = self._clock() + _LINE_EVERY_S
        fast = f"{now.lookups_per_s:,.0f} lookups/s"
        if summary.state != "running":
            fast = f"{summary.rows_per_s:,.0f} rows/s"
        words = [rows_done(summary) + _share(summary), fast]
        if now.left_s is not None:
            words.append(f"{span(now.left_s)} left")
        words.append(_failed(summary))
        if held := _held(stats):
            words.append(held)
        self.say(f"{summary.source}: {', '.join(words)}")


class _Display:
    def __init__(self, live: Live, clock: Callable[[], float]) -> None:
        self._live, self._pace = live, Pace(clock)

    def tell(self, summary: RefreshSummary, stats: ClientStats, *, last: bool = False) -> None:
        now = self._pace.now(summary, stats)
        self._live.update(_picture(summary, stats, now), refresh=True)

    def say(self, sentence: str) -> None:
        self._live.console.print(harmless(sentence), soft_wrap=True)


def _now_as_dict(now: Now, stats: ClientStats) -> dict[str, Any]:
    return {
        "lookups_per_s": round(now.lookups_per_s, 1),
        "left_s": None if now.left_s is None else round(now.left_s, 1),
        "in_flight": stats.slots_in_use,
        "width": stats.width,
        "slots": stats.slots,
        "rate_per_s": stats.rate_per_s,
        "gate_s": stats.gate_s,
        "breaker": stats.breaker,
        "last_failure": stats.last_failure,
        "waiting": dict(stats.waiting),
        "latency_p50_s": stats.latency_p50_s,
        "latency_p99_s": stats.latency_p99_s,
    }


def _picture(summary: RefreshSummary, stats: ClientStats, now: Now) -> Group:
    """The display, on 80 columns."""
    left = "" if now.left_s is None else f"  {span(now.left_s)} left"
    head = Text(harmless(f"{summary.source}  {rows_done(summary)}{_share(summary)}{left}"))
    lines = Table.grid(padding=(0, 2))
    lines.add_column(style="dim")
    lines.add_column(overflow="fold")
    for name, value in _figures(summary, stats, now):
        lines.add_row(name, harmless(value))
    bar = Table.grid(expand=True)  # a bar alone does not end its line
    bar.add_row(ProgressBar(total=summary.total or None, completed=summary.rows))
    return Group(head, bar, lines)


def _figures(summary: RefreshSummary, stats: ClientStats, now: Now) -> Iterator[tuple[str, str]]:
    yield "Lookups", f"{now.lookups_per_s:,.0f}/s now, {summary.rows_per_s:,.0f} rows/s overall"
    yield "In flight", f"{stats.slots_in_use} of {stats.width}"
    yield "Server", _held(stats) or "answers"
    yield "Requests", f"{summary.requests:,}, of them {plural(summary.repeats, 'repeat')}"
    yield "Failures", counts(summary.kinds)
    p50, p99 = milliseconds(summary.p50_s), milliseconds(summary.p99_s)
    yield "One row", f"p50 {p50}, p99 {p99}"


def _share(summary: RefreshSummary) -> str:
    return f" ({100 * summary.rows // summary.total} %)" if summary.total else ""


def _failed(summary: RefreshSummary) -> str:
    return f"{sum(summary.statuses[name] for name in _FAILURES):,} failed"


def _held(stats: ClientStats) -> str:
    """What the server, or the rate, allows; "" when all is open."""
    held = []
    if stats.rate_per_s is not None:
        held.append(f"{stats.rate_per_s:,.4g} requests/s allowed")
    if stats.gate_s > 0:
        held.append(f"a pause of {span(stats.gate_s)} was asked for")
    if stats.breaker != "closed":
        held.append(f"no good answer ({stats.last_failure}): it is probed")
    return ", ".join(held)
