"""Reading ahead of the workers, where a source has to be waited for.

A worker that waits for its turn to send would do for a shelf as well, but it takes a task, a waiter
and a scope for each item; here an item that waits is an entry of a deque.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

from altcraft_balance.batch.source import Source
from altcraft_balance.batch.window import Window
from altcraft_balance.session.brake import Brake

__all__ = ["Ahead", "Taken"]

#: An item's index, the item, and when it was taken, on the loop's clock.
Taken: TypeAlias = tuple[int, Any, float]


class Ahead:
    """What was read of `source` and no worker has taken yet.

    Args:
        source: nobody else reads it from now on.
        window: has room for each item that is taken.
        brake: when it is pulled nothing more is read.
        most: so many items are read ahead.
        clock: the loop's.
    """

    def __init__(
        self,
        source: Source,
        window: Window,
        brake: Brake,
        most: int,
        clock: Callable[[], float],
    ) -> None:
        self._source, self._window, self._brake = source, window, brake
        self._most, self._clock = most, clock
        self._shelf: deque[Taken] = deque()
        self._hungry: deque[asyncio.Future[None]] = deque()
        self._room: asyncio.Future[None] | None = None
        self._at_end = False

    async def read(self) -> None:
        """Read to the source's end, as far ahead as is allowed; wake the workers at the end.

        Raises:
            Halted: the brake is pulled.
        """
        try:
            while (taken := await self._next()) is not None:
                self._shelf.append((*taken, self._clock()))
                self._feed_one()
        finally:
            self._at_end = True
            while self._hungry:
                self._feed_one()

    def take_at_once(self) -> Taken | None:
        """The next item, if it is there."""
        if not self._shelf:
            return None
        if self._room is not None and len(self._shelf) <= self._most // 2 and not self._room.done():
            self._room.set_result(None)
        return self._shelf.popleft()

    async def take(self) -> Taken | None:
        """The next item; None at the end."""
        while (taken := self.take_at_once()) is None and not self._at_end:
            hungry = asyncio.get_running_loop().create_future()
            self._hungry.append(hungry)
            try:
                await hungry
            except asyncio.CancelledError:
                if hungry.done() and not hungry.cancelled():
                    self._feed_one()  # what it was woken for is another's
                raise
        return taken

    def rest(self) -> list[Taken]:
        """What nobody will take any more."""
        rest = list(self._shelf)
        self._shelf.clear()
        return rest

    async def _next(self) -> tuple[int, Any] | None:
        # A scope for each item: a source may swallow a cancel, and the next one ends it then.
        with self._brake.waiting():
            if len(self._shelf) >= self._most:
                self._room = asyncio.get_running_loop().create_future()
                try:
                    await self._room
                finally:
                    self._room = None
            await self._window.enter()
            taken = None
            try:
                taken = await self._source.take()
            finally:
                if taken is None:
                    self._window.leave()
            return taken

    def _feed_one(self) -> None:
        while self._hungry:
            hungry = self._hungry.popleft()
            if not hungry.done():
                hungry.set_result(None)
                return
