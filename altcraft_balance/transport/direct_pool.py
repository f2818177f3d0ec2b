"""Idle connections: the one that was used last is taken first, and none lies there for long.

Most balancers keep an idle connection for a minute, some servers for five seconds; one that is
closed here first cannot be found dead. A connection that has lived for five minutes is not kept,
so that a name that has moved to another address is noticed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from altcraft_balance.transport.direct_connection import DirectConnection
from altcraft_balance.transport.port import RawReply, Tell
from altcraft_balance.transport.sweep import Sweep

__all__ = ["Pool"]

_IDLE_S: Final = 15.0
_AGE_S: Final = 300.0


class Pool:
    """The connections of one transport.

    Args:
        loop: whose clock counts.
        tell: is told of connections that were not clean.
        learn: is given the connection after the first reply on it.

    Attributes:
        loop: as above.
        sweep: watches the limits of busy connections and the rest of idle ones.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        tell: Tell,
        learn: Callable[[asyncio.Transport], None],
    ) -> None:
        self.loop, self._tell, self._learn = loop, tell, learn
        self.sweep = Sweep(loop)
        self._idle: dict[DirectConnection, None] = {}  # in the order in which they came

    def __len__(self) -> int:
        return len(self._idle)

    def take(self) -> DirectConnection | None:
        """An idle connection that is clean at this moment: write before the loop turns."""
        idle = self._idle
        while idle:
            connection, _ = idle.popitem()
            if connection.clean:
                return connection
            connection.drop()
            self._tell("dropped_when_taken")
        return None

    def lay_in(self, connection: DirectConnection, reply: RawReply | None) -> None:
        """Keep a connection, for as long as the other end may be expected to.

        Args:
            connection: on which nothing is asked.
            reply: the last one on it; None: there was none, it is warm.
        """
        if not connection.reader.reused:
            self._begin(connection, reply)
        now = self.loop.time()
        idle_s = _IDLE_S if reply is None else _idle_s(reply)
        if now >= connection.retires_at or idle_s <= 0:
            connection.drop()
            return
        connection.when = now + idle_s
        self._idle[connection] = None

    def _begin(self, connection: DirectConnection, reply: RawReply | None) -> None:
        connection.reader.reused = True
        if reply is None:
            connection.when = self.loop.time() + _IDLE_S
            self.sweep.add(connection)
        else:
            self._learn(connection.transport)

    def welcome(self, connection: DirectConnection) -> None:
        """Note when a connection that is new will be too old."""
        connection.retires_at = self.loop.time() + _AGE_S

    def spoiled(self, connection: DirectConnection) -> None:
        """Something came on a connection on which nothing was asked."""
        if connection in self._idle:
            self._tell("dropped_when_taken")
        connection.drop()

    def forget(self, connection: DirectConnection) -> None:
        """A connection is closed."""
        self._idle.pop(connection, None)
        self.sweep.discard(connection)

    def close(self) -> None:
        """Close all connections, and end what is on them."""
        self.sweep.close()
        for connection in list(self._idle):
            connection.drop()


def _idle_s(reply: RawReply) -> float:
    """How long a connection may lie idle: a second less than the server says it keeps it."""
    hint = reply.headers.get("keep-alive")
    if hint is None:
        return _IDLE_S
    for part in hint.split(","):
        name, _, value = part.strip().partition("=")
        if name.lower() == "timeout" and value.isascii() and value.isdigit():
            return min(_IDLE_S, int(value[:9]) - 1)
    return _IDLE_S
