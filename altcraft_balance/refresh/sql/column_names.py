"""Which names the columns of a table may have. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.port import Column

__all__ = ["check_names"]

_POSTGRES_BYTES: Final = 63


def check_names(columns: Sequence[Column], *, is_sqlite: bool) -> None:
    """See that a table can have these `columns`, so that it is not the database that says it.

    Raises:
        ConfigurationError: a name is empty or too long, or two are one.
    """
    seen: dict[bytes, Column] = {}
    for column in columns:
        name = column.name.encode("utf-8", "surrogatepass")
        if not name:
            raise ConfigurationError(
                "a column without a name cannot be kept in a table: give it one in the source, or "
                "leave it out of keep"
            )
        if len(name) > _POSTGRES_BYTES and not is_sqlite:
            raise _too_long(column)
        # SQLite takes small and capital letters for the same, those of ASCII alone.
        name = name.lower() if is_sqlite else name
        if name in seen:
            raise _twice(seen[name], column)
        seen[name] = column


def _too_long(column: Column) -> ConfigurationError:
    way = "give it a shorter one in the source" if _is_kept(column) else "give a shorter prefix"
    return ConfigurationError(
        f"the column {column.name!r} has a name of more than {_POSTGRES_BYTES} bytes, which "
        f"PostgreSQL does not take: {way}"
    )


def _twice(one: Column, other: Column) -> ConfigurationError:
    if one.name == other.name:
        what = f"the table would have the column {one.name!r} twice"
    else:
        what = f"SQLite takes the columns {one.name!r} and {other.name!r} for the same"
    if _is_kept(one) and _is_kept(other):
        return ConfigurationError(f"{what}: leave one out of keep, or rename it in the source")
    return ConfigurationError(f"prefix is needed: {what}")


def _is_kept(column: Column) -> bool:
    return column.role == "kept"
