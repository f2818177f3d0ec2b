"""The points at which a process may die or a disk may fail: around and inside calls of the system.

`Points` puts itself in the place of the functions of `os` that change something, and around each
commit of the checkpoint, counts, and at the `at`-th point does what it was told to. Points are
counted by what they are, since the thread that writes and the loop are not always equally fast: so
each call is met however they come.
"""

import os
import signal
import time

from altcraft_balance.refresh.state.checkpoint import FileCheckpoint

SAID = "this is a test"
GO_ON = "nothing is lost: see to it, and run the same command again"
CALLS = (
    "write", "pwrite", "fsync", "ftruncate", "replace", "rename", "unlink", "remove", "mkdir",
    "rmdir", "open",
)  # fmt: skip


ALL = ("commit", *CALLS)
READS = ("__init__", "known", "last_row", "answers")
POINTS = ("inside write", *(f"{when} {name}" for name in ALL for when in ("before", "after")))


class Points:
    """Counts points, and dies at one of them.

    Args:
        at: the number of the point, from 1.
        log: a descriptor that is told which one it was.
        only: which points count; "": all.
        hangs_s: seconds that the disk does nothing before.
    """

    def __init__(self, at, log, only="", hangs_s=0.0):
        self._at, self._log, self._only, self._hangs_s = at, log, only, hangs_s
        self._tell, self.count = os.write, 0

    def install(self):
        """Stand in the functions' places, for the rest of this process."""
        for name in CALLS:
            setattr(os, name, self._around(name, getattr(os, name)))
        FileCheckpoint.commit = self._around("commit", FileCheckpoint.commit)

    def _around(self, name, function):
        def called(*arguments, **named):
            if name == "open" and not arguments[1] & os.O_CREAT:
                return function(*arguments, **named)
            return self._call(name, function, arguments, named)

        return called

    def _call(self, name, function, arguments, named):
        self._point(f"before {name}")
        if name == "write":
            self._point("inside write", lambda: function(arguments[0], half(arguments[1])))
        result = function(*arguments, **named)
        self._point(f"after {name}")
        return result

    def _point(self, label, last_act=None):
        self.count += self._only in {"", label}
        if self.count == self._at and self._only in {"", label}:
            if last_act is not None:
                last_act()
            time.sleep(self._hangs_s)
            self._tell(self._log, f"killed {label}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)


class FailingDisk(Points):
    """Fails at the `at`-th call with `error`; a write has done half of its work by then.

    Args:
        at: the number of the call, from 1.
        log: a descriptor that is told which one it was.
        only: which call counts.
        error: the error's number.
        lasts: whether all later calls fail, whatever they are.
    """

    def __init__(self, at, log, only, error, *, lasts):
        super().__init__(at, log, only)
        self._error, self._lasts = error, lasts

    def install(self):
        super().install()
        for name in READS:
            setattr(FileCheckpoint, name, self._around(name, getattr(FileCheckpoint, name)))

    def _call(self, name, function, arguments, named):
        has_failed = self.count >= self._at
        self.count += name == self._only
        fails_now = not has_failed and self.count >= self._at
        if not (fails_now or (has_failed and self._lasts)):
            return function(*arguments, **named)
        if fails_now:
            self._tell(self._log, f"failed {name}\n".encode())
            if name == "write":
                function(arguments[0], half(arguments[1]))
        if name in {"commit", *READS}:  # these have made a sentence of what SQLite says
            path = arguments[1] if name == "__init__" else arguments[0]._path
            raise OSError(self._error, f"{path} cannot be written: {SAID}; {GO_ON}")
        raise OSError(self._error, os.strerror(self._error))


class ShortWrites(Points):
    """Every write takes a third of what it is given."""

    def _call(self, name, function, arguments, named):
        if name == "write":
            data = memoryview(arguments[1])
            return function(arguments[0], data[: max(1, len(data) // 3)])
        return function(*arguments, **named)


def half(data):
    """The first half of `data`."""
    view = memoryview(data)
    return view[: len(view) // 2]
