"""The columns of a table of balances: what they are called, and what stands in them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.port import Cell, Cells, Column
from altcraft_balance.refresh.sql.column_names import check_names
from altcraft_balance.secret import HIDDEN, HiddenStr

__all__ = ["TableColumns"]

#: Of an answer's columns the table has all but how many attempts it took.
_LEFT_OUT: Final = "attempts"
_ADDED: Final = (
    ("previous_active_balance", "amount"),
    ("changed_at", "time"),
    ("tried_at", "time"),
)


class TableColumns:
    """The columns of the table for rows of these `columns`, known by `key`.

    Args:
        columns: what the cells of a row are.
        key: the column by which a member is known; None: the member's own.
        is_sqlite: SQLite has no decimal numbers: amounts are text there, equal ones the same text.

    Attributes:
        all: the table's columns.
        named: our columns' names, by their role.
        key: the names that one row has alone: of the member, the program and the currency.

    Raises:
        ConfigurationError: the key is not among the columns, or a table cannot have their names.
    """

    def __init__(self, columns: Sequence[Column], key: str | None, *, is_sqlite: bool) -> None:
        prefix = next(c.name for c in columns if c.role == "status").removesuffix("status")
        added = [Column(prefix + name, kind, name) for name, kind in _ADDED]  # type: ignore[arg-type]
        kept = [column for column in columns if column.role != _LEFT_OUT]
        self.all = (*kept, *added)
        check_names(self.all, is_sqlite=is_sqlite)
        self.named: Mapping[str, str] = {c.role: c.name for c in self.all if c.role != "kept"}
        self.key = (
            _key_of(columns, key),
            self.named["loyalty_program_id"],
            self.named["currency"],
        )
        self._is_sqlite = is_sqlite
        places = {column.name: place for place, column in enumerate(columns)}
        self._readers = [(c.name, places[c.name], self.reader(c)) for c in kept]
        self._none = {column.name: None for column in added}
        self._member = next(read for name, _, read in self._readers if name == self.key[0])

    def values(self, cells: Cells) -> dict[str, Any]:
        """The cells of a row as values of the table's columns."""
        row = {name: read(cells[place]) for name, place, read in self._readers}
        row[self.key[2]] = row[self.key[2]] or ""  # a key has no NULL in it
        return row | self._none

    def key_of(self, member: Cell, program: Cell, currency: Cell) -> tuple[Any, ...]:
        """A key as the table has it."""
        return self._member(member), program, _text(currency) or ""

    def reader(self, column: Column) -> Callable[[Cell], Any]:
        """What makes a value of the column of a cell."""
        if column.type in ("integer", "number", "boolean"):
            return _unseen if self._is_sqlite else _as_it_is
        if not self._is_sqlite:
            return _text
        is_ours = column.role != "kept"
        return _plain_amount if column.type == "amount" and is_ours else _hidden


def _key_of(columns: Sequence[Column], key: str | None) -> str:
    names = [c.name for c in columns if (c.role == "member" if key is None else c.name == key)]
    if names:
        return names[0]
    if key is None:
        raise ConfigurationError(
            "a table needs a key: give one, such as key='id', or leave the member in the output"
        )
    raise ConfigurationError(f"key {key!r} is not among the columns of the output")


def _plain_amount(amount: Any) -> str | None:
    """An amount in the one way in which equal ones are equal text."""
    if amount is None:
        return None
    text = format(Decimal(amount), "f")  # `normalize` would round to 28 digits
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _as_it_is(cell: Cell) -> Cell:
    return cell


class _HiddenInt(int):
    """A whole number whose ``repr`` is ``***``: a member may be known by it."""

    def __repr__(self) -> str:
        return HIDDEN


def _unseen(cell: Cell) -> Cell:
    # As in `_hidden`; a boolean tells nothing of anybody.
    return _HiddenInt(cell) if type(cell) is int else cell


def _text(cell: Cell) -> str | None:
    # PostgreSQL has no NUL in texts; it is the same in SQLite, so that a key is.
    if cell is None or (type(cell) is str and "\0" not in cell):
        return cell
    return str(cell).replace("\0", "\ufffd")


def _hidden(cell: Cell) -> str | None:
    # aiosqlite logs what it executes, with its parameters as their repr.
    text = _text(cell)
    return None if text is None else HiddenStr(text)
