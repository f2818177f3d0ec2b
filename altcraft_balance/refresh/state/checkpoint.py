"""What a run knows for certain: an SQLite file, one transaction for each block of answers.

It holds how far each output has durably grown, the answers to rows that are not in all outputs yet,
and the counts; nothing of what the rows themselves hold. Whatever is committed here is never asked
again, and an output is cut back to what is committed here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import orjson

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.rows.answer import Answer
from altcraft_balance.refresh.state import disk

__all__ = ["VERSION", "Checkpoint", "FileCheckpoint", "Known", "NoCheckpoint", "look_into"]

#: Of the file's layout; one of another version is refused.
VERSION: Final = 1
_LAYOUT: Final = f"""
    CREATE TABLE blocks (first INTEGER, last INTEGER, rows BLOB NOT NULL, known BLOB NOT NULL);
    CREATE INDEX blocks_last ON blocks (last);
    PRAGMA user_version = {VERSION};
"""

_INSERT: Final = "INSERT INTO blocks VALUES (?, ?, ?, ?)"
#: The last block says what is known, with rows or without.
_DELETE: Final = "DELETE FROM blocks WHERE ifnull(last, -1) < ? AND rowid < ?"

Known = Mapping[str, Any]


class Checkpoint(Protocol):
    """Where a run's certain knowledge is kept; all its methods may block."""

    def known(self) -> Known:
        """What the last `commit` kept."""
        ...

    def last_row(self) -> int:
        """The highest row of which there are answers; -1 without any."""
        ...

    def answers(self, first: int, last: int) -> dict[int, list[Answer]]:
        """The answers to rows from `first` to `last`, of those that have some."""
        ...

    def commit(
        self, known: Known, answers: Iterable[tuple[int, Sequence[Answer]]], below: int
    ) -> None:
        """Keep `known` and `answers`, and let those to rows below `below` go."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class NoCheckpoint:
    """For outputs that cannot be taken up again: knows nothing and keeps nothing."""

    def known(self) -> Known:
        """Nothing."""
        return {}

    def last_row(self) -> int:
        """None has answers."""
        return -1

    def answers(self, first: int, last: int) -> dict[int, list[Answer]]:
        """None."""
        return {}

    def commit(
        self, known: Known, answers: Iterable[tuple[int, Sequence[Answer]]], below: int
    ) -> None:
        """Keeps nothing."""

    def close(self) -> None:
        """There is nothing to close."""


class FileCheckpoint:
    """A checkpoint in the file `path`, which is made if it is not there.

    Raises:
        ConfigurationError: it is of another version, or not to be read.
        OSError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._below = path, 0
        with disk.writing(path):
            # Made here, for its owner alone; SQLite gives its other files the same mode.
            path.touch(mode=0o600)
        self._database = _opened(path, f"file:{_quoted(path)}")
        try:
            with _using(path):
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.execute("PRAGMA synchronous = FULL")
                if not _version(self._database):
                    self._database.executescript(f"BEGIN; {_LAYOUT} COMMIT;")
        except BaseException:
            self._database.close()
            raise

    def known(self) -> Known:
        """What the last `commit` kept."""
        with _using(self._path):
            return _known(self._database)

    def last_row(self) -> int:
        """The highest row of which there are answers."""
        with _using(self._path):
            (row,) = self._database.execute("SELECT max(last) FROM blocks").fetchone()
        return -1 if row is None else int(row)

    def answers(self, first: int, last: int) -> dict[int, list[Answer]]:
        """The answers to rows from `first` to `last`."""
        with _using(self._path):
            found = self._database.execute(
                "SELECT rows FROM blocks WHERE last >= ? AND first <= ?", (first, last)
            ).fetchall()
        rows = (row for (text,) in found for row in orjson.loads(text))
        return {number: answers for number, answers in rows if first <= number <= last}

    def commit(
        self, known: Known, answers: Iterable[tuple[int, Sequence[Answer]]], below: int
    ) -> None:
        """One transaction, durable when this returns."""
        rows = list(answers)
        numbers = [number for number, _ in rows]
        span = (min(numbers), max(numbers)) if rows else (None, None)
        block = (*span, orjson.dumps(rows), orjson.dumps(known))
        with _using(self._path):
            if below <= self._below:
                # One statement is a transaction; the loop's thread is waited for once, not thrice.
                self._database.execute(_INSERT, block)
                return
            with self._database:
                self._database.execute("BEGIN")
                last = self._database.execute(_INSERT, block).lastrowid
                self._database.execute(_DELETE, (below, last))
        self._below = below

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def look_into(path: Path) -> Known:
    """What the checkpoint `path` knows, which another process may be writing."""
    database = _opened(path, f"file:{_quoted(path)}?mode=ro")
    with closing(database), _using(path):
        return _known(database)


@contextmanager
def _using(path: Path) -> Iterator[None]:
    """Within it, SQLite's errors have a sentence: the disk's are OSErrors, and pass.

    Only a file that is no checkpoint, or a damaged one, is to be dropped.
    """
    trouble = ""
    with disk.writing(path):
        try:
            yield
            return
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            trouble = str(error)
    raise ConfigurationError(
        f"{path} cannot be used: {trouble}; drop the unfinished run with fresh=True"
    )


def _opened(path: Path, uri: str) -> sqlite3.Connection:
    with _using(path):
        database = sqlite3.connect(uri, uri=True, isolation_level=None)
        try:
            version = _version(database)
        except BaseException:
            database.close()
            raise
    if version in (0, VERSION):
        return database
    database.close()
    raise ConfigurationError(
        f"{path} is of version {version}, and this release knows {VERSION}: finish that run with "
        "the release that began it, or drop it with fresh=True"
    )


def _version(database: sqlite3.Connection) -> int:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    return int(version)


def _known(database: sqlite3.Connection) -> Known:
    if not _version(database):  # a crash came before the tables
        return {}
    found = database.execute("SELECT known FROM blocks ORDER BY rowid DESC LIMIT 1").fetchone()
    return {} if found is None else orjson.loads(found[0])


def _quoted(path: Path) -> str:
    from urllib.parse import quote

    return quote(str(path.absolute()))
