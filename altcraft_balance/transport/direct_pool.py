"""Idle connections: the one that was used last is taken first, and none lies there for long.

Most balancers keep an idle connection for a minute, some servers for five seconds; one that is
closed here first cannot be found dead. A connection that has lived for five minutes is not kept,
so that a name that has moved to another address is noticed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from altcraft_balance.transport.direct_connection import DirectConnection
from altcraft_balance.transport.port import Tell
from altcraft_balance.transport.sweep import Sweep

__all__ = ["Pool"]

_IDLE_S: Final = 15.0
_AGE_S: Final = 300.0
_TOGETHER_S: Final = 0.05


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
        # In the order in which they came; a list would be searched for each one that ends.
        self._idle: dict[DirectConnection, None] = {}

    def __len__(self) -> int:
        return len(self._idle)

    def take(self) -> DirectConnection | None:
        """An idle connection that is clean at this moment: write before the loop turns."""
        idle = self._idle
        while idle:
            connection, _ = idle.popitem()
            if not (connection.transport.is_closing() or connection.arrived()):
                return connection
            connection.drop()
            self._tell("dropped_when_taken")
        return None

    def welcome(self, connection: DirectConnection) -> None:
        """Take charge of a connection that is new."""
        connection.when = connection.retires_at = self.loop.time() + _AGE_S
        self.sweep.add(connection)

    def lay_in(self, connection: DirectConnection) -> None:
        """Keep a connection, for as long as the other end may be expected to."""
        now, headers = self.loop.time(), connection.reader.headers
        idle_s = _idle_s(headers) if "keep-alive" in headers.names else _IDLE_S
        if not connection.seasoned:
            self._season(connection)
        if now >= connection.retires_at or idle_s <= 0:
            connection.drop()
            return
        connection.when = when = now + idle_s
        if when < self.sweep.due:  # else a timer that comes before it is set
            self.sweep.add(connection)
        self._idle[connection] = None

    def _season(self, connection: DirectConnection) -> None:
        connection.reader.reused = True
        if connection.reader.headers:  # it has carried a reply
            connection.seasoned = True
            self._learn(connection.transport)

    def spoiled(self, connection: DirectConnection) -> None:
        """Something came on a connection on which nothing was asked."""
        if connection in self._idle:
            self._tell("dropped_when_taken")
        connection.drop()

    def forget(self, connection: DirectConnection) -> None:
        """A connection is closed."""
        self._idle.pop(connection, None)
        self.sweep.discard(connection)

    def end_rests(self) -> None:
        """Close the idle connections whose rest is over, and those whose rest nearly is.

        If each ended at its own moment, the sweep would look at all of them for each one.
        """
        soon = self.loop.time() + _TOGETHER_S
        for connection in [one for one in self._idle if one.when <= soon]:
            connection.drop()

    def close(self) -> None:
        """Close all connections, and end what is on them."""
        for connection in list(self._idle):
            connection.drop()
        self.sweep.close()


def _idle_s(headers: Mapping[str, str]) -> float:
    """How long a connection may lie idle: a second less than the server says it keeps it."""
    for part in headers["keep-alive"].split(","):
        name, _, value = part.strip().partition("=")
        if name.lower() == "timeout" and value.isascii() and value.isdigit():
            return min(_IDLE_S, int(value[:9]) - 1)
    return _IDLE_S
