"""What stands in a query's rows, as the cells of a source. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final

import orjson

from altcraft_balance.refresh.port import BadRow, Cell, Cells, ColumnType

__all__ = ["SourceCells"]

_TYPES: Final[Mapping[type, ColumnType]] = {bool: "boolean", int: "integer", float: "number"}
_WORDS: Final[Mapping[str, str]] = {
    "boolean": "true or false",
    "integer": "whole numbers",
    "number": "numbers",
}


class SourceCells:
    """Makes cells of the values of a query.

    Args:
        columns: the columns' names.
        rows: the first rows, which show of what types they are.

    Attributes:
        columns: the same names.
        types: of columns that hold something else than text.
    """

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self.columns = tuple(map(str, columns))
        kinds: list[ColumnType | None] = [
            _type_of([row[place] for row in rows]) for place in range(len(columns))
        ]
        typed = zip(self.columns, kinds, strict=True)
        self.types: Mapping[str, ColumnType] = {name: kind for name, kind in typed if kind}
        self._kinds = kinds

    def of(self, row: Sequence[Any]) -> Cells | BadRow:
        """The cells of a row; a value of another type than its column's makes a bad one."""
        cells = [
            value if value is None or type(value) is str else _cell(value, kind)
            for value, kind in zip(row, self._kinds, strict=True)
        ]
        wrong = [place for place, cell in enumerate(cells) if not self._fits(place, cell)]
        if not wrong:
            return cells
        for place in wrong:  # the outputs have no place for what it holds
            cells[place] = None
        name, kind = self.columns[wrong[0]], self._kinds[wrong[0]]
        return BadRow(cells, f"column {name!r} has something else than {_WORDS[str(kind)]}")

    def _fits(self, place: int, cell: Cell) -> bool:
        kind = self._kinds[place]
        return cell is None or kind is None or _TYPES.get(type(cell)) == kind


def _type_of(values: Sequence[Any]) -> ColumnType | None:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return "number"
    return _TYPES.get(kinds.pop()) if len(kinds) == 1 else None


def _cell(value: Any, kind: ColumnType | None) -> Cell:
    if isinstance(value, bool | int | float):
        if kind == "number" and type(value) is int:
            return float(value)
        return str(value) if kind is None else value
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return (value if value.tzinfo is None else value.astimezone(UTC)).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes | memoryview | bytearray):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, dict | list):
        return orjson.dumps(value, default=str).decode()
    return str(value)
