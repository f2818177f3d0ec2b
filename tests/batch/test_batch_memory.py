"""Memory does not grow with the number of items."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import altcraft_balance

ROOT = Path(altcraft_balance.__file__).parents[1]
CHILD = Path(__file__).with_name("memory_child.py")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "how", "order", "limit_kib"),
    [
        (200_000, "rss", "as they come", 5 * 1024),
        (20_000, "tracemalloc", "ordered", 256),
    ],
)
def test_a_long_run_needs_no_more_memory_than_a_short_one(size, count, how, order, limit_kib):
    """In a process of its own: over that of the first 10,000 members, at any moment."""
    count = size(count, quick=count // 10)
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("COV", "PYTHONDEV"))}
    environ["PYTHONPATH"] = str(ROOT)
    child = subprocess.run(
        [sys.executable, str(CHILD), str(count), how, order],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert child.returncode == 0, child.stderr
    grown_kib, found = map(int, child.stdout.split())
    assert found == 10_000 + count
    assert grown_kib < limit_kib
