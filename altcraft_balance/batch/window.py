"""Between workers and reader: outcomes that wait to be read, in order or as they come.

The window bounds how many items have been taken and not yet read. A worker enters it before it
takes an item, so a slow reader stops the source, and one slow item holds back, in order, no more
than the window.
"""

from __future__ import annotations

import asyncio
from collections import deque

from altcraft_balance.models import Outcome

__all__ = ["Window"]


class Window:
    """Room for `size` items.

    Args:
        size: items that may be taken and unread at once.
        ordered: whether outcomes leave in the order of their indexes.
    """

    def __init__(self, size: int, *, ordered: bool) -> None:
        self._room = size
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._ordered = ordered
        self._ready: deque[Outcome] = deque()
        self._early: dict[int, Outcome] = {}
        self._next_index = 0
        self._news, self._readers = asyncio.Event(), 0

    def enter_at_once(self) -> bool:
        """Take room for one more item, if there is some."""
        if not self._room:
            return False
        self._room -= 1
        return True

    async def enter(self) -> None:
        """Wait for room for one more item."""
        if self.enter_at_once():
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.leave()  # it had its room already
            raise

    def leave(self) -> None:
        """Give room back for an item that has no outcome."""
        # asyncio's own semaphore looks at all that wait each time; here hundreds leave at once.
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._room += 1

    def put(self, outcome: Outcome) -> None:
        """Lay an outcome down for the reader."""
        if not self._ordered:
            self._ready.append(outcome)
        else:
            self._early[outcome.index] = outcome
            while (due := self._early.pop(self._next_index, None)) is not None:
                self._ready.append(due)
                self._next_index += 1
        if self._readers:
            self._news.set()

    def pop(self) -> Outcome | None:
        """The next outcome for the reader, if there is one."""
        if not self._ready:
            return None
        if self._waiting:
            self.leave()
        else:
            self._room += 1
        return self._ready.popleft()

    def flush(self) -> None:
        """Nothing more comes: what waits for an earlier one goes out in the order there is."""
        self._ready.extend(self._early.pop(index) for index in sorted(self._early))
        self.wake()

    def wake(self) -> None:
        """Let the reader look again."""
        self._news.set()

    async def changed(self) -> None:
        """Wait until there is something new; nothing has come since `pop` gave none."""
        self._news.clear()
        self._readers += 1
        try:
            await self._news.wait()
        finally:
            self._readers -= 1
