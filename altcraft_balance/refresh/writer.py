"""From answers to durable rows: blocks are sorted, written, made durable and committed, in turn.

A block is begun while the one before is under way, and no third: so at most `BLOCK_ROWS` rows twice
are answered and not yet committed, and whoever brings more has to wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from altcraft_balance.refresh.checkpoint import Checkpoint
from altcraft_balance.refresh.desk import Desk
from altcraft_balance.refresh.early import Early
from altcraft_balance.refresh.outputs import Answered, Output
from altcraft_balance.refresh.tally import Tally

__all__ = ["BLOCK_ROWS", "Writer"]

BLOCK_ROWS: Final = 250
#: A row that is answered is committed within about so many seconds.
_AT_LATEST_S: Final = 1.0


class Writer:
    """Takes rows with their answers, in any order.

    Args:
        desk: where it all is done.
        checkpoint: what is told of each block.
        outputs: where the rows go; they are open.
        tally: the run's counts, which it adds to.
        facts: what else the checkpoint keeps.
        failed: is called when a block cannot be written, while nobody waits for it.
    """

    def __init__(
        self,
        desk: Desk,
        checkpoint: Checkpoint,
        outputs: Sequence[Output],
        tally: Tally,
        *,
        facts: dict[str, Any],
        failed: Callable[[], object],
    ) -> None:
        self._desk, self._checkpoint, self._outputs = desk, checkpoint, outputs
        self._tally, self._facts, self._failed = tally, facts, failed
        self._early = Early(self.durable)
        self._pending: list[Answered] = []
        self._block: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(_AT_LATEST_S, self._is_due)
        self.waited_s = 0.0

    @property
    def durable(self) -> int:
        """Rows of the source, from the first on, that are durable in every output."""
        return min(output.mark for output in self._outputs)

    async def put(self, row: Answered) -> None:
        """Take one more row.

        Raises:
            OSError: a block before it could not be written.
        """
        if not row.is_known:
            self._tally.add(row.answers)
        self._pending.append(row)
        if len(self._pending) >= BLOCK_ROWS:
            began = self._loop.time()
            await self._settled()
            self.waited_s += self._loop.time() - began
            self._begin_block()

    async def commit(self) -> None:
        """All that was put is committed after this."""
        await self._settled()
        self._begin_block()
        await self._settled()

    async def complete(self, rows: int) -> None:
        """The source has had `rows` rows, and all have been put: no more will come."""
        await self.commit()
        if self._early.next_row != rows or len(self._early):
            raise RuntimeError(f"{rows} rows were read and {self._early.next_row} are in order")
        for output in self._outputs:
            await output.sync()
        self._facts["is_whole"] = True
        await self._desk.call(self._commit, [], self._kept())

    async def close(self) -> None:
        """Wait for the block that is under way, whatever comes of it, and forget the rest."""
        self._timer.cancel()
        if self._block is not None:
            await asyncio.wait([self._block])
            if not self._block.cancelled():
                self._block.exception()  # it was raised, or something graver was
        await self._desk.call(self._early.close)

    # ── a block ──────────────────────────────────────────────────────────────────────────────

    def _begin_block(self) -> None:
        if self._pending and self._block is None:
            rows, self._pending = self._pending, []
            self._block = asyncio.create_task(self._write(rows, self._kept()))
            self._block.add_done_callback(self._ended)

    async def _settled(self) -> None:
        while (block := self._block) is not None:
            # Not awaited itself: a cancel of the waiter is not the block's.
            await asyncio.wait([block])
            if self._block is block:
                block.result()
                self._block = None

    def _ended(self, block: asyncio.Task[None]) -> None:
        if block.cancelled() or block.exception() is not None:
            self._failed()

    def _is_due(self) -> None:
        """Now and then: what waits for a full block is written as it is."""
        if self._block is not None and self._block.done() and self._block.exception() is None:
            self._block = None
        self._begin_block()
        self._timer = self._loop.call_later(_AT_LATEST_S, self._is_due)

    async def _write(self, rows: list[Answered], kept: dict[str, Any]) -> None:
        due = await self._desk.call(self._sorted, rows)
        while due:
            for output in self._outputs:
                await output.take(due)
            due = await self._desk.call(self._early.due)
        kept["outputs"] = [[output.mark, output.token] for output in self._outputs]
        await self._desk.call(self._commit, rows, kept)

    def _sorted(self, rows: list[Answered]) -> list[Answered]:
        self._early.add(rows)
        return self._early.due()

    def _commit(self, rows: Sequence[Answered], kept: dict[str, Any]) -> None:
        below = self.durable
        answers = [
            (row.number, row.answers) for row in rows if row.number >= below and not row.is_known
        ]
        self._checkpoint.commit(kept, answers, below)

    def _kept(self) -> dict[str, Any]:
        return {
            **self._facts,
            "outputs": [[output.mark, output.token] for output in self._outputs],
            "tally": self._tally.as_dict(),
        }
