"""Answers that came before those to earlier rows: a few in memory, the rest in a nameless file.

A row that has to wait, for a server's pause or the end of its patience, holds up no other: what is
answered meanwhile waits here until its turn in the output comes. The file is SQLite's own temporary
one, without a name and gone with the process: what it holds of the rows is nowhere else.
"""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from altcraft_balance.refresh.outputs import Asked
from altcraft_balance.refresh.state import disk

__all__ = ["Early"]

_IN_MEMORY: Final = 20_000
_AT_ONCE: Final = 1_000
_NAMELESS: Final = Path("the temporary file")


class Early:
    """Puts rows in order.

    Args:
        next_row: the number of the row that is due first.
        in_memory: how many rows wait in memory at most.
    """

    def __init__(self, next_row: int, in_memory: int = _IN_MEMORY) -> None:
        self.next_row = next_row
        self._in_memory = in_memory
        self._waiting: dict[int, Asked] = {}
        self._file: sqlite3.Connection | None = None
        self._filed = 0

    def __len__(self) -> int:
        return len(self._waiting) + self._filed

    def add(self, rows: Iterable[Asked]) -> None:
        """Let `rows` wait for their turn."""
        too_many: list[Asked] = []
        for row in rows:
            if len(self._waiting) < self._in_memory or row.number == self.next_row:
                self._waiting[row.number] = row
            else:
                too_many.append(row)
        if too_many:
            with disk.writing(_NAMELESS):
                self._lay_down(too_many)

    def due(self) -> list[Asked]:
        """The next rows in order, some at a time; empty when the next one is not there."""
        if self._filed and self.next_row not in self._waiting:
            with disk.writing(_NAMELESS):
                self._recall()
        due: list[Asked] = []
        while len(due) < _AT_ONCE and (row := self._waiting.pop(self.next_row, None)) is not None:
            due.append(row)
            self.next_row += 1
        return due

    def close(self) -> None:
        """Forget all that waits."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _lay_down(self, rows: Iterable[Asked]) -> None:
        if self._file is None:
            self._file = sqlite3.connect("", isolation_level=None)
            self._file.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, row BLOB)")
        laid = [(row.number, pickle.dumps((row.cells, row.answers))) for row in rows]
        self._file.execute("BEGIN")
        self._file.executemany("INSERT INTO rows VALUES (?, ?)", laid)
        self._file.execute("COMMIT")
        self._filed += len(laid)

    def _recall(self) -> None:
        """Take those rows out of the file that are due now."""
        if self._file is None:
            return
        found = self._file.execute(
            "SELECT number, row FROM rows WHERE number >= ? ORDER BY number LIMIT ?",
            (self.next_row, _AT_ONCE),
        ).fetchall()
        for place, (number, text) in enumerate(found):
            if number != self.next_row + place:
                break
            cells, answers = pickle.loads(text)  # noqa: S301 - ours, and nameless
            self._waiting[number] = Asked(number, cells, answers)
            self._file.execute("DELETE FROM rows WHERE number = ?", (number,))
            self._filed -= 1
