"""Replays one seed with a readable trace, or runs many: ``python -m tests.simulation --help``."""

import argparse
import json
import sys

from tests.simulation.bounds import broken_bounds
from tests.simulation.runner import run_seeds
from tests.simulation.scenarios import SCENARIOS, scenario_for
from tests.simulation.world import simulate


def main(arguments=None):
    """The command; gives the exit code: 1 when a promise did not hold."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    if asked.list:
        for scenario in SCENARIOS.values():
            _say(f"{scenario.name:<16}{scenario.items:>6} items  {scenario.says}")
        return 0
    if asked.seeds is not None:
        return _many(asked)
    return _one(asked)


def _parser():
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="what to replay")
    parser.add_argument("--scenario", choices=SCENARIOS, help="by default the seed draws a mix")
    parser.add_argument("--lane", choices=("aiohttp", "direct"), default="aiohttp")
    parser.add_argument("--items", type=int, help="lookups, in the place of the scenario's own")
    parser.add_argument("--seeds", type=_span, metavar="FIRST:END", help="run all of these")
    parser.add_argument("--json", action="store_true", help="figures alone, as JSON")
    parser.add_argument("--quiet", action="store_true", help="no trace, only the summary")
    parser.add_argument("--list", action="store_true", help="what scenarios there are")
    return parser


def _span(text):
    first, _, end = text.partition(":")
    return range(int(first), int(end))


def _one(asked):
    scenario = scenario_for(asked.seed, asked.scenario, asked.items)
    run = simulate(scenario, asked.seed, asked.lane)
    missed = broken_bounds(run.report)
    if asked.json:
        _say(json.dumps({**run.report.as_dict(), "bounds": missed}))
    else:
        shown = () if asked.quiet else (*run.lines, "")
        for line in (*shown, *run.report.lines(), *(f"MISSED   {bound}" for bound in missed)):
            _say(line)
    return 1 if run.report.problems else 0


def _many(asked):
    seeds = run_seeds(asked.seeds.start, len(asked.seeds), asked.scenario, asked.items)
    if asked.json:
        _say(json.dumps(seeds.as_dict()))
    else:
        for line in seeds.lines():
            _say(line)
    return 1 if seeds.problems else 0


def _say(line):
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:  # the reader has seen enough
        sys.stderr.close()
