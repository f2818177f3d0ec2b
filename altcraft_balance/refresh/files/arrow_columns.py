"""Cells as columns of Arrow. The usual ones go through Arrow as they are, a whole column at once.

Where that fails, the column is gone through cell by cell. What cannot be kept as it is, is refused:
nothing is rounded, cut or left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, Final

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.text import as_text
from altcraft_balance.refresh.port import Cell, Cells, Column, ColumnType

__all__ = ["arrow_type", "batch_of"]

_CAST_FROM_TEXT: Final = frozenset({"amount", "time"})
_DIGITS: Final = 38
_UNFIT: Final = (ValueError, TypeError, OverflowError, LookupError)
_KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "text": "text",
        "integer": "whole number of 64 bits",
        "number": "number",
        "boolean": "boolean",
        "amount": "amount of this scale",
        "time": "ISO 8601 time",
    }
)


def arrow_type(arrow: Any, kind: ColumnType, amount_scale: int) -> Any:
    """The type of a column of the output in Arrow."""
    if kind == "amount":
        return arrow.decimal128(38, amount_scale)
    if kind == "time":
        return arrow.timestamp("us", tz="UTC")
    plain = {"integer": arrow.int64, "number": arrow.float64, "boolean": arrow.bool_}
    return plain.get(kind, arrow.string)()


def batch_of(arrow: Any, schema: Any, columns: Sequence[Column], rows: Sequence[Cells]) -> Any:
    """`rows` as a record batch; one that is too short ends in nulls, one too long is cut."""
    arrays = [
        _array(arrow, column, type_, cells)
        for column, type_, cells in zip(
            columns, schema.types, _transposed(rows, len(columns)), strict=True
        )
    ]
    return arrow.RecordBatch.from_arrays(arrays, schema=schema)


def _transposed(rows: Sequence[Cells], width: int) -> list[Sequence[Cell]]:
    cells: list[Sequence[Cell]] = [*zip_longest(*rows)]
    return cells[:width] + [[None] * len(rows)] * (width - len(cells))


def _array(arrow: Any, column: Column, type_: Any, cells: Sequence[Cell]) -> Any:
    try:
        if column.type in _CAST_FROM_TEXT:
            return _cast(arrow, cells, type_)
        if column.type != "integer" or float not in set(map(type, cells)):  # Arrow cuts 1.5 to 1
            return arrow.array(cells, type_)
    except (arrow.ArrowException, *_UNFIT):
        pass
    return _with_care(arrow, column, type_, cells)


def _with_care(arrow: Any, column: Column, type_: Any, cells: Sequence[Cell]) -> Any:
    plain = _PLAIN[column.type]
    try:
        values = [None if cell is None else plain(cell) for cell in cells]
        if column.type == "amount":
            return _cast(arrow, values, type_)
        return arrow.array(values, type_)
    except (arrow.ArrowException, *_UNFIT):
        pass
    raise ConfigurationError(f"a value of column {column.name} is no {_KINDS[column.type]}")


def _cast(arrow: Any, cells: Sequence[Cell], type_: Any) -> Any:
    texts = arrow.array(cells, arrow.string())
    longest = arrow.compute.max(arrow.compute.binary_length(texts)).as_py() or 0
    if longest > _DIGITS and max(map(_digits, filter(None, cells)), default=0) > _DIGITS:
        raise ValueError  # the cast makes another number of them, without a word
    return texts.cast(type_)


def _digits(cell: Any) -> int:
    return len(cell.lstrip("+-0.").replace(".", ""))


def _text(cell: Cell) -> str:
    return as_text(cell).encode("utf-8", "backslashreplace").decode()


def _integer(cell: Cell) -> int:
    if isinstance(cell, float) and not cell.is_integer():
        raise ValueError
    return int(cell)  # type: ignore[arg-type]  # no None comes here


def _boolean(cell: Cell) -> bool:
    return {"true": True, "false": False, "1": True, "0": False}[as_text(cell).lower()]


def _amount(cell: Cell) -> str:
    text = as_text(cell)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _time(cell: Cell) -> datetime:
    time = datetime.fromisoformat(as_text(cell))
    return time if time.tzinfo else time.replace(tzinfo=UTC)


_PLAIN: Final[Mapping[str, Callable[[Cell], Any]]] = MappingProxyType(
    {
        "text": _text,
        "integer": _integer,
        "number": float,  # type: ignore[dict-item]  # no None comes here
        "boolean": _boolean,
        "amount": _amount,
        "time": _time,
    }
)
