"""The points at which a process may die while it speaks to a database: around its commits.

``before``: it has not said COMMIT. ``inside``: it has said so, and has not heard an answer; in
SQLite the thread that commits is at it. ``after``: it has heard.
"""

import asyncio
import os
import signal

import aiosqlite
from asyncpg.transaction import Transaction

from tests.promises.refresh_points import Points

WHEN = ("before", "inside", "after")
SQL_POINTS = tuple(f"{when} COMMIT" for when in WHEN)


class SqlPoints(Points):
    """Counts commits in a database too, and dies at one of them; with `files` False those alone.

    Args:
        does: what is done at the point; None: the process is killed.
    """

    def __init__(self, at, log, only="", *, files=False, does=None):
        super().__init__(at, log, only)
        self._files, self._does = files, does

    def install(self):
        if self._files:
            super().install()
        for kind in (Transaction, aiosqlite.Connection):
            kind.commit = self._around_commit(kind.commit)

    def _around_commit(self, commit):
        async def committed(connection):
            self._point("before COMMIT")
            work = asyncio.ensure_future(commit(connection))
            await asyncio.sleep(0)  # now it is said
            self._point("inside COMMIT")
            await work
            self._point("after COMMIT")

        return committed

    def _point(self, label, last_act=None):
        if self._does is None:
            super()._point(label, last_act)
            return
        self.count += self._only in {"", label}
        if self.count == self._at and self._only in {"", label}:
            os.write(self._log, f"killed {label}\n".encode())
            self._does()


def killed(code):
    """Whether a process with this exit code was killed."""
    return code == -signal.SIGKILL
