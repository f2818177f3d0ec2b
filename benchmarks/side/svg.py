"""The README's bar chart as SVG, some kilobytes: CPU per lookup, each client on its best loop."""

from typing import Any
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, TOP, ROW = 800, 310, 80, 64, 26
#: Bars that are longer than so many times the middle one end in a gap.
CUT = 2.5
OURS, THEIRS, FLOOR, INK = "#0f766e", "#94a3b8", "#cbd5e1", "#0f172a"
_FONT = f'font-family="system-ui, sans-serif" font-size="13" fill="{INK}"'
_DIM = 'fill="#475569"'


def chart(found: dict[str, Any], at: int) -> str:
    """The chart of the plain connection in JSON, or else of whatever was measured first."""
    cells = _best(found["cells"], at)
    longest = _scale(cells)
    height = TOP + ROW * len(cells) + 34
    title = f"CPU per lookup, {at} at once: less is better"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {_FONT}>',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        _label(16, 26, title, 'font-size="16" font-weight="600"'),
        _label(16, 46, _subtitle(cells), _DIM),
        *(_bar(found, cell, TOP + ROW * n, longest) for n, cell in enumerate(cells)),
        _label(16, height - 12, _source(found), f'font-size="11" {_DIM}'),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _label(x: float, y: float, text: str, style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'


def _best(cells: list[dict], at: int) -> list[dict]:
    """One cell for each client: that of its best loop; sorted. Who fails lookups is not there."""
    known = [c for c in cells if c["cpu_us"] and c["at"] == at and not c["failed"]]
    for name, wanted in (("connection", "plain"), ("format", "json")):
        known = [cell for cell in known if cell[name] == wanted] or known
    known.sort(key=lambda cell: cell["cpu_us"]["median"])
    best: dict[str, dict] = {}
    for cell in known:
        best.setdefault(cell["client"], cell)
    return list(best.values())


def _scale(cells: list[dict]) -> float:
    """The value at the right end: of the longest bar that is no outlier."""
    middles = [cell["cpu_us"]["median"] for cell in cells]
    cut = CUT * middles[len(middles) // 2]
    return max((value for value in middles if value <= cut), default=middles[-1]) * 1.06


def _bar(found: dict[str, Any], cell: dict, top: int, longest: float) -> str:
    """One client's name, bar, whiskers and figure."""
    about, spent = found["clients"][cell["client"]], cell["cpu_us"]
    room = WIDTH - LEFT - RIGHT
    at = {name: LEFT + room * min(1.0, spent[name] / longest) for name in ("median", "low", "high")}
    is_cut = spent["median"] > longest
    color = OURS if about["ours"] else FLOOR if cell["client"] == "floor" else THEIRS
    weight = 'font-weight="600"' if about["ours"] else ""
    middle = top + ROW / 2
    end = LEFT + room if is_cut else max(at["median"], at["high"])
    bar = f'width="{at["median"] - LEFT:.1f}" height="{ROW - 8}" fill="{color}"'
    return "".join(
        (
            _label(LEFT - 10, middle + 4, about["title"], f'text-anchor="end" {weight}'),
            f'<rect x="{LEFT}" y="{top + 4}" {bar}/>',
            _gap(end - 26, top) if is_cut else _whiskers(at["low"], at["high"], middle),
            _label(end + 8, middle + 4, f"{spent['median']:,.0f} µs", weight),
        )
    )


def _gap(x: float, top: int) -> str:
    """Where a bar that is too long for the scale is broken."""
    line = f"M{x:.1f} {top + ROW - 2}l6 {4 - ROW}m6 0l-6 {ROW - 4}"
    return f'<path d="{line}" stroke="#ffffff" stroke-width="3"/>'


def _whiskers(low: float, high: float, y: float) -> str:
    ends = "".join(f"M{x:.1f} {y - 4}v8" for x in (low, high))
    return f'<path d="M{low:.1f} {y}H{high:.1f}{ends}" stroke="{INK}" fill="none"/>'


def _subtitle(cells: list[dict]) -> str:
    connection, syntax = cells[0]["connection"], cells[0]["format"]
    kind = "plain connections" if connection == "plain" else "TLS"
    return (
        f"microseconds of the client's process, all threads; {kind}, {syntax.upper()}, "
        f"each on its best loop; whiskers: quartiles"
    )


def _source(found: dict[str, Any]) -> str:
    machine = found["machine"]
    return (
        f"python -m benchmarks; Python {machine['python']}, {machine['server']}, "
        f"{machine['cpu']}, {machine['cores']} cores"
    )
