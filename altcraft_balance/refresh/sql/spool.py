"""The rows of a source that is read once, in pieces, in the table of states."""

from __future__ import annotations

from typing import Any

import orjson

from altcraft_balance.refresh.sql.shelf import PIECE, ROWS, Shelf

__all__ = ["SqlSpool"]


class SqlSpool:
    """Rows in pieces, in the table of states.

    Args:
        shelf: where.
        waits_for_source: SQLite lets nobody write while somebody else reads.
    """

    def __init__(self, shelf: Shelf, *, waits_for_source: bool) -> None:
        self._shelf, self._number = shelf, 0
        self.waits_for_source = waits_for_source

    async def facts(self) -> dict[str, Any] | None:
        """What `finish` was given."""
        content = await self._shelf.content(ROWS)
        return None if content is None else orjson.loads(content)

    async def forget(self) -> None:
        """Forget what is there."""
        await self._shelf.remove(PIECE, ROWS)

    async def begin(self) -> None:
        """Forget what is there, and take rows."""
        await self.forget()
        self._number = 0

    async def add(self, piece: bytes) -> None:
        """Keep a piece."""
        number = self._number
        await self._shelf.do(lambda c: self._shelf.put(c, PIECE, number, content=piece))
        self._number += 1

    async def finish(self, facts: dict[str, Any]) -> None:
        """All pieces are there."""
        content = orjson.dumps(facts)
        await self._shelf.do(lambda c: self._shelf.put(c, ROWS, 0, content=content))

    async def piece(self, number: int) -> bytes | None:
        """A piece; None after the last."""
        return await self._shelf.content(PIECE, number)

    async def free_bytes(self) -> int | None:
        """Nobody knows from here."""
        return None

    async def close(self) -> None:
        """The connection is the state's."""
