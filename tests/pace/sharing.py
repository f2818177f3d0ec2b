"""Runs several programs that share a rate, and counts what they sent together."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

from tests.fast import fast_environment

ROOT = Path(__file__).parents[2]


def share(processes, *, program="tests.pace.sharer", meanwhile=None, patience_s=60, **options):
    """What `processes` of the module `program` print, with `options` as their arguments.

    Each says ``ready``, and begins at the first line of its input: all at the same moment. Then
    `meanwhile` is called, to stop the store, say.
    """
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    command = [sys.executable, "-W", "error", "-m", program, *arguments]
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(
                subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    env=fast_environment(),
                    cwd=ROOT,
                )
            )
            for _ in range(processes)
        ]
        for one in running:
            stack.callback(one.kill)
        for one in running:
            first = one.stdout.readline()
            assert first == "ready\n", (first, one.communicate())
        for one in running:
            one.stdin.write("go\n")
            one.stdin.flush()
        if meanwhile is not None:
            meanwhile()
        return [_printed(one, patience_s) for one in running]


def _printed(process, patience_s):
    said, complaints = process.communicate(timeout=patience_s)
    assert process.returncode == 0, complaints
    assert complaints == ""
    return json.loads(said)


def fullest_second(moments):
    """The most of `moments` that lie within any one second, and when that second began."""
    moments = sorted(moments)
    worst, began, first = 0, 0.0, 0
    for index, moment in enumerate(moments):
        while moment - moments[first] >= 1.0:
            first += 1
        if index - first + 1 > worst:
            worst, began = index - first + 1, moments[first]
    return worst, began


def per_second(moments):
    """How many of `moments` there were per second, from the first to the last."""
    return (len(moments) - 1) / (max(moments) - min(moments))
