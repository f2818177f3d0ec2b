"""Processes that are forked from one that has imported everything: a case costs milliseconds.

The parent has no loop and no thread, so that a fork of it is as good as a new process.
"""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import traceback
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
HUNG_S = 60


def fork(work, limit_s=HUNG_S):
    """The id of a process that does `work`, and says with 0 that it came to its end.

    After `limit_s` seconds it hangs, and is ended; 0: it may take as long as it likes.
    """
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        signal.alarm(limit_s)
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def ended(child):
    """How the process `child` ended: 0, its code, or minus a signal's number."""
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def in_fork(work):
    """How a process ended that did `work`."""
    return ended(fork(work))


def side_by_side(works):
    """Do all `works` at once, each in a process of its own; what they wrote, as bytes."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / str(number) for number, _ in enumerate(works)]
        children = [
            fork(lambda work=work, file=file: file.write_bytes(work()), limit_s=0)
            for work, file in zip(works, files, strict=True)
        ]
        codes = [ended(child) for child in children]
        assert not any(codes), codes
        return [file.read_bytes() for file in files]


@contextlib.contextmanager
def place():
    """A folder for one case; in memory, where there is such a place: a kill is as hard there."""
    above = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="refresh-", dir=above))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
