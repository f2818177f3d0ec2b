"""Idle connections of the quick way: the one that was used last is taken first.

They were made by aiohttp and are never given back to its pool, whose ways of taking and giving
cost a tenth of a lookup. What it would look at is looked at here, and once: between the look and
the write the loop does not turn.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final

from aiohttp.connector import Connection

from altcraft_balance.transport.port import Tell

__all__ = ["LeanPool"]

_IDLE_S: Final = 15.0  # as in aiohttp's pool


class LeanPool:
    """The idle connections of one transport.

    Args:
        loop: whose clock counts.
        tell: is told of connections that were not clean.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, tell: Tell) -> None:
        self._loop, self._tell = loop, tell
        self._idle: deque[tuple[Connection, float]] = deque()  # in the order in which they came
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def __len__(self) -> int:
        return len(self._idle)

    def take(self) -> Connection | None:
        """An idle connection that is clean at this moment: write before the loop turns."""
        while self._idle:
            connection, _ = self._idle.pop()
            protocol: Any = connection.protocol
            protocol.pooled = True
            if protocol.is_clean() and not protocol.began_another():
                return connection
            if protocol.transport is not None:  # else its end was read long ago
                self._tell("dropped_when_taken")
            connection.close()
        return None

    def lay_in(self, connection: Connection) -> None:
        """Keep a connection whose reply has been read, if another request may follow on it."""
        protocol: Any = connection.protocol
        if self._closed or not protocol.may_be_kept():
            connection.close()
            return
        protocol.begin_anew()
        until = self._loop.time() + _IDLE_S
        self._idle.append((connection, until))
        if self._timer is None:
            self._timer = self._loop.call_at(until, self._end_rests, until)

    def close(self) -> None:
        """Close all of them, and keep none that comes later."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        while self._idle:
            self._idle.pop()[0].close()

    def _end_rests(self, when: float) -> None:
        """Close those that have been idle for long enough, and come again for the next."""
        self._timer, now = None, max(when, self._loop.time())  # loops fire a little early
        while self._idle and self._idle[0][1] <= now:
            self._idle.popleft()[0].close()
        if self._idle:
            until = self._idle[0][1]
            self._timer = self._loop.call_at(until, self._end_rests, until)
