"""The rows of `benchmarks/pacing.py`, and how they are shown as text."""

import statistics

from benchmarks.side_by_side import NAMES, scenario_of

#: The share of items that may be lost before a time is no longer comparable.
FORGIVEN = 0.01
HEADS = ("requests an item", "time / ideal", "worst 100 ms", "lost")
WIDTHS = (17, 14, 14, 24)


def row(scenario, client, reports):
    """The medians of one client's reports."""
    lost = [sum(report.failed.values()) for report in reports]
    return {
        "scenario": scenario,
        "client": client,
        "items": reports[0].items,
        "requests_per_item": statistics.median(report.requests_per_item for report in reports),
        "time_of_ideal": statistics.median(report.time_s / report.ideal_s for report in reports),
        "ideal_s": reports[0].ideal_s,
        "worst_100_ms": statistics.median(_worst_100_ms(report) for report in reports),
        "lost": statistics.median(lost),
        "lost_range": [min(lost), max(lost)],
    }


def _worst_100_ms(report):
    after = report.worst_100_ms_after
    return report.worst_100_ms if after is None else after


def gave_up(figures):
    """Whether so many items were lost that the time says little."""
    return figures["lost"] > FORGIVEN * figures["items"]


def table(rows):
    """Lines of text: a block for each scenario."""
    shown = None
    for figures in rows:
        if figures["scenario"] != shown:
            shown = figures["scenario"]
            yield from _heading(figures)
        yield _line("  " + figures["client"], _cells(figures))


def _heading(figures):
    scenario = scenario_of(figures["scenario"], NAMES[0])
    size = f"{figures['items']:,} items, {scenario.concurrency:,} at once"
    yield ""
    yield f"{scenario.name}: {scenario.says}"
    yield _line(f"{size}, ideal {figures['ideal_s']:.0f} s", HEADS)


def _cells(figures):
    time, worst = f"{figures['time_of_ideal']:.2f}", figures["worst_100_ms"]
    low, high = figures["lost_range"]
    return (
        f"{figures['requests_per_item']:.3f}",
        f"({time})" if gave_up(figures) else time,
        f"{worst:,.0f}" if worst else "-",
        f"{figures['lost']:,.0f}" + (f" ({low:,} to {high:,})" if low < high else ""),
    )


def _line(name, cells):
    return f"{name:<42}" + "".join(
        f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True)
    )
