"""How long Python takes to start, to import, and to the first balance; in processes of their own.

Imports are told less the bare interpreter, first lookups less the benchmark's own modules.
"""

import random
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.side import draw
from benchmarks.side.figures import Spread, spread
from benchmarks.side.machine import described
from benchmarks.side.options import Options
from benchmarks.side.server import ROOT, Server
from benchmarks.side.show import grid

IMPORTS = {
    "import altcraft_balance": "import altcraft_balance",
    "BalanceClient, not opened": "from altcraft_balance import BalanceClient",
    "import aiohttp": "import aiohttp",
    "import httpx": "import httpx",
    "import niquests": "import niquests",
    "import pyreqwest": "import pyreqwest.client",
}
LEAST_ROUNDS = 5
_WHOLE = ("wall_ms", "cpu_ms")
BARE, OWN = "the bare interpreter", "the benchmark's own modules"


def measure(options: Options, server: Server) -> dict[str, Any]:
    """Milliseconds of wall clock and CPU for each row, as JSON."""
    url = server.urls[False, "json"]
    commands = {BARE: ["-c", "pass"], OWN: _first("nobody", url)}
    commands |= {title: ["-c", code] for title, code in IMPORTS.items()}
    commands |= {f"first lookup: {name}": _first(name, url) for name in options.clients}
    runs: dict[str, list[tuple[float, float]]] = {title: [] for title in commands}
    rounds = options.rounds if options.rounds == 1 else max(LEAST_ROUNDS, options.rounds)
    for _ in range(rounds + 1):
        for title in random.sample(list(commands), len(commands)):
            if (took := _timed(commands[title])) is not None:
                runs[title].append(took)
    whole = {title: took[1:] for title, took in runs.items() if len(took) > 1}
    failed = {title: rounds + 1 - len(took) for title, took in runs.items()}
    return {
        "rows": [_row(title, took, whole) for title, took in whole.items()],
        "failed": {title: count for title, count in failed.items() if count},
        "rounds": rounds + 1,
    }


def _first(name: str, url: str) -> list[str]:
    return ["-m", "benchmarks.side.first", name, url]


def _timed(arguments: list[str]) -> tuple[float, float] | None:
    """Seconds of wall clock and CPU; None when it failed, so is not there."""
    before, began = _cpu_s(), time.perf_counter()
    ended = subprocess.run([sys.executable, *arguments], capture_output=True, cwd=ROOT, check=False)
    wall, after = time.perf_counter() - began, _cpu_s()
    return None if ended.returncode else (wall, after - before)


def _cpu_s() -> float:
    """Seconds of CPU of the children that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _row(title: str, took: list[tuple[float, float]], runs: dict[str, list]) -> dict[str, Any]:
    base = OWN if title.startswith("first") else BARE
    wall = spread([one[0] for one in took])
    less = 0.0 if title in (BARE, OWN) else spread([one[0] for one in runs[base]]).median
    more = Spread(wall.median - less, wall.low - less, wall.high - less)
    cpu = spread([one[1] for one in took])
    return {
        "title": title,
        "wall_ms": wall.scaled(1e3).as_dict(),
        "more_ms": more.scaled(1e3).as_dict(),
        "cpu_ms": cpu.scaled(1e3).as_dict(),
    }


def text(found: dict[str, Any]) -> str:
    """A line for each row."""
    lines = [
        [row["title"], _spread(row["more_ms"]), *(f"{row[name]['median']:.0f}" for name in _WHOLE)]
        for row in found["rows"]
    ]
    missing = [
        f"! {title}: {count} of {found['rounds']} failed"
        for title, count in found["failed"].items()
    ]
    table = grid("start-up, ms: median", ["on top (quartiles)", "whole", "CPU"], lines)
    return "\n".join((described(found["machine"]), "", table, *missing)) + "\n"


def _spread(one: dict[str, float]) -> str:
    return f"{one['median']:.0f} ({one['low']:.0f} to {one['high']:.0f})"


def plot(path: Path, found: dict[str, Any]) -> None:
    """A bar for each row, on top of its base."""

    def paint(axes: Any) -> None:
        (panel,) = axes
        rows = found["rows"][::-1]
        bars = panel.barh([r["title"] for r in rows], [r["more_ms"]["median"] for r in rows])
        panel.bar_label(bars, fmt="%.0f", padding=4)
        panel.set_title("start-up, ms on top of the bare interpreter or the benchmark's modules")
        panel.margins(x=0.15)

    draw.drawn(path, paint, height=1.5 + 0.3 * len(found["rows"]))
