"""Memory and CPU as a batch grows: each size in a process of its own, members made as they go.

The peak is the process's own highest resident memory. aiohttp as most people write it makes a
task for every member, so it is asked for no more than 100,000.
"""

import random
import sys
from pathlib import Path
from typing import Any

from benchmarks.side import draw
from benchmarks.side.children import children
from benchmarks.side.figures import spread
from benchmarks.side.machine import described
from benchmarks.side.options import Options
from benchmarks.side.server import Server
from benchmarks.side.show import grid

CLIENTS = ("direct", "default", "aiohttp")
MOST_TASKS = 100_000
MOST_ROUNDS = 3
FIGURES = {"cpu_us": "CPU per lookup, µs", "peak_mib": "peak memory, MiB", "per_s": "lookups/s"}


def measure(options: Options, server: Server) -> dict[str, Any]:
    """Every client and size in every round, as JSON."""
    names = [name for name in CLIENTS if name in options.clients]
    cells = [
        (name, size)
        for name in names
        for size in options.sizes
        if name != "aiohttp" or size <= MOST_TASKS
    ]
    runs: dict[tuple[str, int], list[dict]] = {cell: [] for cell in cells}
    found: dict[str, Any] = {"clients": {}, "missing": {}, "cells": []}
    for number in range(min(options.rounds, MOST_ROUNDS)):
        for name, size in random.sample(cells, len(cells)):
            about, result = _one(name, size, options, server)
            found["clients"][name] = about
            runs[name, size].append(result)
        print(f"round {number + 1} of batches that grow", file=sys.stderr)
    for (name, size), results in runs.items():
        if why := found["clients"][name]["missing"]:
            found["missing"][name] = why
        else:
            found["cells"].append(_cell(name, size, results))
    return found


def _one(name: str, size: int, options: Options, server: Server) -> tuple[dict, dict]:
    """A fresh process, one batch on a plain connection."""
    target = server.target(False, "json", options.at[0])
    with children((name,), options.loops[:1]) as (child,):
        if child.about["missing"]:
            return child.about, {}
        return child.about, child.measure(target, size, lazy=True)


def _cell(name: str, size: int, results: list[dict]) -> dict[str, Any]:
    whole = [result for result in results if "cpu_us" in result]
    return {
        "client": name,
        "size": size,
        "failed": sum(result["failed"] for result in whole) + len(results) - len(whole),
        "checked": sum(result["checked"] for result in whole),
    } | {
        figure: spread([result[figure] for result in whole]).as_dict() if whole else None
        for figure in FIGURES
    }


def text(found: dict[str, Any], figure: str) -> str:
    """One figure of all clients and sizes, and how far the largest is from the smallest."""
    sizes = sorted({cell["size"] for cell in found["cells"]})
    lines = []
    for name, about in found["clients"].items():
        row = {c["size"]: c[figure] for c in found["cells"] if c["client"] == name and c[figure]}
        shown = [f"{row[size]['median']:,.1f}" if size in row else "-" for size in sizes]
        lines.append([about.get("title", name), *shown, _growth(row, figure)])
    heads = [*(f"{size:,}" for size in sizes), "grows by"]
    missing = [f"not there: {name}: {why}" for name, why in found["missing"].items()]
    table = grid(f"{FIGURES[figure]}, by the length of the batch", heads, lines)
    return "\n".join((described(found["machine"]), "", table, *missing)) + "\n"


def _growth(row: dict[int, dict], figure: str) -> str:
    if len(row) < 2:
        return "-"
    first, last = row[min(row)]["median"], row[max(row)]["median"]
    return f"{last - first:+.1f} MiB" if figure == "peak_mib" else f"{last / first - 1:+.1%}"


def plot(path: Path, found: dict[str, Any], figure: str) -> None:
    """A line for each client."""

    def paint(axes: Any) -> None:
        (panel,) = axes
        for name, about in found["clients"].items():
            mine = [c for c in found["cells"] if c["client"] == name and c[figure]]
            middles = [cell[figure]["median"] for cell in mine]
            if mine:
                panel.plot([c["size"] for c in mine], middles, "o-", label=about["title"])
        panel.set(xscale="log", xlabel="lookups in the batch", title=FIGURES[figure])
        panel.set_ylim(bottom=0)
        panel.legend()

    if found["cells"]:
        draw.drawn(path, paint)
