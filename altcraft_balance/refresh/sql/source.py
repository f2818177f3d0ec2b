"""``SqlSource``: the rows of a query."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.file_source import Interrupted
from altcraft_balance.refresh.port import BadRow, Cells, SourceInfo
from altcraft_balance.refresh.sql.database import Database
from altcraft_balance.refresh.sql.source_cells import SourceCells
from altcraft_balance.refresh.sql.trouble import telling
from altcraft_balance.secret import Secret

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncResult

__all__ = ["SqlSource"]

_AT_ONCE: Final = 1_000


class SqlSource:
    """The rows of a query, read once for a run, in the order in which they come.

    A run keeps what it has read beside its state, until it has finished: so the connection is
    closed before anybody is asked about, and a run that goes on has the same rows. The next run
    reads them anew. Whole numbers, numbers and booleans keep their types, all else becomes text.

    Args:
        query: SQL that reads; in PostgreSQL its transaction is read-only.
        dsn: SQLAlchemy's URL of the database, or a `Secret` that holds one; of any dialect with an
            async driver. asyncpg and aiosqlite are taken when none is named.

    Raises:
        ConfigurationError: the DSN cannot be, or the extra ``sql`` is not installed.
    """

    def __init__(self, query: str, dsn: str | Secret) -> None:
        self._query = query.strip().rstrip(";").rstrip()
        if not self._query:
            raise ConfigurationError(
                "the query is empty: give one such as 'select id, email from members'"
            )
        self._database = Database(dsn, "SqlSource")
        self.name = f"the query on {self._database.shown}"
        self._cells = SourceCells((), [])
        self._limit: asyncio.Timeout | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_interrupted = False

    def interrupt(self) -> None:
        """Whatever is read shall end soon."""
        self._is_interrupted = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._cut_short)

    async def describe(self) -> SourceInfo:
        """Run the query for its columns, and count its rows.

        Raises:
            ConfigurationError: it cannot be run.
            ConnectionError: the database cannot be reached.
        """
        self._is_interrupted = False
        if self._database.is_missing:  # SQLite would make it
            raise ConfigurationError(f"there is no database {self._database.shown}")
        async with self._connected() as connection, self._interruptible():
            result = await self._result(connection)
            first = await result.fetchmany(_AT_ONCE)
            self._cells = SourceCells(tuple(result.keys()), first)
            await result.close()
            total = len(first)
            if total == _AT_ONCE:
                total = await self._counted(connection)
        return SourceInfo(
            name=self.name,
            columns=self._cells.columns,
            fingerprint=self._database.fingerprint(self._query),
            total=total,
            total_is_exact=False,
            types=self._cells.types,
            is_live=True,
        )

    async def rows(self, skip: int) -> AsyncIterator[Cells | BadRow]:
        """Run the query, and give its rows."""
        left_out = skip
        async with self._connected() as connection:
            async with self._interruptible():
                result = await self._result(connection)
            while True:
                async with self._interruptible():
                    part: Sequence[Any] = await result.fetchmany(_AT_ONCE)
                if not part:
                    break
                for row in part[left_out:]:
                    yield self._cells.of(row)
                left_out = max(left_out - len(part), 0)

    async def _result(self, connection: AsyncConnection) -> AsyncResult[Any]:
        from sqlalchemy import text
        from sqlalchemy.exc import ResourceClosedError

        # A colon is SQL's own here: no parameter has a name.
        query = text(self._query.replace(":", r"\:"))
        result = await connection.stream(query, execution_options={"yield_per": _AT_ONCE})
        try:
            result.keys()
            return result
        except ResourceClosedError:
            pass
        raise ConfigurationError("the query gives no rows: it must be one that reads")

    async def _counted(self, connection: AsyncConnection) -> int:
        from sqlalchemy import text

        counting = f"SELECT count(*) FROM ({self._query}\n) AS counted"  # noqa: S608 - it is theirs
        return int(await connection.scalar(text(counting.replace(":", r"\:"))) or 0)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        self._loop = asyncio.get_running_loop()
        engine = self._database.engine()
        try:
            with telling(self._database.shown, reads=True):
                async with engine.connect() as connection:
                    if self._database.dialect == "postgresql":
                        await connection.execution_options(postgresql_readonly=True)
                    yield connection
        finally:
            await engine.dispose()

    @asynccontextmanager
    async def _interruptible(self) -> AsyncIterator[None]:
        """Within it, `interrupt` ends what is waited for."""
        if self._is_interrupted:
            raise Interrupted
        try:
            async with asyncio.timeout(None) as self._limit:
                yield
        except TimeoutError:
            if not self._is_interrupted:
                raise
        finally:
            self._limit = None
        if self._is_interrupted:
            raise Interrupted

    def _cut_short(self) -> None:
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(0)
