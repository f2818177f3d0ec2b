"""The benchmarks run, and the figures that README promises are not far off."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fast import fast_environment

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def printed(name, *arguments):
    """What a benchmark prints, in a process without coverage and development mode."""
    ended = subprocess.run(
        [sys.executable, f"benchmarks/{name}.py", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=ROOT,
        env=fast_environment(PYTHONPATH=str(ROOT)),
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_shared_policies_cost_little(size):
    """CPU per lookup beside the plain path, in one run; the figure is some 1.13, with room.

    The least of the rounds is compared: other programs on the machine only ever add to them.
    """
    lookups = ("--lookups", size("4000", quick="1000"))
    table = json.loads(printed("overhead", "--json", "--rounds", "5", *lookups))
    for row in table.values():
        plain, ours = row["least_us"]
        assert ours / plain < 1.35, table


def test_a_refresh_costs_little_over_the_stream(size):
    """CPU per row, as multiples of reading, writing and committing alone: some 3.3, with room.

    Not as a ratio to the stream, which a leaner stream would make worse.
    """
    rows = ("--rows", size("5000", quick="2000"))
    table = json.loads(printed("refresh", "--json", "--rounds", "5", *rows))
    least = table["least"]
    more = least["all of it"] - least["the bare stream"]
    assert 0 < more / least["reading, writing, committing"] < 5, table


def test_the_rule_for_the_rate_is_compared(size):
    """A line for each kind of server."""
    assert "bucket of 10 " in printed("rates", *size([], quick=["bucket of 10"]))


def test_the_rule_for_the_width_is_compared(size):
    """A line for each kind of server and each rule."""
    assert "AdaptiveWidth" in printed("widths", *size([], quick=["1", "8 workers"]))


def test_a_peer_that_is_not_installed_is_named():
    """One sentence, with what to install."""
    without = (
        "import runpy, sys; sys.modules['tenacity'] = None; sys.argv[1:] = ['--help']; "
        "runpy.run_path('benchmarks/pacing.py', run_name='__main__')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", without], capture_output=True, text=True, check=False, cwd=ROOT
    )
    sentence = "tenacity is not installed: pip install -e '.[test,bench]'\n"
    assert (ended.returncode, ended.stderr) == (1, sentence)


def test_the_peers_are_compared(size):
    """Side by side with what others write; the quickest scenario, one seed."""
    if size("more", quick="few") == "few":
        pytest.skip("at a larger size")
    pytest.importorskip("tenacity", reason="the extra bench is not installed")
    pytest.importorskip("aiohttp_retry", reason="the extra bench is not installed")
    assert "per-item backoff" in printed("pacing", "--scenario", "slow", "--seeds", "1")
