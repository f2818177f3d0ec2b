"""What a run knows for certain, in a table: a commit of it takes the sink's rows with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

import orjson

from altcraft_balance.refresh.rows.answer import Answer
from altcraft_balance.refresh.sql.shelf import BLOCK, Shelf
from altcraft_balance.refresh.state.checkpoint import Known

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["SqlCheckpoint"]


#: The commit before it says what the run is; until this one it may still be a mistake.
_FIRST_ROWS: Final = 1


class SqlCheckpoint:
    """What a run knows for certain; each commit takes the sink's rows with it."""

    def __init__(
        self,
        shelf: Shelf,
        flush: Callable[[AsyncConnection], Awaitable[object]],
        flushed: Callable[[], object],
    ) -> None:
        self._shelf, self._flush, self._flushed = shelf, flush, flushed
        self._c = shelf.table.columns
        self._number = -1
        self._known: Known = {}

    async def open(self) -> None:
        """Learn what the last commit kept."""
        from sqlalchemy import select

        last = select(self._c.number, self._c.known).where(self._shelf.mine(BLOCK))
        found = await self._shelf.fetch(last.order_by(self._c.number.desc()).limit(1))
        if found:
            self._number, self._known = found[0][0], orjson.loads(found[0][1])

    async def known(self) -> Known:
        """What the last `commit` kept."""
        return self._known

    async def last_row(self) -> int:
        """The highest row of which there are answers; -1 without any."""
        from sqlalchemy import func, select

        wanted = select(func.max(self._c.last_row)).where(self._shelf.mine(BLOCK))
        highest = (await self._shelf.fetch(wanted))[0][0]
        return -1 if highest is None else int(highest)

    async def answers(self, first: int, last: int) -> dict[int, list[Answer]]:
        """The answers to rows from `first` to `last`, of those that have some."""
        from sqlalchemy import select

        wanted = select(self._c.content).where(
            self._shelf.mine(BLOCK), self._c.last_row >= first, self._c.first_row <= last
        )
        rows = [row for (text,) in await self._shelf.fetch(wanted) for row in orjson.loads(text)]
        return {number: answers for number, answers in rows if first <= number <= last}

    async def commit(
        self, known: Known, answers: Iterable[tuple[int, Sequence[Answer]]], below: int
    ) -> None:
        """Keep `known` and `answers`, and what the sink has taken: all of it, or nothing."""
        from sqlalchemy import delete, func

        rows = list(answers)
        numbers = [number for number, _ in rows]
        block = {
            "first_row": min(numbers, default=None),
            "last_row": max(numbers, default=None),
            "content": orjson.dumps(rows),
            "known": orjson.dumps(known),
        }
        number = self._number + 1
        is_past = func.coalesce(self._c.last_row, -1) < below
        past = delete(self._shelf.table).where(
            self._shelf.mine(BLOCK), is_past, self._c.number < number
        )

        async def work(connection: AsyncConnection) -> None:
            await self._flush(connection)
            await self._shelf.put(connection, BLOCK, number, **block)
            await connection.execute(past)
            if number == _FIRST_ROWS:
                await self._shelf.remove_unfinished_others(connection)

        await self._shelf.do(work)
        self._number, self._known = number, known
        self._flushed()

    async def close(self) -> None:
        """The connection is the state's."""
