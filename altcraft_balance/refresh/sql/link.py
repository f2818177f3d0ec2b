"""One connection for the whole run: what is done over it is done again when it was lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from altcraft_balance.refresh.sql.database import Database, cut
from altcraft_balance.refresh.sql.trouble import DatabaseAway, away, is_passing, named, telling

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["Link"]

_T = TypeVar("_T")
_log = logging.getLogger(__name__)
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0
_LAST_TRY_S: Final = 0.5
_BEFORE_CANCEL_S: Final = 0.1
_GOODBYE_S: Final = 1.0
_HURRIED_GOODBYE_S: Final = 0.1


class Link:
    """Does work in transactions, one at a time.

    Args:
        database: where it leads.
        patience_s: for how many seconds a database that is away is waited for.
        prepare: is awaited with each new connection.
        tell: is told, in a sentence, that the database is away, and that it is back.

    Attributes:
        connections: how many there have been: while one lasts, nobody else has had its locks.
    """

    def __init__(
        self,
        database: Database,
        patience_s: float,
        prepare: Callable[[AsyncConnection], Awaitable[object]],
        tell: Callable[[str], object] = _log.warning,
    ) -> None:
        self._database, self._patience_s, self._prepare = database, patience_s, prepare
        self._tell = tell
        self._connection: AsyncConnection | None = None
        self.connections = 0
        self._turn = asyncio.Lock()
        self._hurried = asyncio.Event()
        self._limit: asyncio.Timeout | None = None
        self._aborting: asyncio.TimerHandle | None = None
        self._driver: Any = None
        self._ends_at = float("inf")

    async def open(self) -> None:
        """Connect, without patience: what is wrong at the beginning is said at once.

        Who was in a hurry before is in one now.

        Raises:
            DatabaseAway: there is no connection.
            ConfigurationError: there will be none, as it was asked for.
        """
        with telling(self._database.shown):
            await self._limited(self._connected())

    async def do(self, work: Callable[[AsyncConnection], Awaitable[_T]]) -> _T:
        """What `work` gives, in one transaction; it is begun again when the connection was lost.

        So what it does must come out the same when it was done already: a commit may be lost in
        the answer alone.

        Raises:
            DatabaseAway: the connection did not come back within one's patience.
            ConfigurationError: the database refuses.
        """
        async with self._turn:
            with telling(self._database.shown):
                return await self._patiently(work)

    def hurry(self, seconds: float) -> None:
        """Wait for nothing longer than `seconds` from now, and a moment for what is under way."""
        self._ends_at = min(self._ends_at, asyncio.get_running_loop().time() + seconds)
        self._hurried.set()
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(self._end_of_try())
            self._abort_in_time()

    async def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection, self._driver = self._connection, None, None
        if connection is None:
            return
        try:
            async with asyncio.timeout(self._goodbye_s()):
                await connection.close()
        except Exception as error:  # noqa: BLE001 - nothing of it is needed any more
            _log.debug("the connection was not closed: %s", named(error))
        await connection.engine.dispose()

    async def _patiently(self, work: Callable[[AsyncConnection], Awaitable[_T]]) -> _T:
        loop = asyncio.get_running_loop()
        gives_up_at, pause_s, trouble = float("inf"), _FIRST_PAUSE_S, ""
        while True:
            try:
                done = await self._once(work)
            except Exception as error:
                if not is_passing(error):
                    raise
                if not trouble or type(error) is not TimeoutError:  # that may be our own limit
                    trouble = away(self._database.shown, error)
            else:
                if gives_up_at < float("inf"):
                    self._tell(f"{self._database.shown} is back")
                return done
            await self.close()
            if gives_up_at == float("inf"):
                gives_up_at = loop.time() + self._patience_s
                waits_s = max(min(gives_up_at, self._ends_at) - loop.time(), 0.0)
                self._tell(f"{trouble}; it is waited for, {waits_s:,.0f} s at most")
            gives_up_at = min(gives_up_at, self._ends_at)
            if loop.time() >= gives_up_at:
                break
            await self._pause(min(pause_s, gives_up_at - loop.time()))
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        raise DatabaseAway(111, trouble)

    async def _once(self, work: Callable[[AsyncConnection], Awaitable[_T]]) -> _T:
        async def do() -> _T:
            connection = await self._connected()
            async with connection.begin():
                return await work(connection)

        return await self._limited(do())

    async def _limited(self, trying: Coroutine[Any, Any, _T]) -> _T:
        """What a try gives, which ends in time when somebody is in a hurry."""
        async with asyncio.timeout_at(self._end_of_try()) as self._limit:
            self._abort_in_time()
            try:
                return await trying
            finally:
                self._limit = None
                if self._aborting is not None:
                    self._aborting.cancel()

    def _abort_in_time(self) -> None:
        """A little before a try is cancelled its connection is cut.

        A server that says nothing is otherwise asked to cancel the statement, and then to close the
        session, with seconds for each.
        """
        if self._aborting is not None:
            self._aborting.cancel()
        if (ends_at := self._end_of_try()) is not None:
            loop = asyncio.get_running_loop()
            self._aborting = loop.call_at(ends_at - _BEFORE_CANCEL_S, self._abort)

    def _abort(self) -> None:
        cut(self._driver)

    def _came(self, driver: Any) -> None:
        self._driver = driver

    def _end_of_try(self) -> float | None:
        """Who is in a hurry still gets what he has committed, if the database is there."""
        if self._ends_at == float("inf"):
            return None
        return max(self._ends_at, asyncio.get_running_loop().time() + _LAST_TRY_S)

    async def _connected(self) -> AsyncConnection:
        if self._connection is None or self._connection.closed:
            connection = await self._database.engine(self._came).connect()
            try:
                await self._prepare(connection)
                await connection.rollback()
            except BaseException:
                await connection.close()
                raise
            self._connection = connection
            self.connections += 1
        return self._connection

    def _goodbye_s(self) -> float:
        return _HURRIED_GOODBYE_S if self._hurried.is_set() else _GOODBYE_S

    async def _pause(self, seconds: float) -> None:
        if self._hurried.is_set():
            await asyncio.sleep(seconds)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurried.wait()
