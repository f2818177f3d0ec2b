"""Where a run's state lies: a folder with its name, locked while a process works on it.

It holds the checkpoint and, of a run that reads a database, the rows that it has read. When the run
has finished, there is only what says so: ``finished.json``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.state import disk
from altcraft_balance.refresh.state.checkpoint import FileCheckpoint
from altcraft_balance.refresh.state.lock import Lock
from altcraft_balance.refresh.state.row_spool import FileSpool

__all__ = [
    "CHECKPOINT",
    "FINISHED",
    "ROWS",
    "STATE",
    "RunFolder",
    "checked_run_id",
    "drop_run",
    "usual_state",
]

CHECKPOINT: Final = "checkpoint.sqlite"
FINISHED: Final = "finished.json"
ROWS: Final = "rows.spool"
STATE: Final = ".altcraft-balance"
_RUN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


def usual_state(output: Path) -> Path:
    """The folder of all runs' state, beside their output."""
    return output.absolute().parent / STATE


def checked_run_id(run_id: str) -> str:
    """A name that a folder can have."""
    if not _RUN_ID.match(run_id):
        raise ConfigurationError(
            "run_id must be made of letters, digits, '.', '_' and '-', 64 at most, such as "
            "2026-11-26"
        )
    return run_id


class RunFolder:
    """The folder of one run, which is this process's until `let_go`.

    Raises:
        ConfigurationError: another process works on the run.
        OSError: the folder cannot be made.
    """

    def __init__(self, state: Path, run_id: str) -> None:
        self.path = state / run_id
        self.where = str(self.path)
        self._state_was_there = state.is_dir()
        with disk.writing(self.path):
            self._lock = _made_and_locked(
                self.path, f"the run {run_id} is under way in another process"
            )

    def finished(self) -> Mapping[str, Any] | None:
        """What `finish` kept, if the run has finished."""
        try:
            return orjson.loads((self.path / FINISHED).read_bytes())  # type: ignore[no-any-return]
        except (FileNotFoundError, orjson.JSONDecodeError):
            return None

    def checkpoint(self) -> FileCheckpoint:
        """The run's checkpoint."""
        return FileCheckpoint(self.path / CHECKPOINT)

    def spool(self) -> FileSpool:
        """Where the rows of a source lie that is read once."""
        return FileSpool(self.path / ROWS)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """The run has finished: say so, and keep nothing else."""
        with disk.writing(self.path / FINISHED):
            disk.save(self.path / FINISHED, orjson.dumps(summary))
        self.tidy()

    def tidy(self) -> None:
        """A run that has finished keeps nothing else, whatever a crash has left of it."""
        with disk.writing(self.path):
            self._remove(but=FINISHED)

    def forget_end(self) -> None:
        """It has not finished: it begins anew."""
        with disk.writing(self.path / FINISHED):
            disk.remove(self.path / FINISHED)

    def drop(self) -> None:
        """The run never was: keep nothing."""
        with disk.writing(self.path):
            self._remove()

    def let_go(self) -> None:
        """Another process may go on; a folder without anything goes."""
        with suppress(OSError):  # there is something in it, or another process was quicker
            self.path.rmdir()
            if not self._state_was_there or self.path.parent.name == STATE:
                self.path.parent.rmdir()
        self._lock.let_go()

    def _remove(self, but: str = "") -> None:
        # The checkpoint goes first: SQLite drops a journal without its file, while the file without
        # its journal may be in the middle of a change.
        for path in sorted(self.path.iterdir(), key=lambda path: path.name != CHECKPOINT):
            if path.name != but:
                disk.remove(path)


def drop_run(state: Path, run_id: str) -> None:
    """Drop the state of an unfinished run, if there is one that no process works on."""
    if not _RUN_ID.match(run_id) or not (state / run_id / CHECKPOINT).exists():
        return
    with suppress(ConfigurationError):  # it is under way
        folder = RunFolder(state, run_id)
        try:
            folder.drop()
        finally:
            folder.let_go()


def _made_and_locked(path: Path, trouble: str) -> Lock:
    while True:
        try:
            disk.make_folder(path)
            return Lock(path, trouble, is_folder=True)
        except FileNotFoundError:
            continue  # a process that let it go has removed it meanwhile
