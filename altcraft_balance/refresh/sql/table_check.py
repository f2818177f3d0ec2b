"""Whether a table that is there already can hold balances: seen before anybody is asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.port import Column

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["TableCheck"]

_WANTED: Final[Mapping[str, str]] = {
    "amount": "numeric, without limits",
    "time": "timestamp with time zone",
}
#: Of our columns those that every row has.
_NEVER_NULL: Final = ("member", "kept", "status")


class TableCheck:
    """Looks at the table in the database that is called as `table` is.

    Args:
        table: with its schema.
        columns: those that it must have.
        key: the names of those that one row has alone.
        is_sqlite: SQLite takes any value in any column.
    """

    def __init__(
        self, table: Any, columns: Sequence[Column], key: Sequence[str], *, is_sqlite: bool
    ) -> None:
        self._table, self._columns, self._key = table, columns, key
        self._is_sqlite = is_sqlite

    def look(self, connection: Connection) -> None:
        """Look at its columns and its keys.

        Raises:
            ConfigurationError: one of them is missing, or not as it has to be.
        """
        import sqlalchemy as sa

        looking, name, schema = sa.inspect(connection), self._table.name, self._table.schema
        there = {column["name"]: column for column in looking.get_columns(name, schema)}
        if missing := [column.name for column in self._columns if column.name not in there]:
            raise ConfigurationError(
                f"the table {self._table} has no column {missing[0]!r}: name another table, which "
                "is made when it is missing"
            )
        if not self._is_sqlite:
            self._check_types(there)
            self._check_key_types(there)
        primary: list[Any] = looking.get_pk_constraint(name, schema)["constrained_columns"]
        self._check_nulls(there, primary)
        keys = [primary]
        keys += [found["column_names"] for found in looking.get_unique_constraints(name, schema)]
        keys += [i["column_names"] for i in looking.get_indexes(name, schema) if i["unique"]]
        if set(self._key) not in map(set, keys):
            raise ConfigurationError(
                f"the table {self._table} has no unique key of {', '.join(self._key)}, by which "
                "its rows must be known"
            )

    def _check_types(self, there: Mapping[str, Any]) -> None:
        """No amount may be rounded, and no time be moved, by what the table makes of it."""
        for column in self._columns:
            found = there[column.name]["type"]
            exact = {
                "amount": getattr(found, "precision", 0) is None and _is(found, "NUMERIC"),
                "time": getattr(found, "timezone", False),
            }
            if column.role != "kept" and not exact.get(column.type, True):
                raise ConfigurationError(
                    f"the column {column.name!r} of the table {self._table} is {found}, and must "
                    f"be {_WANTED[column.type]}"
                )

    def _check_key_types(self, there: Mapping[str, Any]) -> None:
        """PostgreSQL neither finds a number by a text, nor a text by a number."""
        import sqlalchemy as sa

        for column in self._columns:
            found = there[column.name]["type"]
            is_right, wanted = {
                "integer": (isinstance(found, sa.Integer), "a whole number"),
                "text": (isinstance(found, sa.String), "text"),
            }.get(column.type, (True, ""))
            if column.name in self._key and column.is_known and not is_right:
                raise ConfigurationError(
                    f"the column {column.name!r} of the table {self._table} is {found}, and what "
                    f"comes there is {wanted}: change one of them, or name another table"
                )

    def _check_nulls(self, there: Mapping[str, Any], primary: Sequence[str]) -> None:
        """A column that is not filled must allow that, or fill itself."""
        roles = {column.name: column.role for column in self._columns}
        for name, found in there.items():
            if name in self._key or roles.get(name) in _NEVER_NULL or found["nullable"]:
                continue
            if name in roles:
                raise ConfigurationError(
                    f"the column {name!r} of the table {self._table} must allow NULL: a lookup "
                    "may fail"
                )
            if not (_fills_itself(found) or (self._is_sqlite and _is_row_id(found, primary))):
                raise ConfigurationError(
                    f"the column {name!r} of the table {self._table} is NOT NULL, and nothing "
                    "comes there: give it a default, or name another table"
                )


def _fills_itself(found: Mapping[str, Any]) -> bool:
    return any(found.get(way) is not None for way in ("default", "identity", "computed"))


def _is_row_id(found: Mapping[str, Any], primary: Sequence[str]) -> bool:
    """SQLite numbers the rows by itself in an ``INTEGER PRIMARY KEY``."""
    return list(primary) == [found["name"]] and str(found["type"]) == "INTEGER"


def _is(found: Any, name: str) -> bool:
    return str(getattr(found, "__visit_name__", "")).upper() == name
