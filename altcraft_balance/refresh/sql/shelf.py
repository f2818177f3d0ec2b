"""The table of all runs' states in one schema, and the rows of one run in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from altcraft_balance.refresh.sql.link import Link

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["BLOCK", "END", "PIECE", "ROWS", "Shelf", "StateTable"]

_NAME: Final = "altcraft_balance_state"
#: Kinds of rows: a block of answers, a piece of what was read of a source and what is known of all
#: of it, and what the run has come to.
BLOCK: Final = "block"
PIECE: Final = "piece"
ROWS: Final = "rows"
END: Final = "end"


class StateTable:
    """The table of all runs' states in one schema.

    A row is a block of answers, a piece of what was read of a source, or what a run has come to.
    """

    def __init__(self, schema: str | None) -> None:
        import sqlalchemy as sa

        self.table = sa.Table(
            _NAME,
            sa.MetaData(schema=schema),
            sa.Column("run_id", sa.Text(), primary_key=True),
            sa.Column("kind", sa.Text(), primary_key=True),
            sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
            sa.Column("target", sa.Text(), nullable=False),
            sa.Column("first_row", sa.BigInteger()),
            sa.Column("last_row", sa.BigInteger()),
            sa.Column("content", sa.LargeBinary(), nullable=False),
            sa.Column("known", sa.LargeBinary()),
        )

    async def make(self, connection: AsyncConnection) -> None:
        """Make it when it is missing."""
        await connection.run_sync(lambda plain: self.table.create(plain, checkfirst=True))


class Shelf:
    """The rows of one run in the table of states."""

    def __init__(self, link: Link, table: Any, run_id: str, target: str) -> None:
        self.link, self.table = link, table
        self._run_id, self._target = run_id, target
        self._c = table.columns

    def mine(self, *kinds: str) -> Any:
        """The condition for the run's rows of these kinds."""
        return (self._c.run_id == self._run_id) & self._c.kind.in_(kinds)

    async def put(self, connection: AsyncConnection, kind: str, number: int, **values: Any) -> None:
        """Let a row be there; one that is there already is the same, written before."""
        from sqlalchemy.dialects import postgresql, sqlite

        is_sqlite = connection.dialect.name == "sqlite"
        insert = (sqlite.insert if is_sqlite else postgresql.insert)(self.table)
        row = {"run_id": self._run_id, "target": self._target, "kind": kind, "number": number}
        await connection.execute(insert.on_conflict_do_nothing(), [{**row, **values}])

    async def fetch(self, statement: Any) -> list[Any]:
        """All rows of a query."""

        async def work(connection: AsyncConnection) -> list[Any]:
            return list((await connection.execute(statement)).all())

        return await self.link.do(work)

    async def content(self, kind: str, number: int = 0) -> bytes | None:
        """What a row holds."""
        from sqlalchemy import select

        wanted = select(self._c.content).where(self.mine(kind), self._c.number == number)
        found = await self.fetch(wanted)
        return None if not found else bytes(found[0][0])

    async def keep_only(self, kind: str, content: bytes) -> None:
        """Let the run have this one row, and no other."""
        from sqlalchemy import delete

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(delete(self.table).where(self._c.run_id == self._run_id))
            await self.put(connection, kind, 0, content=content)

        await self.link.do(work)

    async def remove(self, *kinds: str) -> None:
        """Let the run have none of these kinds."""
        from sqlalchemy import delete

        await self.link.do(lambda c: c.execute(delete(self.table).where(self.mine(*kinds))))

    async def remove_unfinished_others(self, connection: AsyncConnection) -> None:
        """Forget runs of the same table that were given up: this one has begun after them."""
        from sqlalchemy import delete

        others = (self._c.target == self._target) & (self._c.run_id != self._run_id)
        await connection.execute(delete(self.table).where(others, self._c.kind != END))
