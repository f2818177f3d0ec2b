"""A stream's outcomes as a plain iterator, whose source is read in the reader's own thread."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self, cast

from altcraft_balance.batch.source import check_source
from altcraft_balance.batch.stream import OutcomeStream
from altcraft_balance.blocking.handover import WANTED, End, Handover
from altcraft_balance.blocking.loop_thread import LoopThread
from altcraft_balance.errors import ClientClosed, InvalidQuery
from altcraft_balance.models import BalanceQuery, Failed, Found

__all__ = ["Outcomes"]

#: Items that are handed over at once, unless an outcome is there before.
_MOST_ITEMS: Final = 64


class Outcomes:
    """An iterator of `Found` and `Failed`, for one thread; ``with`` around it ends it early.

    It begins with the first outcome that is asked for, and ends as the asynchronous stream does: at
    the source's end, or with a fatal answer's error, an exception of the source's own,
    `ClientClosed` or `DeadlineExceeded`, after the outcomes of what was under way.

    Args:
        thread: where the stream runs.
        source: what it is of.
        open_stream: makes a stream of items.

    Raises:
        InvalidQuery: the source is asynchronous, a single text or query, or cannot be iterated.
    """

    def __init__(
        self,
        thread: LoopThread,
        source: Iterable[Any],
        open_stream: Callable[[AsyncIterator[Any]], OutcomeStream],
    ) -> None:
        self._handover: Handover | None = None
        self._has_ended, self._pid = False, os.getpid()
        if hasattr(source, "__aiter__"):
            raise InvalidQuery("an async source needs an async client: give a plain iterable")
        check_source(source)
        self._thread, self._source, self._open_stream = thread, iter(source), open_stream

    @property
    def unsent(self) -> tuple[BalanceQuery, ...]:
        """After it has ended early, the queries that were taken but never sent."""
        return () if self._handover is None else self._handover.stream.unsent

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Found | Failed:
        if self._has_ended:
            raise StopIteration
        if self._pid != os.getpid():
            raise ClientClosed("this stream was begun before a fork: begin one in this process")
        if self._handover is None:
            self._handover = self._thread.call(self._begin())
        while (got := self._handover.get()) is WANTED:
            self._hand_over(self._handover)
        if not isinstance(got, End):
            return cast(Found | Failed, got)
        self._has_ended = True
        if got.error is not None:
            raise got.error
        raise StopIteration

    async def _begin(self) -> Handover:
        return Handover(self._thread, self._open_stream)

    def _hand_over(self, handover: Handover) -> None:
        items: list[Any] = []
        is_last, error = False, None
        try:
            for item in self._source:
                items.append(item)
                if len(items) == _MOST_ITEMS or not handover.queue.empty():
                    break
            else:
                is_last = True
        except Exception as caught:  # noqa: BLE001 - the stream ends with it
            error = caught
        finally:  # after Ctrl-C too, so that what was read is not lost, and may be read on
            handover.give(items, is_last=is_last, error=error)

    # ── leaving early ────────────────────────────────────────────────────────────────────────

    def close(self) -> None:
        """Cancel what is under way, and wait for it; the source is the caller's to close."""
        if self._is_under_way():
            self._has_ended = True
            with suppress(ClientClosed):  # which has ended it
                self._thread.call(cast(Handover, self._handover).stop())

    def _is_under_way(self) -> bool:
        """A fork's child has none of it."""
        began = self._handover is not None and not self._has_ended
        return began and self._pid == os.getpid()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # A loop that was left by `break`: what is under way is of no use to anybody.
        if self._is_under_way():
            cast(Handover, self._handover).leave()
