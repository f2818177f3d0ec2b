"""From a source's rows to the queries of a stream, read in blocks, one ahead.

What needs no query goes to the writer at once: rows of which none can be made, and rows whose
answers the checkpoint has.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Final

from altcraft_balance.errors import ConfigurationError, InvalidQuery
from altcraft_balance.models import BalanceQuery
from altcraft_balance.refresh.desk import Blocks, Desk
from altcraft_balance.refresh.lost_time import Waits
from altcraft_balance.refresh.outputs import Asked
from altcraft_balance.refresh.port import BadRow, Cells, RowSource
from altcraft_balance.refresh.rows.answer import Answer, bad_input, not_asked
from altcraft_balance.refresh.rows.plan import Plan
from altcraft_balance.refresh.state.checkpoint import Checkpoint
from altcraft_balance.refresh.writer import Writer

__all__ = ["Feed"]

_BLOCK_ROWS: Final = 500
_NONE: Final[Answer] = []


class Feed:
    """Reads a source, from the row after those that are durable in all outputs.

    Args:
        desk: where it is read.
        source: what is read.
        plan: makes queries of its rows.
        checkpoint: has answers from before.
        writer: takes the rows that nobody is asked about.
        is_stopping: whether nothing more shall be taken.
        gives_up: nothing is asked any more: the rest become rows with status ``not_asked``.
        has_twins: rows of a block that ask just the same are asked about once.

    Attributes:
        rows: how many rows the source has had so far.
        at_end: whether it has no more.
    """

    def __init__(
        self,
        desk: Desk,
        source: RowSource,
        plan: Plan,
        checkpoint: Checkpoint,
        writer: Writer,
        *,
        is_stopping: Callable[[], bool],
        gives_up: bool = False,
        has_twins: bool = False,
    ) -> None:
        self._desk, self._plan, self._checkpoint = desk, plan, checkpoint
        self._writer, self._is_stopping = writer, is_stopping
        self.rows = self._first = writer.durable
        self._width = plan.width
        self._blocks = Blocks(desk, lambda: source.rows(self._first), _BLOCK_ROWS)
        self._last_known = -1
        self._reading: asyncio.Task[list[Cells | BadRow]] | None = None
        self._gives_up, self.at_end = gives_up, False
        self._has_twins = has_twins
        self._asking: dict[tuple[BalanceQuery, ...], Asked] = {}
        self._waits = Waits(asyncio.get_running_loop().time)

    @property
    def waited_s(self) -> float:
        """Seconds for which a query was wanted and no row was read."""
        return self._waits.seconds()

    async def queries(self) -> AsyncGenerator[BalanceQuery, None]:
        """The queries of all rows, in order; for a stream."""
        self._last_known = await self._desk.call(self._checkpoint.last_row)
        while block := await self._next_block():
            known = await self._known(len(block))
            self._asking.clear()
            for cells in block:
                if not self._writer.has_taken():
                    await self._writer.take()
                if self._is_stopping():
                    return
                number, self.rows = self.rows, self.rows + 1
                if not (isinstance(cells, list | tuple) and len(cells) == self._width):
                    cells = self._checked(cells)
                if number in known:
                    row = Asked(number, _cells(cells), known[number], is_known=True)
                    self._writer.put(row)
                    continue
                for query in self._asked(number, cells):
                    yield query
        self.at_end = True

    async def close(self) -> None:
        """Read no further."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        await self._blocks.close()

    async def _next_block(self) -> list[Cells | BadRow]:
        reading = self._reading or asyncio.create_task(self._blocks.next())
        self._reading = reading
        with self._waits.going_on():
            block = await asyncio.shield(reading)
        self._reading = asyncio.create_task(self._blocks.next()) if block else None
        return block

    async def _known(self, size: int) -> dict[int, list[Answer]]:
        if self.rows > self._last_known:
            return {}
        found: dict[int, list[Answer]] = await self._desk.call(
            self._checkpoint.answers, self.rows, self.rows + size - 1
        )
        return found

    def _checked(self, cells: Any) -> Cells | BadRow:
        """A row that is not quite as it should be."""
        if isinstance(cells, BadRow):
            return cells
        if isinstance(cells, str | bytes) or not isinstance(cells, Sequence):
            raise ConfigurationError(
                f"a source must give rows that are lists or tuples of cells, not "
                f"{type(cells).__name__}"
            )
        if len(cells) == self._width:
            return cells
        return BadRow(cells, f"the row has {len(cells)} cells where {self._width} are expected")

    def _asked(self, number: int, cells: Cells | BadRow) -> list[BalanceQuery]:
        """The queries of a row; none when it is finished already."""
        if isinstance(cells, BadRow):
            why = cells.why
        elif self._gives_up:
            unasked = [not_asked(*about) for about in self._plan.unasked(cells)]
            return self._put(number, cells, unasked)
        else:
            row = Asked(number, cells, [_NONE] * self._plan.answers, self._plan.answers)
            try:
                queries = self._plan.queries(cells, row)
                return [] if self._has_twins and self._is_twin(row, queries) else queries
            except InvalidQuery as error:
                why = str(error)
        held = _cells(cells)
        bad = [bad_input(why, *about) for about in self._plan.unasked(held)]
        return self._put(number, held, bad)

    def _is_twin(self, row: Asked, queries: list[BalanceQuery]) -> bool:
        """Whether an earlier row of the block asks the same; it hands on what it is answered."""
        first = self._asking.setdefault(tuple(queries), row)
        if first is row:
            return False
        if first.missing:
            first.twins = [*(first.twins or ()), row]
        else:  # it has been answered already
            row.answer_as(first)
            self._writer.put(row)
        return True

    def _put(self, number: int, cells: Cells, answers: list[Answer]) -> list[BalanceQuery]:
        self._writer.put(Asked(number, cells, answers))
        return []


def _cells(cells: Cells | BadRow) -> Cells:
    return cells.cells if isinstance(cells, BadRow) else cells
