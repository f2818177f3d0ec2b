"""Tests that measure time, kept from running beside others when workers run in parallel.

Each test holds one lock of all workers: a usual one shares it, one that is marked ``alone`` has it
for itself. Who waits for it holds a second lock, the gate, so that nobody comes in between.
"""

import contextlib
import fcntl
import os
from pathlib import Path


@contextlib.contextmanager
def turn(folder, *, alone):
    """Within it the test may run; `folder` is the same for all workers."""
    with _open(folder, "gate") as gate, _open(folder, "turn") as own:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(own, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield


@contextlib.contextmanager
def _open(folder, name):
    file = os.open(Path(folder) / name, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        yield file
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)  # a child that was forked may still have the file
        os.close(file)
