"""A run's state in a table beside its rows: what is written and how far it came are one commit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from altcraft_balance.refresh.sql.checkpoint import SqlCheckpoint
from altcraft_balance.refresh.sql.link import Link
from altcraft_balance.refresh.sql.shelf import BLOCK, END, PIECE, ROWS, Shelf, StateTable
from altcraft_balance.refresh.sql.spool import SqlSpool

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["SqlState"]


class SqlState:
    """The state of the run `run_id` that writes to `target`, over `link`.

    Args:
        flush: writes what the sink has taken, in the transaction that it is given.
        let_go: is awaited when another process may go on.
    """

    def __init__(
        self,
        link: Link,
        state: StateTable,
        run_id: str,
        target: str,
        where: str,
        *,
        flush: Callable[[AsyncConnection], Awaitable[object]],
        flushed: Callable[[], object],
        let_go: Callable[[], Awaitable[object]],
    ) -> None:
        self.where = where
        self._shelf = Shelf(link, state.table, run_id, target)
        self._flush, self._flushed, self._let_go = flush, flushed, let_go

    async def checkpoint(self) -> SqlCheckpoint:
        """The run's checkpoint; a run that has none yet is the only one of its table."""
        checkpoint = SqlCheckpoint(self._shelf, self._flush, self._flushed)
        await checkpoint.open()
        return checkpoint

    async def spool(self) -> SqlSpool:
        """Where the rows of its source lie."""
        return SqlSpool(self._shelf)

    async def finished(self) -> Mapping[str, Any] | None:
        """What `finish` kept."""
        content = await self._shelf.content(END)
        return None if content is None else orjson.loads(content)

    async def finish(self, summary: Mapping[str, Any]) -> None:
        """Keep `summary`, and nothing else."""
        await self._shelf.keep_only(END, orjson.dumps(summary))

    async def tidy(self) -> None:
        """There is nothing else: `finish` is one commit."""

    async def forget_end(self) -> None:
        """It begins anew."""
        await self._shelf.remove(END)

    async def drop(self) -> None:
        """Keep nothing."""
        await self._shelf.remove(BLOCK, PIECE, ROWS, END)

    async def let_go(self) -> None:
        """Close the connection, and with it the locks."""
        await self._let_go()
