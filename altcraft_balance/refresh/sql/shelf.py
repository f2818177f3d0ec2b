"""The table of all runs' states in one schema, and the rows of one run in it."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.sql.link import Link

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["BLOCK", "END", "PIECE", "ROWS", "TURN", "Shelf", "StateTable"]

_NAME: Final = "altcraft_balance_state"
#: Kinds of rows: a block of answers, a piece of what was read of a source and what is known of all
#: of it, and what the run has come to.
BLOCK: Final = "block"
PIECE: Final = "piece"
ROWS: Final = "rows"
END: Final = "end"
#: The word of the start that works on the run.
TURN: Final = "turn"


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
        self._word = secrets.token_bytes(8)
        self._connections = 0

    async def take_turn(self) -> None:
        """Let the run be this start's: whoever had it before writes nothing any more."""
        from sqlalchemy import delete

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(delete(self.table).where(self.mine(TURN)))
            await self.put(connection, TURN, 0, content=self._word)

        await self.link.do(work)
        self._connections = self.link.connections

    async def do(self, work: Callable[[AsyncConnection], Awaitable[object]]) -> None:
        """Write, in one transaction; it may be begun again, like any of the link's.

        Raises:
            ConfigurationError: while there was no connection, and so no lock, another process has
                gone on with the run.
        """

        async def mine(connection: AsyncConnection) -> None:
            if self._connections != self.link.connections:
                await self._check_turn(connection)
            await work(connection)

        await self.link.do(mine)
        self._connections = self.link.connections

    async def _check_turn(self, connection: AsyncConnection) -> None:
        from sqlalchemy import select

        word = await connection.scalar(select(self._c.content).where(self.mine(TURN)))
        if word is None or bytes(word) != self._word:
            raise ConfigurationError(
                "another process went on with this run while the database was away from this one"
            )

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
            # As for whoever begins anew: a commit whose answer was lost is done again.
            await self.put(connection, TURN, 0, content=self._word)

        await self.do(work)

    async def remove(self, *kinds: str) -> None:
        """Let the run have none of these kinds."""
        from sqlalchemy import delete

        await self.do(lambda c: c.execute(delete(self.table).where(self.mine(*kinds))))

    async def unfinished_others(self) -> dict[str, bytes]:
        """What other runs of the same table know that have not finished, by their names."""
        from sqlalchemy import select

        c = self._c
        wanted = select(c.run_id, c.known).where(self._others(), c.kind == BLOCK)
        return {
            run_id: bytes(known) for run_id, known in await self.fetch(wanted.order_by(c.number))
        }

    def _others(self) -> Any:
        return (self._c.target == self._target) & (self._c.run_id != self._run_id)

    async def remove_unfinished_others(self, connection: AsyncConnection) -> None:
        """Forget runs of the same table that were given up: this one has begun after them."""
        from sqlalchemy import delete

        await connection.execute(delete(self.table).where(self._others(), self._c.kind != END))
