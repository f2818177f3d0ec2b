"""The plots as PNG, by matplotlib when it is installed."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.side.svg import FLOOR, OURS, THEIRS


def drawn(path: Path, paint: Callable[[Any], None], *, panels: int = 1, height: float = 5) -> None:
    """Write a plot with `panels` side by side; says so when there is no matplotlib.

    `paint` is given the panels' axes.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print(f"no {path.name}: pip install -e '.[bench]' brings matplotlib", file=sys.stderr)
        return
    figure = Figure(figsize=(5.5 * panels, height), layout="constrained")
    paint(figure.subplots(1, panels, squeeze=False)[0])
    figure.savefig(path, dpi=110)


def table(path: Path, found: dict[str, Any]) -> None:
    """CPU per lookup: a panel for each connection and loop, at 64 at once if that was measured."""
    known = [cell for cell in found["cells"] if cell["cpu_us"] and not cell["failed"]]
    known = [cell for cell in known if cell["at"] == 64] or known
    cells = [c for c in known if (c["format"], c["at"]) == (known[0]["format"], known[0]["at"])]
    columns = list({(cell["connection"], cell["loop"]): None for cell in cells})

    def paint(axes: Any) -> None:
        for panel, column in zip(axes, columns, strict=True):
            mine = [cell for cell in cells if (cell["connection"], cell["loop"]) == column]
            _bars(panel, mine, found["clients"])
            panel.set_title(", ".join(column))
            panel.set_xlabel(f"µs of CPU per lookup, {cells[0]['at']} at once (log)")

    if columns:
        drawn(path, paint, panels=len(columns), height=1.5 + 0.3 * len(found["clients"]))


def _bars(panel: Any, cells: list[dict], clients: dict[str, dict]) -> None:
    cells.sort(key=lambda cell: -cell["cpu_us"]["median"])
    spent = [cell["cpu_us"] for cell in cells]
    colors = [
        OURS if clients[c["client"]]["ours"] else FLOOR if c["client"] == "floor" else THEIRS
        for c in cells
    ]
    whiskers = [
        [one["median"] - one["low"] for one in spent],
        [one["high"] - one["median"] for one in spent],
    ]
    names = [clients[cell["client"]]["title"] for cell in cells]
    bars = panel.barh(names, [one["median"] for one in spent], xerr=whiskers, color=colors)
    panel.bar_label(bars, [f"{one['median']:,.0f}" for one in spent], padding=4)
    panel.set_xscale("log")
    panel.margins(x=0.25)
