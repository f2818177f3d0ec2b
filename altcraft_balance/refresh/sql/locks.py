"""Locks by which one process alone writes to a table, and works on a run."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.sql.database import Database
from altcraft_balance.refresh.sql.trouble import LockIsHeld
from altcraft_balance.refresh.state import disk
from altcraft_balance.refresh.state.lock import Lock

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["Locks", "lock_file", "number_of", "run_lock"]

#: A client that vanished without a word holds its locks until the server has noticed.
_KEEPALIVE: Final = {"idle": 30, "interval": 10, "count": 3}


class Locks:
    """PostgreSQL's advisory locks, held by the session; or a file beside SQLite's.

    Args:
        database: where.
        schema: in which it is; None: the session's own.
        names: what is locked.
    """

    def __init__(self, database: Database, schema: str | None, names: Sequence[str]) -> None:
        self._database, self._schema, self._names = database, schema, sorted(names)
        self._file: Lock | None = None
        self._had_them = False

    async def open(self) -> None:
        """Take what is no session's.

        Raises:
            ConfigurationError: another process has it.
        """
        if (file := self._database.file) is None:
            return
        path = await asyncio.to_thread(lock_file, file)
        trouble = f"another process is refreshing a table of {self._database.shown}"
        with disk.writing(path):
            self._file = await asyncio.to_thread(Lock, path, trouble)
        try:
            with disk.writing(path):
                # For whoever looks, and for no lock: `status` shows which run is under way.
                await asyncio.to_thread(self._file.note, "\n".join(self._names))
            with disk.writing(Path(file)):
                # Made here, for its owner alone; SQLite gives its other files the same mode.
                await asyncio.to_thread(Path(file).touch, 0o600)
        except BaseException:
            await asyncio.to_thread(self.let_go)
            raise

    async def take(self, connection: AsyncConnection) -> None:
        """Take what belongs to a session, for a new one.

        Raises:
            ConfigurationError: another process has it.
            LockIsHeld: likewise, while we lost our session: the server may hold that still.
        """
        if self._database.dialect != "postgresql":
            return
        from sqlalchemy import text

        for setting, value in _KEEPALIVE.items():
            await connection.execute(text(f"SET tcp_keepalives_{setting} = {value}"))
        # Locks are the whole database's; a table and a run are those of their schema alone.
        schema = self._schema or await connection.scalar(text("SELECT current_schema()"))
        for name in self._names:
            number = number_of(str(schema), name)
            taken = await connection.scalar(
                text("SELECT pg_try_advisory_lock(:number)"), {"number": number}
            )
            if not taken and self._had_them:
                raise LockIsHeld(f"the lock of the {name} is held by another session")
            if not taken:
                raise ConfigurationError(
                    f"another process is refreshing the {name} of {self._database.shown}"
                )
        await connection.commit()
        self._had_them = True

    def let_go(self) -> None:
        """Another process may have them; those of a session went with it."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # what ended the run is said; a file that stays locks nothing
                disk.remove(file.path)
            file.let_go()


def run_lock(run_id: str) -> str:
    """The name of the lock on a run."""
    return f"run {run_id}"


def lock_file(database: str) -> Path:
    """The file that is locked for a database that is the file `database`, by whatever name.

    It asks the disk, so it is for a thread.
    """
    file = Path(database).resolve()
    return file.with_name(f"{file.name}.altcraft-balance.lock")


def number_of(schema: str, name: str) -> int:
    """The number of PostgreSQL's advisory lock for what is called `name` in `schema`."""
    digest = hashlib.blake2b(f"{schema} {name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
