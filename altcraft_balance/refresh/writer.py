"""From answers to durable rows: blocks are sorted, written, made durable and committed, in turn.

What is asked and not yet committed is asked again after a crash, so there is never much of it: the
reader of the source waits for `room`. Nobody else does, so that lookups go on while a block is
written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.desk import Desk
from altcraft_balance.refresh.early import Early
from altcraft_balance.refresh.lost_time import Waits
from altcraft_balance.refresh.outputs import Asked, Output
from altcraft_balance.refresh.rows.tally import Tally
from altcraft_balance.refresh.state.checkpoint import Checkpoint

__all__ = ["Writer", "rows_at_once"]

_BLOCK_ROWS: Final = 250
_ROWS_AT_ONCE: Final = 500
#: A row that is answered is committed within about so many seconds.
_AT_LATEST_S: Final = 1.0


def rows_at_once(slots: int) -> int:
    """How many rows may be taken and not committed, with so many requests at once."""
    return max(_ROWS_AT_ONCE, slots + _ROWS_AT_ONCE // 2)


class Writer:
    """Takes rows with their answers, in any order.

    Args:
        desk: where it all is done.
        checkpoint: what is told of each block.
        outputs: where the rows go; they are open.
        tally: the run's counts, which it adds to.
        facts: what else the checkpoint keeps.
        most: rows that may be taken and not committed.
        failed: is called when a block could not be written.
        before: is awaited with the rows of each block, before any of them is written.
    """

    def __init__(
        self,
        desk: Desk,
        checkpoint: Checkpoint,
        outputs: Sequence[Output],
        tally: Tally,
        *,
        facts: dict[str, Any],
        most: int,
        failed: Callable[[], object],
        before: Callable[[Sequence[Asked]], Awaitable[object]] | None = None,
    ) -> None:
        self._desk, self._checkpoint, self._outputs = desk, checkpoint, outputs
        self._before = before
        self._tally, self._facts, self._failed = tally, facts, failed
        self._early = Early(self.durable)
        self._is_on_loop = before is not None or any(output.is_on_loop for output in outputs)
        self._most, self._taken = most, 0
        self._room = asyncio.Event()
        self._pending: list[Asked] = []
        self._block: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._is_closing = False
        self._waits = Waits(self._loop.time)

    @property
    def waited_s(self) -> float:
        """Seconds for which there was no room since a block was not written yet."""
        return self._waits.seconds()

    @property
    def durable(self) -> int:
        """Rows of the source, from the first on, that are durable in every output."""
        return min(output.mark for output in self._outputs)

    @property
    def due_next(self) -> int:
        """The first row of the source that was not put in order yet."""
        return self._early.next_row

    def begin(self) -> None:
        """From now on what is answered is written, in a second at the latest."""
        self._timer = self._loop.call_later(_AT_LATEST_S, self._now_and_then)

    def has_taken(self) -> bool:
        """Take a row if there is room for it now; whether there was."""
        if self._taken >= self._most:
            return False
        self._taken += 1
        return True

    async def take(self) -> None:
        """Take a row as soon as there is room for it."""
        while self._taken >= self._most:
            self._begin_block()
            self._room.clear()
            with self._waits.going_on(self._is_writing):
                await self._room.wait()
        self._taken += 1

    def put(self, row: Asked) -> None:
        """A row that was taken has its answers."""
        if not row.is_known:
            self._tally.add(row.answers)
        self._pending.append(row)
        if len(self._pending) >= _BLOCK_ROWS or self._taken >= self._most:
            self._begin_block()

    async def commit(self) -> None:
        """All that was put is committed after this.

        Raises:
            OSError: it could not be written, or what came before it.
        """
        while self._block is not None or self._pending:
            self._begin_block()
            await self._settled()

    async def complete(self, rows: int, total: int | None) -> None:
        """The source has had `rows` rows, and all have been put: no more will come.

        Raises:
            ConfigurationError: it had said that it has `total`.
        """
        if total not in (None, rows):
            raise ConfigurationError(
                f"the source has given {rows:,} rows where it had {total:,} before"
            )
        await self.commit()
        if self._early.next_row != rows or len(self._early):
            raise RuntimeError(f"{rows} rows were read and {self._early.next_row} are in order")
        for output in self._outputs:
            await output.sync()
        self._facts["is_whole"] = True
        await self._desk.call(self._checkpoint.commit, self._known(self._tally_now()), [], rows)

    def halt(self) -> None:
        """Begin no other block."""
        self._is_closing = True

    def cut(self) -> None:
        """Wait no longer for an ``async`` sink, which keeps the block that is under way."""
        self.halt()
        if self._block is not None:
            self._block.cancel()

    async def close(self) -> None:
        """Wait for the block that is under way, whatever comes of it, and forget the rest."""
        self.halt()
        if self._timer is not None:
            self._timer.cancel()
        if (block := self._block) is not None:
            await asyncio.wait([block])
            if not block.cancelled():
                block.exception()  # it was raised, or something graver was
        await self._desk.call(self._early.close)

    # ── a block ──────────────────────────────────────────────────────────────────────────────

    def _begin_block(self) -> None:
        if not self._pending or self._block is not None or self._is_closing:
            return
        rows, self._pending = self._pending, []
        writing = self._desk.do(self._write(rows, self._tally_now()), on_loop=self._is_on_loop)
        self._block = asyncio.create_task(writing)
        self._block.add_done_callback(lambda block: self._ended(block, len(rows)))

    def _ended(self, block: asyncio.Task[None], rows: int) -> None:
        if block.cancelled() or block.exception() is not None:
            self._failed()  # and this block stays, so that nothing more is written
            return
        self._block = None
        self._taken -= rows
        self._room.set()
        if len(self._pending) >= _BLOCK_ROWS:
            self._begin_block()

    def _is_writing(self) -> bool:
        return bool(self._pending) or self._block is not None

    async def _settled(self) -> None:
        if (block := self._block) is not None:
            # Not awaited itself: a cancel of the waiter is not the block's.
            await asyncio.wait([block])
            block.result()

    def _now_and_then(self) -> None:
        """What waits for a full block is written as it is."""
        self._begin_block()
        self._timer = self._loop.call_later(_AT_LATEST_S, self._now_and_then)

    async def _write(self, rows: list[Asked], tally: dict[str, Any]) -> None:
        for output in self._outputs:
            await output.begin()
        if self._before is not None:
            await self._before([row for row in rows if not row.is_known])
        await self._desk.call(self._early.add, rows)
        while due := await self._desk.call(self._early.due):
            for output in self._outputs:
                await output.take(due)
        below = self.durable
        answers = [
            (row.number, row.answers) for row in rows if row.number >= below and not row.is_known
        ]
        await self._desk.call(self._checkpoint.commit, self._known(tally), answers, below)

    def _known(self, tally: dict[str, Any]) -> dict[str, Any]:
        marks = [[output.mark, output.token] for output in self._outputs]
        return {**self._facts, "outputs": marks, "tally": tally}

    def _tally_now(self) -> dict[str, Any]:
        """The counts as they are when a block begins: those of all rows up to it, and no others."""
        return self._tally.as_dict()
