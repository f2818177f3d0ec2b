"""The page: from the answer in one sentence, by what it cost, to every figure.

It asks nothing of anybody: no script, no type, no picture from elsewhere, and a policy in its head
that allows none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, Final

from altcraft_balance.refresh.durations import milliseconds, plural, span
from altcraft_balance.refresh.report import tables
from altcraft_balance.refresh.report.bars import balances_chart, errors_chart, outcomes_chart
from altcraft_balance.refresh.report.charts import (
    colour_of,
    latency_chart,
    lost_by,
    lost_chart,
    throughput_chart,
)
from altcraft_balance.refresh.report.html import Html, figure, joined, tag
from altcraft_balance.refresh.report.words import reason, sentences, share, verdict
from altcraft_balance.refresh.summary import RefreshSummary
from altcraft_balance.version import __version__

__all__ = ["report_page"]

_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
_HEAD: Final = Html(
    '<meta charset="utf-8">'
    f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta name="color-scheme" content="light dark">'
    '<meta name="referrer" content="no-referrer">'
)
_MOST_POINTS: Final = 240
_MOST_CURRENCIES: Final = 8
_OLD: Final = (
    "How it went over time, balances by size and examples of errors need the summary of a newer "
    "release: this one does not hold them."
)


def report_page(summary: RefreshSummary) -> str:
    """The page of `summary`, whole.

    Raises:
        ConfigurationError: the extra ``report`` is not installed.
    """
    title = f"{summary.run_id or 'A run'}: {verdict(summary).words}"
    body = joined(*_top(summary), *_over_time(summary), *_counts(summary), *_rest(summary))
    head = joined(_HEAD, tag("title", title), tag("style", Html(_style())))
    page = tag("html", tag("head", head), tag("body", tag("main", body)), lang="en")
    return f"<!DOCTYPE html>\n{page}\n"


def _style() -> str:
    return (files("altcraft_balance.refresh.report") / "style.css").read_text(encoding="utf-8")


# ── the answer ───────────────────────────────────────────────────────────────────────────────


def _top(summary: RefreshSummary) -> Iterator[Html]:
    words, tone = verdict(summary)
    began = f"{summary.started_at:%Y-%m-%d %H:%M} UTC"
    ended = "" if summary.finished_at is None else f" to {summary.finished_at:%Y-%m-%d %H:%M} UTC"
    yield tag("p", tag("bdi", summary.run_id or "A run"), f", {began}{ended}", class_="run")
    yield tag("h1", tag("span", words, class_=f"verdict {tone}"), f": {_rows_done(summary)}")
    for sentence in sentences(summary):
        yield tag("p", sentence, class_="lead")
    if summary.reason:
        yield tag("p", tag("bdi", summary.reason), class_="reason")
    yield tag("dl", *_key_figures(summary), class_="key")


def _rows_done(summary: RefreshSummary) -> str:
    if summary.total is None:
        return f"{plural(summary.rows, 'row')} answered"
    about = "" if summary.total_is_exact else "about "
    return f"{summary.rows:,} of {about}{plural(summary.total, 'row')} answered"


def _key_figures(summary: RefreshSummary) -> Iterator[Html]:
    statuses = summary.statuses
    found, answers = statuses.get("found", 0), sum(statuses.values())
    yield _key("Found", figure("statuses.found", found), share(found, answers))
    failed = answers - found - statuses.get("not_a_member", 0)
    yield _key("Not answered", f"{failed:,}", share(failed, answers))
    yield _key(
        "Rows a second",
        figure("rows_per_s", summary.rows_per_s, f"{summary.rows_per_s:,.1f}"),
        span(summary.elapsed_s),
    )
    # Answers that are waited for in all slots are the work itself.
    lost = sum(seconds for name, seconds in summary.lost_s.items() if name != "slots")
    lost = min(lost, summary.elapsed_s)
    yield _key("Time lost, but for answers", span(lost), share(lost, summary.elapsed_s))
    times = (f"p99 {milliseconds(summary.p99_s)}", milliseconds(summary.p50_s))
    yield _key("Time of a row, p50", figure("p50_s", summary.p50_s, times[1]), times[0])
    repeats = plural(summary.repeats, "repeat")
    yield _key("Requests", figure("requests", summary.requests), repeats)


def _key(name: str, value: str, below: str) -> Html:
    return tag("div", tag("dt", name), tag("dd", value, tag("small", below)))


# ── why it was slow ──────────────────────────────────────────────────────────────────────────


def _over_time(summary: RefreshSummary) -> Iterator[Html]:
    yield tag("h2", "Where the time went")
    lost = tables.lost_table(summary.lost_s, summary.elapsed_s)
    points = summary.timeline.get("points", [])[:_MOST_POINTS]
    timeline = {**summary.timeline, "points": points}
    if points:
        yield tag("div", *filter(None, _time_charts(timeline)), lost, class_="charts")
    else:
        yield tag("p", "Nothing was counted yet." if summary.timeline else _OLD, class_="note")
        yield lost
    if processes := timeline.get("processes"):
        yield tables.processes_table(processes)
    if points:
        yield _folded("The run, stretch by stretch", tables.points_table(timeline))


def _time_charts(timeline: Mapping[str, Any]) -> Iterator[Html | None]:
    lost = {reason(name).name: colour_of(name) for name in lost_by(timeline)}
    yield _chart("Time lost", lost_chart(timeline), _note(timeline), lost)
    legend = {"answered": "first", "failed": "bad"}
    yield _chart("Throughput", throughput_chart(timeline), "", legend)
    note = "From when a row was taken to its answer, waits included."
    legend = {"half of the rows (p50)": "first", "99 of 100 (p99)": "second"}
    yield _chart("Time of a row", latency_chart(timeline), note, legend)


def _note(timeline: Mapping[str, Any]) -> str:
    later = [process["at"][:16] for process in timeline["processes"] if process["at_s"] > 0]
    text = "Share of each stretch, by what was waited for."
    if not later:
        return text
    shown = ", ".join(moment.replace("T", " ") for moment in later[:3])
    return f"{text} Dashed: another process went on ({shown}{', …' if later[3:] else ''} UTC)."


# ── what came back ───────────────────────────────────────────────────────────────────────────


def _counts(summary: RefreshSummary) -> Iterator[Html]:
    yield tag("h2", "What came back")
    kinds = summary.errors.get("kinds", [])
    charts = (
        _chart("Answers by status", outcomes_chart(summary.statuses)),
        _chart("Errors by kind", errors_chart(kinds)),
    )
    yield tag("div", *filter(None, charts), class_="charts")
    yield tables.statuses_table(summary.statuses)
    if kinds:
        yield tables.errors_table(summary.errors)
    yield from _beyond("errors.beyond", summary.errors, "answers are of further kinds")
    yield from _balances(summary.balances)


def _balances(balances: Mapping[str, Any]) -> Iterator[Html]:
    for place, pair in enumerate(balances.get("currencies", [])[:_MOST_CURRENCIES]):
        path, currency = f"balances.currencies.{place}.currency", pair["currency"]
        of = tag("bdi", figure(path, currency, "the account's own" if currency is None else None))
        yield tag("h2", "Balances, ", of)
        legend = {"total": "first", "active": "second"}
        chart = _chart("Balances by size", balances_chart(f"balances-{place}", pair), "", legend)
        charts = [chart] if chart else []
        yield tag("div", *charts, tables.balances_table(place, pair), class_="charts")
        yield _folded("How many of which size", tables.sizes_table(place, pair))
    yield from _beyond("balances.beyond", balances, "balances are of further currencies")


def _beyond(path: str, counted: Mapping[str, Any], words: str) -> Iterator[Html]:
    if counted:
        shown = figure(path, counted["beyond"])
        yield tag("p", shown, f" {words}", class_="note", hidden=None if counted["beyond"] else "")


# ── the rest ─────────────────────────────────────────────────────────────────────────────────


def _rest(summary: RefreshSummary) -> Iterator[Html]:
    yield tag("h2", "The run")
    settings = tables.named_table("Settings", "settings", summary.settings)
    kinds = tables.named_table("Answers by the error's kind", "kinds", summary.kinds)
    others = tag("div", settings, kinds if summary.kinds else Html())
    yield tag("div", tables.figures_table(summary), others, class_="tables")
    yield tag("footer", tag("p", f"Made by altcraft-balance {__version__}.", class_="note"))


def _chart(
    title: str, drawing: Html | None, note: str = "", legend: Mapping[str, str] | None = None
) -> Html | None:
    if drawing is None:
        return None
    items = [
        tag("li", name, style=f"--colour: var(--{colour})")
        for name, colour in (legend or {}).items()
    ]
    told = [tag("h3", title)]
    if note:
        told.append(tag("p", note))
    if items:
        told.append(tag("ul", *items, class_="legend"))
    return tag("figure", tag("figcaption", *told), drawing)


def _folded(title: str, content: Html) -> Html:
    return tag("details", tag("summary", title), content)
