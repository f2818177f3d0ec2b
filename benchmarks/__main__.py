"""The side-by-side suite in one command; see `benchmarks.side`.

    python -m benchmarks [--quick | --full] [--only table] [--clients direct,floor] [--at 1,64]

Each part prints a table, and leaves text, JSON and a plot in ``benchmarks/results``. The peers are
brought by ``pip install -e '.[test,bench]'``; one that is not installed is named.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.side import codec, draw, grow, show, startup, table
from benchmarks.side.machine import machine
from benchmarks.side.options import Options, parse
from benchmarks.side.ratios import ratios
from benchmarks.side.server import Server, running
from benchmarks.side.svg import chart


def _table(options: Options, server: Server) -> dict[str, Any]:
    found = table.measure(options, server)
    return found | {"ratios": ratios(found["cells"])}


def _grown(figure: str) -> tuple[Callable, Callable, Callable]:
    return (
        grow.measure,
        lambda found: grow.text(found, figure),
        lambda path, found: grow.plot(path, found, figure),
    )


#: For each part how it is measured, told and drawn.
PARTS: dict[str, tuple[Callable, Callable, Callable]] = {
    "table": (_table, show.text, draw.table),
    "scaling": _grown("cpu_us"),
    "memory": _grown("peak_mib"),
    "startup": (startup.measure, startup.text, startup.plot),
    "codec": (codec.measure, codec.text, codec.plot),
}


def run(options: Options, server: Server) -> dict[str, dict[str, Any]]:
    """Measure all parts, print and keep each as soon as it is there; by name, as JSON."""
    done: dict[Callable, dict[str, Any]] = {}  # two parts are told from one measurement
    results = {}
    about = machine(server.title)
    options.results.mkdir(parents=True, exist_ok=True)
    for name in options.parts:
        measure, text, plot = PARTS[name]
        if measure not in done:
            done[measure] = {"machine": about} | measure(options, server)
        results[name] = done[measure]
        _keep(options.results / name, results[name], text(results[name]), plot)
    return results


def _keep(path: Path, found: dict[str, Any], told: str, plot: Callable) -> None:
    print(told, flush=True)
    path.with_suffix(".txt").write_text(told, encoding="utf-8")
    kept = json.dumps(found, indent=1, ensure_ascii=False)
    path.with_suffix(".json").write_text(kept + "\n", encoding="utf-8")
    plot(path.with_suffix(".png"), found)


def main() -> None:
    """Run what the command line asks for."""
    options = parse()
    with running(options.server) as server:
        results = run(options, server)
    if options.svg is not None and "table" in results:
        at = 64 if 64 in options.at else options.at[0]
        options.svg.write_text(chart(results["table"], at), encoding="utf-8")


if __name__ == "__main__":
    main()
