"""Columns of Arrow as cells; each rule works on a whole column.

What has a plain type of ours keeps it. All else is text, so that nothing of it is lost: decimals
with all their digits and without an exponent, times in ISO 8601, lists and structures as JSON.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from altcraft_balance.refresh.files.text import as_text
from altcraft_balance.refresh.port import Cell, ColumnType

__all__ = ["cells_of", "column_type"]


def column_type(arrow: Any, type_: Any) -> ColumnType:
    """What the cells of a column with the Arrow type `type_` are."""
    kind = arrow.types
    if kind.is_dictionary(type_):
        return column_type(arrow, type_.value_type)
    if kind.is_boolean(type_):
        return "boolean"
    if kind.is_integer(type_) and not kind.is_uint64(type_):  # a half of those is no int64
        return "integer"
    return "number" if kind.is_floating(type_) else "text"


def cells_of(arrow: Any, array: Any) -> Sequence[Cell]:
    """The cells of one column."""
    kind, type_ = arrow.types, array.type
    if kind.is_dictionary(type_):
        return cells_of(arrow, array.dictionary_decode())
    if isinstance(type_, arrow.BaseExtensionType):
        return _extension(arrow, array)
    if kind.is_floating(type_):
        return _numbers(arrow, array)
    if column_type(arrow, type_) != "text":
        return array.to_pylist()  # type: ignore[no-any-return]
    return _texts(arrow, array)


def _extension(arrow: Any, array: Any) -> Sequence[Cell]:
    if array.type.extension_name != "arrow.uuid":
        return cells_of(arrow, array.storage)
    return [v if v is None else str(uuid.UUID(bytes=v)) for v in array.storage.to_pylist()]


def _numbers(arrow: Any, array: Any) -> Sequence[Cell]:
    if arrow.types.is_float16(array.type):
        array = array.cast(arrow.float32())
    if arrow.compute.all(arrow.compute.is_finite(array)).as_py() is not False:
        return array.to_pylist()  # type: ignore[no-any-return]
    finite = arrow.compute.is_finite(array).to_pylist()
    pairs = zip(array.to_pylist(), finite, strict=True)
    return [as_text(value) if fine is False else value for value, fine in pairs]


def _texts(arrow: Any, array: Any) -> Sequence[Cell]:
    kind, type_ = arrow.types, array.type
    if kind.is_timestamp(type_):
        return _times(arrow, array)
    if kind.is_date(type_) or kind.is_time(type_):
        return array.cast(arrow.string()).to_pylist()  # type: ignore[no-any-return]
    if kind.is_nested(type_) and (target := _for_json(arrow, type_)) != type_:
        array = array.cast(target)
    try:
        values = array.to_pylist()
    except UnicodeDecodeError:  # a writer that did not look at what it called text
        values = array.cast(arrow.large_binary()).to_pylist()
    if kind.is_string(type_) or kind.is_large_string(type_):
        return [_shown(v) if v.__class__ is bytes else v for v in values]
    if kind.is_decimal(type_):
        return [v if v is None else format(v, "f") for v in values]
    if kind.is_fixed_size_binary(type_):
        return [v if v is None else v.hex() for v in values]
    return [v if v is None else _shown(v) for v in values]


def _times(arrow: Any, array: Any) -> Sequence[Cell]:
    # Without its zone Arrow writes it in UTC, and no time zone data is asked for.
    compute, zone = arrow.compute, array.type.tz
    text = array.cast(arrow.timestamp(array.type.unit)).cast(arrow.string())
    text = compute.replace_substring(text, " ", "T", max_replacements=1)
    if zone is not None:
        text = compute.binary_join_element_wise(text, "+00:00", "")
    return text.to_pylist()  # type: ignore[no-any-return]


def _for_json(arrow: Any, type_: Any) -> Any:
    """`type_` with texts for times, since Python's have no nanoseconds."""
    kind = arrow.types
    if kind.is_timestamp(type_):
        return arrow.string()
    if kind.is_struct(type_):
        fields = [type_.field(number) for number in range(type_.num_fields)]
        return arrow.struct([(one.name, _for_json(arrow, one.type)) for one in fields])
    if kind.is_map(type_):
        return arrow.map_(type_.key_type, _for_json(arrow, type_.item_type))
    if kind.is_list(type_):
        return arrow.list_(_for_json(arrow, type_.value_type))
    return type_


def _shown(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=_shown, separators=(",", ":"))
    return str(value)
