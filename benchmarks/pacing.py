"""Many lookups against one server in its bad hours: this client beside what others do.

    pip install -e '.[test,bench]'
    python benchmarks/pacing.py [--scenario quota ...] [--seeds 3] [--plot FILE] [--json]

The peers and their settings are in `benchmarks/peers.py`, the servers in
`tests/simulation/scenarios.py`. All of it runs in memory on a virtual clock, aiohttp's client and
server included, so that ten minutes of an outage take seconds and the machine's load changes
nothing. Figures are medians of the seeds, each on its own:

- requests an item: what arrived at the server; a connection that was refused brought none.
- time / ideal: from the first item to the last outcome, over that of a client which knew the
  server's every turn beforehand. In brackets when more than one item in a hundred was lost, since
  giving up is quick.
- worst 100 ms: the most requests that arrived at the server within 100 ms; where there is an
  outage, from when the server was up again for the first time ("-": nobody asked any more).
- lost: items that failed, although the server came back; the range when the seeds differ.
"""

import argparse
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # also when it is run by its path

try:
    from benchmarks.pacing_table import row, table
    from benchmarks.side_by_side import SIZES, run, runs
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is not installed: pip install -e '.[test,bench]'")


def main(arguments=None):
    asked = _parser().parse_args(arguments)
    rows = measure(asked.scenario or list(SIZES), asked.seeds, asked.jobs)
    if asked.json:
        print(json.dumps(rows, indent=1))
    else:
        print("\n".join(table(rows)))
    if asked.plot:
        from benchmarks.pacing_plot import draw

        draw(rows, asked.plot)


def _parser():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", action="append", choices=SIZES, help="by default all")
    parser.add_argument("--seeds", type=int, default=3, help="how many; by default 3")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at a time")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="also draw; needs matplotlib")
    parser.add_argument("--json", action="store_true", help="the figures as JSON")
    return parser


def measure(scenarios, seeds, jobs):
    """A row of figures for each scenario and client, in the order of the table."""
    todo = runs(scenarios, seeds)
    reports = {}
    with ProcessPoolExecutor(jobs) as pool:
        for (scenario, client, _), report in zip(
            todo, pool.map(run, *zip(*todo, strict=True)), strict=True
        ):
            reports.setdefault((scenario, client), []).append(report)
    return [row(*key, reports[key]) for key in reports]


if __name__ == "__main__":
    main()
