"""A source for a command that reads it without a loop of its own: for a look, or for a dry run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from typing import Any, Final, cast

from altcraft_balance.cli.loops import loop_factory
from altcraft_balance.cli.stopping import run_until_signal
from altcraft_balance.refresh.port import BadRow, Cells, Rows, RowSource, SourceInfo

__all__ = ["DescribedSource", "described", "plain_rows"]

_AT_ONCE: Final = 1_000


def described(source: RowSource) -> SourceInfo:
    """What `source` has."""
    info = source.describe()
    return info if isinstance(info, SourceInfo) else run_until_signal(_awaited(info))


def plain_rows(source: RowSource) -> Iterator[Cells | BadRow]:
    """All rows of `source`."""
    rows = source.rows(0)
    if not isinstance(rows, AsyncIterable):
        yield from rows
        return
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        reading = aiter(rows)
        try:
            while block := run_until_signal(_block(reading), run=runner.run):
                yield from block
        finally:
            if (close := getattr(reading, "aclose", None)) is not None:
                runner.run(close())


class DescribedSource:
    """A source that is described once: what was read to guess is not read again."""

    def __init__(self, source: RowSource) -> None:
        self._source, self._info = source, described(source)

    def describe(self) -> SourceInfo:
        """What it has."""
        return self._info

    def rows(self, skip: int) -> Rows:
        """Its rows."""
        return self._source.rows(skip)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


async def _awaited(info: Any) -> SourceInfo:
    return cast(SourceInfo, await info)


async def _block(rows: AsyncIterator[Cells | BadRow]) -> list[Cells | BadRow]:
    block = []
    async for row in rows:
        block.append(row)
        if len(block) == _AT_ONCE:
            break
    return block
