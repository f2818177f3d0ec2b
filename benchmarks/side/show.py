"""The table as text."""

from collections.abc import Iterable
from typing import Any

from benchmarks.side.figures import spread
from benchmarks.side.machine import described

_BLOCKS = (
    ("cpu_us", "CPU of the client's process per lookup, µs: median (quartiles)", "{:.1f}"),
    ("per_s", "lookups per second: median (quartiles)", "{:,.0f}"),
)


def text(found: dict[str, Any]) -> str:
    """All blocks, what is to be said of single rows, and the ratios."""
    parts = [described(found["machine"])]
    blocks = {(cell["format"], cell["at"]): None for cell in found["cells"]}
    for syntax, at in blocks:
        cells = [c for c in found["cells"] if (c["format"], c["at"]) == (syntax, at)]
        parts += [_block(found, cells, syntax, at), _ratios(found["ratios"], syntax, at)]
    return "\n\n".join(part for part in (*parts, _notes(found)) if part) + "\n"


def _block(found: dict[str, Any], cells: list[dict], syntax: str, at: int) -> str:
    columns = list({(cell["connection"], cell["loop"]): None for cell in cells})
    names = _sorted(cells)
    rows = {name: {(c["connection"], c["loop"]): c for c in cells if c["client"] == name}
            for name in names}  # fmt: skip
    heads = [f"{connection}, {loop}" for connection, loop in columns]
    parts = []
    for figure, title, number in _BLOCKS:
        lines = [
            [_title(found, name), *(_spread(row.get(column), figure, number) for column in columns)]
            for name, row in rows.items()
        ]
        mine = [w for w in found["wrk"] if (w["format"], w["at"]) == (syntax, at)]
        lines += _limits(mine, columns, figure, number)
        parts.append(grid(f"{at} at once, {syntax}. {title}", heads, lines))
    lines = [
        [_title(found, name), *(_latency(row.get(column)) for column in columns)]
        for name, row in rows.items()
    ]
    parts.append(grid(f"{at} at once, {syntax}. latency, ms: p50 / p99", heads, lines))
    return "\n\n".join(parts)


def _sorted(cells: list[dict]) -> list[str]:
    """Clients by the least CPU that they need under any condition; those without come last."""
    least: dict[str, float] = {}
    for cell in cells:
        spent = cell["cpu_us"]["median"] if cell["cpu_us"] else float("inf")
        least[cell["client"]] = min(spent, least.get(cell["client"], float("inf")))
    return sorted(least, key=lambda name: least[name])


def _title(found: dict[str, Any], name: str) -> str:
    about = found["clients"][name]
    failed = any(cell["failed"] for cell in found["cells"] if cell["client"] == name)
    marks = ("*" if about["note"] else "") + ("!" if failed else "")
    return about["title"] + marks


def _spread(cell: dict | None, figure: str, number: str) -> str:
    if cell is None or cell[figure] is None:
        return "-"
    middle, low, high = (number.format(cell[figure][name]) for name in ("median", "low", "high"))
    return f"{middle} ({low}-{high})" + ("!" if cell["failed"] else "")


def _latency(cell: dict | None) -> str:
    if cell is None or cell["p50_ms"] is None:
        return "-"
    return f"{cell['p50_ms']['median']:.2f} / {cell['p99_ms']['median']:.2f}"


def _limits(limits: list[dict], columns: list[tuple], figure: str, number: str) -> list[list[str]]:
    """The line of wrk, which has no loop; nothing when it was not there."""
    runs: dict[str, list[float]] = {}
    for limit in limits:
        runs.setdefault(limit["connection"], []).append(limit[figure])
    if not runs:
        return []
    middles = {name: number.format(spread(found).median) for name, found in runs.items()}
    return [["wrk, one thread: what the server can do", *(middles.get(c, "-") for c, _ in columns)]]


def _ratios(rows: list[dict], syntax: str, at: int) -> str:
    lines = [
        f"  {row['of']} : {row['to']}, {row['connection']}, {row['loop']}: "
        f"{row['median']:.2f} ({row['low']:.2f}-{row['high']:.2f})"
        for row in rows
        if (row["format"], row["at"]) == (syntax, at) and "median" in row
    ]
    title = f"{at} at once, {syntax}. ratios of CPU per lookup, round by round"
    return "\n".join((title, *lines)) if lines else ""


def _notes(found: dict[str, Any]) -> str:
    notes = [f"* {a['title']}: {a['note']}" for a in found["clients"].values() if a.get("note")]
    notes += [f"not there: {name}: {why}" for name, why in found["missing"].items()]
    notes += [
        f"! {cell['client']}, {cell['connection']}, {cell['loop']}, {cell['format']}, "
        f"{cell['at']} at once: {cell['failed']} failed: {cell['trouble']}"
        for cell in found["cells"]
        if cell["failed"]
    ]
    versions = {p: v for a in found["clients"].values() for p, v in a.get("versions", {}).items()}
    notes.append(", ".join(f"{package} {version}" for package, version in versions.items()))
    return "\n".join(notes)


def grid(title: str, heads: Iterable[str], lines: list[list[str]]) -> str:
    """Rows of equal widths under a title; the first column to the left, the others to the right."""
    rows = [["", *heads], *lines]
    widths = [max(len(row[number]) for row in rows) for number in range(len(rows[0]))]
    shown = [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join((title, *shown))
