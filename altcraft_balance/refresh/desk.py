"""One thread for all that blocks, so that the event loop never does: files, SQLite, sinks."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar, cast

from altcraft_balance.refresh.port import BadRow, Cells, Rows

__all__ = ["Blocks", "Desk"]

_T = TypeVar("_T")


class Desk:
    """Calls plain functions in its thread, one at a time, and ``async`` ones on the loop."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix="altcraft_balance refresh", initializer=self._begins
        )
        self._ident = 0

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What `function` gives.

        A call that was begun is waited for even when the waiter is cancelled: whoever cleans up
        after it must not find it at work.
        """
        if inspect.iscoroutinefunction(function):
            return await function(*arguments)
        if threading.get_ident() == self._ident:
            return _plain(function(*arguments))
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._thread, function, *arguments)
        try:
            return _plain(await asyncio.shield(work))
        except asyncio.CancelledError:
            await asyncio.gather(work, return_exceptions=True)  # nobody asks what it raises
            raise

    async def do(self, work: Coroutine[Any, Any, _T], *, on_loop: bool) -> _T:
        """What `work` gives, which consists of calls.

        Without an ``async`` one among them all of it is done in the thread, at one go: each change
        between loop and thread costs some fifty microseconds.
        """
        return await work if on_loop else cast(_T, await self.call(_drive, work))

    def close(self) -> None:
        """End the thread; nothing is at work any more."""
        self._thread.shutdown()

    def _begins(self) -> None:
        self._ident = threading.get_ident()


def _plain(result: Any) -> Any:
    if inspect.iscoroutine(result):
        result.close()
        raise TypeError("a plain function gave a coroutine: write it with 'async def'")
    return result


def _drive(work: Coroutine[Any, Any, _T]) -> _T:
    try:
        work.send(None)
    except StopIteration as ended:
        return cast(_T, ended.value)
    raise RuntimeError("something in the thread waits for the event loop")


class Blocks:
    """The rows of a source, in lists of `size` at most.

    Args:
        desk: where plain ones are read.
        rows: gives them, when the first block is wanted.
        size: rows in a block.
    """

    def __init__(self, desk: Desk, rows: Callable[[], Rows], size: int) -> None:
        self._desk, self._rows, self._size = desk, rows, size
        self._is_open = False
        self._plain: Iterator[Cells | BadRow] | None = None
        self._async: AsyncIterator[Cells | BadRow] | None = None

    async def next(self) -> list[Cells | BadRow]:
        """The next block; empty at the end."""
        if not self._is_open:
            self._is_open = True
            await self._open()
        if self._plain is not None:
            return cast(list[Cells | BadRow], await self._desk.call(self._read, self._plain))
        block: list[Cells | BadRow] = []
        if self._async is not None:
            async for row in self._async:
                block.append(row)
                if len(block) == self._size:
                    break
        return block

    async def _open(self) -> None:
        rows = await self._desk.call(self._rows)
        if hasattr(rows, "__aiter__"):
            self._async = aiter(rows)
        else:
            self._plain = iter(rows)

    async def close(self) -> None:
        """Nothing more is read."""
        if (end := getattr(self._async, "aclose", None)) is not None:
            await end()
        if (end := getattr(self._plain, "close", None)) is not None:
            await self._desk.call(end)

    def _read(self, rows: Iterator[Cells | BadRow]) -> list[Cells | BadRow]:
        return list(islice(rows, self._size))
