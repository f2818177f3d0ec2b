"""``SqlSource``: the rows of a query."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.file_source import Interrupted
from altcraft_balance.refresh.port import BadRow, Cells, SourceInfo
from altcraft_balance.refresh.sql.database import Database, cut, hidden
from altcraft_balance.refresh.sql.source_cells import SourceCells
from altcraft_balance.refresh.sql.trouble import WRITES, is_locked, telling
from altcraft_balance.secret import Secret

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncResult

__all__ = ["SqlSource"]

_T = TypeVar("_T")
#: Of SQLite's machine, which does some millions in a second.
_STEPS: Final = 10_000
_AT_ONCE: Final = 1_000
#: SQLite's file may be locked for so long.
_BUSY_S: Final = 10.0
_PAUSE_S: Final = 0.05
#: A server that was asked to cancel a query, and says nothing for so long, is left.
_CANCEL_S: Final = 0.5


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
        dsn = hidden(dsn)
        self._query = query.strip().rstrip(";").rstrip()
        if not self._query:
            raise ConfigurationError(
                "query is empty: give one such as 'select id, email from members'"
            )
        self._database = Database(dsn, "SqlSource")
        self.name = f"the query on {self._database.shown}"
        self._cells = SourceCells((), [])
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leaving: asyncio.TimerHandle | None = None
        self._driver: Any = None
        self._reading: asyncio.Task[Any] | None = None
        self._is_opening = self._is_cut = self._is_interrupted = False

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
        if await asyncio.to_thread(self._database.is_missing):  # SQLite would make it
            raise ConfigurationError(f"there is no database {self._database.shown}")
        async with self._connected() as connection:
            total = await self._interruptibly(
                self._patiently(lambda: self._looked_into(connection))
            )
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
            result = await self._interruptibly(self._patiently(lambda: self._result(connection)))
            while part := await self._interruptibly(result.fetchmany(_AT_ONCE)):
                for row in part[left_out:]:
                    yield self._cells.of(row)
                left_out = max(left_out - len(part), 0)

    async def _looked_into(self, connection: AsyncConnection) -> int:
        """Learn what the rows' cells are; how many rows there are."""
        result = await self._result(connection)
        first = await result.fetchmany(_AT_ONCE)
        self._cells = SourceCells(tuple(result.keys()), first)
        await result.close()
        return len(first) if len(first) < _AT_ONCE else await self._counted(connection)

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
        raise ConfigurationError(WRITES)

    async def _counted(self, connection: AsyncConnection) -> int:
        from sqlalchemy import text

        counting = f"SELECT count(*) FROM ({self._query}\n) AS counted"  # noqa: S608 - it is theirs
        return int(await connection.scalar(text(counting.replace(":", r"\:"))) or 0)

    async def _patiently(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """What `work` gives, which is begun again while another writes to SQLite's file."""
        gives_up_at = asyncio.get_running_loop().time() + _BUSY_S
        while True:
            try:
                return await work()
            except Exception as error:
                if asyncio.get_running_loop().time() >= gives_up_at or not is_locked(error):
                    raise
            await asyncio.sleep(_PAUSE_S)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        self._loop, self._is_cut = asyncio.get_running_loop(), False
        engine = self._database.engine(self._came)
        connection = engine.connect()
        try:
            with telling(self._database.shown, reads=True):
                try:
                    await self._opened(connection)
                    yield connection
                finally:
                    if connection.sync_connection is not None:
                        await connection.close()
        finally:
            if self._leaving is not None:
                self._leaving.cancel()
            self._loop = self._driver = None  # a loop may be closed when somebody interrupts
            await engine.dispose()

    async def _opened(self, connection: AsyncConnection) -> None:
        self._is_opening = True
        try:
            await self._interruptibly(self._open(connection))
        finally:
            self._is_opening = False

    async def _open(self, connection: AsyncConnection) -> None:
        await connection.start()
        if self._database.dialect == "postgresql":
            await connection.execution_options(postgresql_readonly=True)
        elif self._database.dialect == "sqlite":
            # Its thread would go on with a query that nobody waits for any more.
            await self._driver.set_progress_handler(lambda: int(self._is_cut), _STEPS)

    def _came(self, driver: Any) -> None:
        self._driver = driver

    async def _interruptibly(self, work: Coroutine[Any, Any, _T]) -> _T:
        """What `work` gives; `interrupt`, or a cancel, ends it wherever it is."""
        if self._is_interrupted:
            work.close()
            raise Interrupted
        reading = self._reading = asyncio.create_task(work)
        try:
            await asyncio.wait([reading])
        except asyncio.CancelledError:
            self._cut_short()
            await asyncio.wait([reading])
            raise
        finally:
            self._reading = None
        if self._is_interrupted:
            raise Interrupted
        return cast(_T, reading.result())

    def _cut_short(self) -> None:
        reading = self._reading
        if reading is None or self._loop is None:
            return
        self._is_cut = True
        reading.add_done_callback(_heard)
        if self._is_opening:
            # SQLAlchemy loses a connection that is cancelled just as it comes.
            self._leaving = self._loop.call_later(_CANCEL_S, self._leave, reading)
        else:
            reading.cancel()
            self._leaving = self._loop.call_later(_CANCEL_S, self._leave)

    def _leave(self, reading: asyncio.Task[Any] | None = None) -> None:
        """Ask a server for nothing more: not even to end the session, as SQLAlchemy would."""
        cut(self._driver)
        if reading is not None:
            reading.cancel()


def _heard(task: asyncio.Task[Any]) -> None:
    """Whatever a task that was ended came to is no news."""
    if not task.cancelled():
        task.exception()
