"""What the loop's thread and the reader's hand each other: outcomes one way, items the other.

The loop's side puts outcomes into a queue, and a word when it wants items; the reader's takes them
out, and reads its source when it is asked to. So neither runs ahead: the loop stops when so many
outcomes are unread, and the source is read for the slots only.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Final

from altcraft_balance.batch.stream import OutcomeStream
from altcraft_balance.blocking.loop_thread import LoopThread
from altcraft_balance.errors import ClientClosed
from altcraft_balance.models import Failed, Found

__all__ = ["WANTED", "End", "Handover"]

#: Outcomes that nobody has read: with so many the stream is read no further.
_MOST_UNREAD: Final = 256
#: What stands in the queue when the stream wants items.
WANTED: Final = object()


class End:
    """The stream has ended, with an error perhaps."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Handover:
    """Runs a stream on the loop of `thread`; made there.

    Args:
        thread: where the loop is.
        open_stream: makes a stream of items.

    Attributes:
        queue: outcomes, `WANTED`, and at last an `End`.
        stream: what is read.
    """

    def __init__(
        self, thread: LoopThread, open_stream: Callable[[AsyncIterator[Any]], OutcomeStream]
    ) -> None:
        self._thread = thread
        self.queue: SimpleQueue[Found | Failed | End | object] = SimpleQueue()
        self._items: deque[Any] = deque()
        self._has_ended = self._is_full = False
        self._error: BaseException | None = None
        self._given, self._room = asyncio.Event(), asyncio.Event()
        self.stream = open_stream(self._wanted_items())
        self._task = asyncio.create_task(self._run(), name="altcraft_balance handover")

    # ── the reader's side ────────────────────────────────────────────────────────────────────

    def give(self, items: Sequence[Any], *, is_last: bool, error: BaseException | None) -> None:
        """Hand over items of the source, the last ones perhaps, or what it has raised."""
        with suppress(ClientClosed):  # then the end is in the queue
            self._thread.tell(self._take, items, is_last, error)

    def get(self) -> Found | Failed | End | object:
        """What comes next; waits for it."""
        got = self.queue.get()
        if self._is_full and self.queue.qsize() <= _MOST_UNREAD // 2:
            self._is_full = False
            with suppress(ClientClosed):
                self._thread.tell(self._room.set)
        return got

    def leave(self) -> None:
        """Nobody reads any more."""
        with suppress(ClientClosed):
            self._thread.tell(self._task.cancel)

    # ── the loop's side ──────────────────────────────────────────────────────────────────────

    async def stop(self) -> None:
        """Cancel what is under way, and wait for it."""
        self._task.cancel()
        await asyncio.wait([self._task])

    def _take(self, items: Sequence[Any], is_last: bool, error: BaseException | None) -> None:
        self._items.extend(items)
        self._has_ended, self._error = is_last, error
        self._given.set()

    async def _wanted_items(self) -> AsyncIterator[Any]:
        while True:
            while self._items:
                yield self._items.popleft()
            if self._error is not None:
                raise self._error
            if self._has_ended:
                return
            self._given.clear()
            self.queue.put(WANTED)
            await self._given.wait()

    async def _run(self) -> None:
        error: BaseException | None = None
        try:
            async with self.stream as outcomes:
                async for outcome in outcomes:
                    self.queue.put(outcome)
                    if self.queue.qsize() >= _MOST_UNREAD:
                        await self._read()
        except asyncio.CancelledError:
            error = ClientClosed("the client was closed while this stream was read")
        except BaseException as caught:  # noqa: BLE001 - it is the reader's
            error = caught
        self.queue.put(End(error))

    async def _read(self) -> None:
        self._room.clear()
        self._is_full = True
        if self.queue.qsize() > _MOST_UNREAD // 2:  # else the last one was taken meanwhile
            await self._room.wait()
