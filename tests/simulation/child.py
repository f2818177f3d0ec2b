"""The command in a process of its own: coverage and development mode slow a run tenfold."""

import json
import subprocess
import sys
from pathlib import Path

from tests.fast import fast_environment

ROOT = Path(__file__).parents[2]


def begin(*arguments, hash_seed="random"):
    """Start ``python -m tests.simulation --json`` with further arguments."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.simulation", "--json", *map(str, arguments)],
        cwd=ROOT,
        env=fast_environment(PYTHONHASHSEED=hash_seed),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def figures_of(process, *, limit_s=600):
    """What it printed, when it has ended; there must be nothing that it complains about."""
    printed, complaint = process.communicate(timeout=limit_s)
    assert not complaint, complaint
    return json.loads(printed)
