"""A live source, read once: its rows are kept with the run's state, and read from there."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.desk import Blocks, Desk
from altcraft_balance.refresh.files.file_source import Interrupted
from altcraft_balance.refresh.port import BadRow, Cells, Rows, RowSource, SourceInfo
from altcraft_balance.refresh.state.row_spool import (
    PIECE_ROWS,
    FileSpool,
    RowSpool,
    packed,
    unpacked,
)

__all__ = ["Spooled"]


class Spooled:
    """The rows of `source`, as they were when the run began.

    Args:
        desk: where what blocks is done.
        source: a live one.
        info: what it said of itself.
        spool: where its rows are, or shall be.
        is_stopped: whether reading them shall end.
        tell: is told, in a sentence, how large they are.
    """

    def __init__(
        self,
        desk: Desk,
        source: RowSource,
        info: SourceInfo,
        spool: RowSpool,
        *,
        is_stopped: Callable[[], bool],
        tell: Callable[[str], object],
    ) -> None:
        self._desk, self._source, self._info, self._spool = desk, source, info, spool
        self._is_stopped, self._tell = is_stopped, tell
        self._rows = self._bytes = 0

    async def fill(self, *, is_new: bool, has_answers: bool) -> int:
        """Read the source, unless the run has done that; how many rows there are.

        Args:
            is_new: whether the run begins: whatever is there is not its own.
            has_answers: whether some of the rows have been answered before: then they must be here.

        Raises:
            ConfigurationError: they are not, or have other columns; or the source cannot be read.
            OSError: there is no room for them.
            Interrupted: as it was asked to.
        """
        facts: dict[str, Any] | None = None
        if not is_new:
            facts = await self._desk.call(self._spool.facts)
        if facts is None:
            if has_answers:
                raise ConfigurationError(
                    f"the rows that were read of {self._info.name} are gone: begin anew with "
                    "fresh=True"
                )
            facts = await self._read()
        if facts["columns"] != list(self._info.columns):
            raise ConfigurationError(
                f"{self._info.name} gave the columns {', '.join(facts['columns'])} when the run "
                f"was begun, and gives {', '.join(self._info.columns)} now: begin anew with "
                "fresh=True"
            )
        return int(facts["rows"])

    def describe(self) -> SourceInfo:
        """What the source has said."""
        return self._info

    def rows(self, skip: int) -> Rows:
        """The rows that were kept, without the first `skip`."""
        return self._from_spool(skip)

    async def close(self) -> None:
        """Let go of them."""
        await self._desk.call(self._spool.close)

    async def _read(self) -> dict[str, Any]:
        if not self._spool.waits_for_source:
            return await self._read_into(self._spool)
        folder = await self._desk.call(TemporaryDirectory, None, "altcraft-balance-")
        try:
            staged = FileSpool(Path(folder.name) / "rows")
            facts = await self._read_into(staged)
            await self._copy(staged, facts)
            await self._desk.call(staged.close)
        finally:
            await self._desk.call(folder.cleanup)
        return facts

    async def _copy(self, staged: FileSpool, facts: dict[str, Any]) -> None:
        await self._desk.call(self._spool.begin)
        number = 0
        while (piece := await self._desk.call(staged.piece, number)) is not None:
            await self._desk.call(self._spool.add, piece)
            number += 1
        await self._desk.call(self._spool.finish, facts)

    async def _read_into(self, spool: RowSpool) -> dict[str, Any]:
        await self._desk.call(spool.begin)
        blocks = Blocks(self._desk, lambda: self._source.rows(0), PIECE_ROWS)
        try:
            while block := await blocks.next():
                if self._is_stopped():
                    raise Interrupted
                await self._add(spool, block)
        finally:
            await blocks.close()
        self._tell(
            f"{self._info.name}: {self._rows:,} rows were read, and lie in {self._bytes:,} bytes "
            "beside the run's state until it has finished"
        )
        facts = {"rows": self._rows, "columns": list(self._info.columns)}
        await self._desk.call(spool.finish, facts)
        return facts

    async def _add(self, spool: RowSpool, block: list[Cells | BadRow]) -> None:
        rows = list(map(_kept, block))
        piece: bytes = await self._desk.call(packed, rows)
        if not self._rows:
            await self._check_room(spool, len(piece) / len(rows))
        await self._desk.call(spool.add, piece)
        self._rows, self._bytes = self._rows + len(rows), self._bytes + len(piece)

    async def _check_room(self, spool: RowSpool, bytes_per_row: float) -> None:
        """The first piece says how large the others will be."""
        free: int | None = await self._desk.call(spool.free_bytes)
        if self._info.total is None or free is None:
            return
        need = round(self._info.total * bytes_per_row)
        if need > free:
            raise OSError(
                errno.ENOSPC,
                f"the {self._info.total:,} rows of {self._info.name} need some {need:,} bytes "
                f"beside the run's state, and {free:,} are free: make room, or name another "
                "folder as state",
            )

    async def _from_spool(self, skip: int) -> AsyncIterator[Cells | BadRow]:
        number, first = divmod(skip, PIECE_ROWS)
        while (piece := await self._desk.call(self._spool.piece, number)) is not None:
            rows = await self._desk.call(unpacked, piece)
            for row in rows[first:]:
                yield BadRow(row["cells"], row["why"]) if isinstance(row, dict) else row
            number, first = number + 1, 0


def _kept(row: Cells | BadRow) -> Any:
    """A row as JSON; one that could not be taken apart has its turn in the output as well."""
    if isinstance(row, BadRow):
        return {"cells": list(row.cells), "why": row.why}
    return list(row)
