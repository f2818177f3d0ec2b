"""The table of balances: a row for each member, program and currency, as it was last answered.

A night in which everything fails leaves the balances as they were: what a failed lookup may touch
is a statement of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from altcraft_balance.refresh.port import Cells, Column
from altcraft_balance.refresh.rows.answer import BAD_INPUT, FAILED, FOUND, NOT_A_MEMBER
from altcraft_balance.refresh.rows.delta import Amounts, RowKey
from altcraft_balance.refresh.rows.row_keys import fits
from altcraft_balance.refresh.sql import upsert
from altcraft_balance.refresh.sql.bulk import AllAtOnce, OneByOne
from altcraft_balance.refresh.sql.columns import TableColumns
from altcraft_balance.refresh.sql.table_check import TableCheck

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["BalanceTable"]

#: Room on a page for new versions of its rows: then no index has to be touched.
_FILL_FACTOR: Final = 80


class BalanceTable:
    """The table `name`, with a schema before a dot if it has one, for rows of these columns.

    Args:
        dialect: ``postgresql`` or ``sqlite``.
        name: the table's.
        columns: what they are.
    """

    def __init__(self, dialect: str, name: str, columns: TableColumns) -> None:
        self._columns, self._is_sqlite = columns, dialect == "sqlite"
        self._table = self._made(name)
        self._check = TableCheck(self._table, columns.all, columns.key, is_sqlite=self._is_sqlite)
        rows = OneByOne if self._is_sqlite else AllAtOnce
        self._answered = rows(self._table, partial(upsert.of_answers, self._table, columns))
        self._troubled = rows(self._table, partial(upsert.of_troubles, columns))

    async def make(self, connection: AsyncConnection) -> None:
        """Make it when it is missing, and see that it is as it has to be.

        Raises:
            ConfigurationError: a table of that name is there, and cannot hold the rows.
        """
        await connection.run_sync(lambda plain: self._table.create(plain, checkfirst=True))
        await connection.run_sync(self._check.look)

    async def write(self, connection: AsyncConnection, rows: Iterable[Cells]) -> None:
        """Put `rows` into the table: of each key the last answer, or else the last trouble.

        So a key of two members is written once, and nothing changes from one night to the next.
        """
        answered: dict[tuple[Any, ...], dict[str, Any]] = {}
        troubled: dict[tuple[Any, ...], dict[str, Any]] = {}
        for values in map(self._columns.values, rows):
            if (key := self._key_in(values)) is None:
                continue  # nobody could find it again
            status = values[self._columns.named["status"]]
            if status in (FOUND, NOT_A_MEMBER):
                answered[key] = self._as_answered(values)
            elif status in (FAILED, BAD_INPUT):
                troubled[key] = self._as_tried(values)
        # In the order of their keys, which spares deadlocks.
        if answered:
            await self._answered.write(connection, [answered[key] for key in sorted(answered)])
        if keys := sorted(troubled.keys() - answered.keys()):
            await self._troubled.write(connection, [troubled[key] for key in keys])

    async def amounts(
        self, connection: AsyncConnection, keys: Sequence[RowKey]
    ) -> list[Amounts | None]:
        """What the table has of each of `keys`; None where it has no such row."""
        from sqlalchemy import select

        columns, named = self._table.columns, self._columns.named
        wanted_keys = [self._columns.key_of(*key) for key in keys]
        members = {key[0] for key in wanted_keys if key[0] not in (None, "")}
        names = (*self._columns.key, named["total_balance"], named["active_balance"])
        wanted = select(*(columns[name] for name in names)).where(
            columns[self._columns.key[0]].in_(sorted(members))
        )
        found = {tuple(row[:3]): row[3:] for row in await connection.execute(wanted)}
        return [_amounts(found.get(key)) for key in wanted_keys]

    def _as_answered(self, values: dict[str, Any]) -> dict[str, Any]:
        named = self._columns.named
        values[named["changed_at"]] = values[named["looked_up_at"]]
        return values

    def _as_tried(self, values: dict[str, Any]) -> dict[str, Any]:
        named = self._columns.named
        at, values[named["looked_up_at"]] = values[named["looked_up_at"]], None
        values[named["tried_at"]] = at or datetime.now(UTC).isoformat(timespec="milliseconds")
        return values

    def _key_in(self, values: dict[str, Any]) -> tuple[Any, ...] | None:
        key = tuple(values[name] for name in self._columns.key)
        return key if fits(key[0], key[2]) and key[1] is not None else None

    def _made(self, name: str) -> Any:
        import sqlalchemy as sa

        schema, _, name = name.rpartition(".")
        columns = self._columns
        return sa.Table(
            name,
            sa.MetaData(schema=schema or None),
            *(
                sa.Column(c.name, self._type(c), nullable=c.name not in columns.key)
                for c in columns.all
            ),
            sa.PrimaryKeyConstraint(*columns.key),
            postgresql_with={"fillfactor": _FILL_FACTOR},
        )

    def _type(self, column: Column) -> Any:
        import sqlalchemy as sa

        types: dict[str, Any] = {
            "integer": sa.BigInteger(),
            "number": sa.Double(),
            "boolean": sa.Boolean(),
        }
        if column.role != "kept" and not self._is_sqlite:
            types |= {"amount": sa.Numeric(), "time": sa.DateTime(timezone=True)}
        return types.get(column.type, sa.Text())


def _amounts(row: Any) -> Amounts | None:
    return None if row is None else (_as_written(row[0]), _as_written(row[1]))


def _as_written(amount: Any) -> str | None:
    """As the table has it: 0.00 stays 0.00."""
    if amount is None:
        return None
    return format(amount, "f") if isinstance(amount, Decimal) else str(amount)
