"""How many rows go into a table with one statement: each alone, or all as one text in JSON.

That takes a third of the time, PostgreSQL's and ours; of one key there may be one row then. Amounts
and times are text in it, which PostgreSQL reads itself: nothing is rounded on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["AllAtOnce", "OneByOne"]

_ROWS: Final = "all_rows"


class OneByOne:
    """Writes each row with a statement of its own, in SQLite.

    Args:
        table: where.
        upsert: makes the statement of an ``INSERT``.
    """

    def __init__(self, table: Any, upsert: Callable[[Any], Any]) -> None:
        from sqlalchemy.dialects.sqlite import insert

        self._statement = upsert(insert(table))

    async def write(self, connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write `rows`, by the names of their columns."""
        await connection.execute(self._statement, rows)


class AllAtOnce:
    """Writes all rows with one statement, in PostgreSQL; likewise."""

    def __init__(self, table: Any, upsert: Callable[[Any], Any]) -> None:
        from sqlalchemy import JSON, Text, bindparam, cast, column, func, select
        from sqlalchemy.dialects.postgresql import insert

        names = [each.name for each in table.columns]
        given = (
            func.json_to_recordset(cast(bindparam(_ROWS, type_=Text()), JSON))
            .table_valued(*(column(each.name, each.type) for each in table.columns), name="given")
            .render_derived(with_types=True)
        )
        rows = select(*(given.columns[name] for name in names))
        self._statement = upsert(insert(table).from_select(names, rows))

    async def write(self, connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write `rows`, no two with the same key."""
        await connection.execute(self._statement, {_ROWS: orjson.dumps(rows).decode()})
