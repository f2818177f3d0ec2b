"""What an earlier run has written, looked up by member: the balances that this one is compared to.

The file may be larger than memory. So its amounts are put into a nameless temporary file, SQLite's
own, gone with the process. A row's key is kept there as a hash that is made with a key of this
process alone: no address is in it, and nobody can tell whether one is.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from itertools import islice
from pathlib import Path
from typing import Any, Final, cast

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.file_source import Interrupted
from altcraft_balance.refresh.files.text import as_text
from altcraft_balance.refresh.port import BadRow, Cell, Cells, RowSource, SourceInfo
from altcraft_balance.refresh.rows.answer import FOUND, NOT_A_MEMBER
from altcraft_balance.refresh.rows.delta import Amounts, Previous, RowKey
from altcraft_balance.refresh.state import disk

__all__ = ["PreviousFile"]

_BLOCK_ROWS: Final = 10_000
_CACHE_KIB: Final = 32_768
#: Keys in one statement, fewer than the oldest SQLite takes.
_KEYS_AT_ONCE: Final = 500
_NAMELESS: Final = Path("the temporary file")


class PreviousFile(Previous):
    """The output of an earlier run; its methods block, and are called one at a time.

    A row says something if its status is ``found``, or ``not_a_member``, which is no amounts. Any
    other row, such as one that failed, counts as not there, so that it does not hide an answer to
    the same key further up. Of several the last one counts.

    Args:
        source: its rows; one whose methods are not async.
        key: the column that names a row, such as an ``id`` that goes through; None: the member's.
        prefix: stands before the names of our columns.

    Attributes:
        key: the column that names a row; None: the member's.
        fingerprint: known after `describe`: another text for other rows.
    """

    def __init__(self, source: RowSource, *, key: str | None = None, prefix: str = "") -> None:
        self._source, self._prefix = source, prefix
        self.key, self._key = key, f"{prefix}member" if key is None else key
        self._secret = secrets.token_bytes(16)
        self._is_interrupted = False
        self._file: sqlite3.Connection | None = None
        self.name = self.fingerprint = ""
        self._columns: tuple[str, ...] = ()

    @property
    def path(self) -> Path | None:
        """The file or folder; None: it is none."""
        return getattr(self._source, "path", None)

    def describe(self) -> None:
        """Read it once, and find its columns.

        Raises:
            ConfigurationError: it cannot be read, or has not the columns of an output.
        """
        info = cast(SourceInfo, self._source.describe())
        self.name, self.fingerprint = info.name, info.fingerprint
        self._columns = info.columns
        self._at = self._place(self._key)
        self._total = self._place(f"{self._prefix}total_balance")
        self._active = self._place(f"{self._prefix}active_balance")
        self._status = self._place(f"{self._prefix}status")
        # Who has made a file of his own out of an output may have left these out.
        self._program = self._place_if_there(f"{self._prefix}loyalty_program_id")
        self._currency = self._place_if_there(f"{self._prefix}currency")

    def build(self) -> None:
        """Read it again, for its amounts.

        Raises:
            ConfigurationError: it cannot be read, or an amount in it is no number.
            Interrupted: `interrupt` was called.
            OSError: the disk is full, or fails.
        """
        self.close()
        if not self._columns:
            self.describe()
        self._check()
        with disk.writing(_NAMELESS):
            self._file = _made()
        try:
            self._fill(self._file)
        except BaseException:
            self.close()
            raise

    def _fill(self, file: sqlite3.Connection) -> None:
        rows = self._said(cast(Iterable[Cells | BadRow], self._source.rows(0)))
        while block := list(islice(rows, _BLOCK_ROWS)):
            self._check()
            with disk.writing(_NAMELESS):
                self._add(file, block)
        with disk.writing(_NAMELESS):
            # Sorted as a whole: rows that come in no order would each touch another page.
            file.execute("CREATE INDEX by_key ON rows (key)")

    def lookup(self, keys: Sequence[RowKey]) -> list[Amounts | None]:
        """What it says of each of `keys`; None of those it knows nothing of.

        Raises:
            OSError: the disk fails.
        """
        hashes = [self._hash(*key) for key in keys]
        found: dict[bytes, Amounts] = {}
        with disk.writing(_NAMELESS):
            for start in range(0, len(hashes), _KEYS_AT_ONCE):
                found |= self._found(hashes[start : start + _KEYS_AT_ONCE])
        return [found.get(one) for one in hashes]

    def interrupt(self) -> None:
        """Whatever reads the file shall end soon; called from another thread."""
        self._is_interrupted = True
        if (interrupt := getattr(self._source, "interrupt", None)) is not None:
            interrupt()

    def close(self) -> None:
        """Forget all of it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    # ── its rows ─────────────────────────────────────────────────────────────────────────────

    def _said(self, rows: Iterable[Cells | BadRow]) -> Iterator[tuple[bytes, Any, Any]]:
        total, active = self._total, self._active
        for number, cells in enumerate(rows, 1):
            if isinstance(cells, BadRow) or (status := cells[self._status]) not in _SAYING:
                continue
            key = self._hash_of(cells)
            if status == FOUND:
                yield (
                    key,
                    self._amount(cells[total], number),
                    self._amount(cells[active], number),
                )
            else:
                yield key, None, None

    def _amount(self, cell: Cell, number: int) -> str:
        text = as_text(cell)
        try:
            if Decimal(text).is_finite():
                return text
        except InvalidOperation:
            pass
        raise ConfigurationError(f"{self.name} has an amount that is no number in row {number:,}")

    def _hash_of(self, cells: Cells) -> bytes:
        program = None if self._program is None else cells[self._program]
        currency = None if self._currency is None else cells[self._currency]
        return self._hash(cells[self._at], program, currency)

    def _hash(self, key: Cell, program: Cell, currency: Cell) -> bytes:
        who = as_text(key)
        which = "" if self._program is None else as_text(program)
        points = "" if self._currency is None else as_text(currency)
        text = f"{len(who)},{len(which)},{who}{which}{points}"
        data = text.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(data, digest_size=16, key=self._secret).digest()

    # ── the temporary file ───────────────────────────────────────────────────────────────────

    def _add(self, file: sqlite3.Connection, block: Sequence[tuple[bytes, Any, Any]]) -> None:
        file.execute("BEGIN")
        file.executemany("INSERT INTO rows VALUES (?, ?, ?)", block)
        file.execute("COMMIT")

    def _found(self, hashes: Sequence[bytes]) -> dict[bytes, Amounts]:
        if self._file is None:
            raise RuntimeError("build() comes before lookup()")
        marks = ",".join("?" * len(hashes))
        rows = self._file.execute(
            f"SELECT key, total, active FROM rows WHERE key IN ({marks}) ORDER BY rowid",  # noqa: S608
            hashes,
        )
        return {key: (total, active) for key, total, active in rows}

    def _check(self) -> None:
        if self._is_interrupted:
            raise Interrupted

    def _place(self, name: str) -> int:
        if (place := self._place_if_there(name)) is not None:
            return place
        raise ConfigurationError(
            f"{self.name} is no output of an earlier run to compare with: it has no column {name!r}"
        )

    def _place_if_there(self, name: str) -> int | None:
        if self._columns.count(name) > 1:
            raise ConfigurationError(f"{self.name} has the column {name!r} twice")
        return self._columns.index(name) if name in self._columns else None


_SAYING: Final = frozenset({FOUND, NOT_A_MEMBER})


def _made() -> sqlite3.Connection:
    # Made in one thread and asked in another: never in two at once.
    file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    file.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    file.execute("PRAGMA journal_mode = OFF")  # who cannot finish it makes another
    file.execute("CREATE TABLE rows (key BLOB NOT NULL, total TEXT, active TEXT)")
    return file
