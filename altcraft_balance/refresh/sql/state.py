"""A run's state in a table beside its rows: what is written and how far it came are one commit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from altcraft_balance.refresh.sql.checkpoint import SqlCheckpoint
from altcraft_balance.refresh.sql.link import Link
from altcraft_balance.refresh.sql.shelf import BLOCK, END, PIECE, ROWS, TURN, Shelf, StateTable
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
        is_sqlite: bool,
        flush: Callable[[AsyncConnection], Awaitable[object]],
        flushed: Callable[[], object],
        let_go: Callable[[], Awaitable[object]],
    ) -> None:
        self.where = where
        self._shelf, self._is_sqlite = Shelf(link, state.table, run_id, target), is_sqlite
        self._flush, self._flushed, self._let_go = flush, flushed, let_go

    async def begin(self) -> None:
        """Let the run be this process's, and no other's that lost its connection."""
        await self._shelf.take_turn()

    async def unfinished_others(self) -> dict[str, Mapping[str, Any]]:
        """What is known of other runs of the table that have not finished, by their names."""
        found = await self._shelf.unfinished_others()
        return {run_id: orjson.loads(known) for run_id, known in found.items()}

    async def checkpoint(self) -> SqlCheckpoint:
        """The run's checkpoint."""
        checkpoint = SqlCheckpoint(self._shelf, self._flush, self._flushed)
        await checkpoint.open()
        return checkpoint

    async def spool(self) -> SqlSpool:
        """Where the rows of its source lie."""
        return SqlSpool(self._shelf, waits_for_source=self._is_sqlite)

    async def finished(self) -> Mapping[str, Any] | None:
        """What `finish` kept."""
        content = await self._shelf.content(END)
        return None if content is None else orjson.loads(content)

    async def finish(self, summary: Mapping[str, Any]) -> None:
        """Keep `summary`, and nothing else."""
        await self._shelf.keep_only(END, orjson.dumps(summary))
        await self._shelf.remove(TURN)

    async def tidy(self) -> None:
        """Nothing but what `finish` kept, and no start's word, is there."""
        await self._shelf.remove(BLOCK, PIECE, ROWS, TURN)

    async def forget_end(self) -> None:
        """It begins anew."""
        await self._shelf.remove(END)

    async def drop(self) -> None:
        """Keep nothing."""
        await self._shelf.remove(BLOCK, PIECE, ROWS, END, TURN)

    async def let_go(self) -> None:
        """Close the connection, and with it the locks."""
        await self._let_go()
