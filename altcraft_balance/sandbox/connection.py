"""One accepted connection, and what can be done to it beside answering properly.

Replies are written to the transport as whole bytes. So a reply that is cut, doubled or unasked is
no special case: it is other bytes at another moment.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
import struct
from collections.abc import Callable
from typing import Final

from aiohttp import web

__all__ = ["Connection"]

# On, with no time to linger: close() sends RST and not FIN (socket(7), SO_LINGER).
_NO_LINGER: Final = struct.pack("ii", 1, 0)


class Connection(web.RequestHandler):
    """A connection that can be reset, and that knows when it is idle.

    Attributes:
        closing: whether it ends when the reply that is being made has been sent.
    """

    __slots__ = ("_later", "_on_open", "closing")

    def __init__(self, server: web.Server, on_open: Callable[[Connection], None]) -> None:
        loop = asyncio.get_running_loop()
        # None is documented as "no access log", though the annotation does not say so.
        super().__init__(server, loop=loop, access_log=None)  # type: ignore[arg-type]
        self._on_open = on_open
        self._later: asyncio.TimerHandle | None = None
        self.closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self._on_open(self)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._later is not None:
            self.busy()
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See `asyncio.Protocol`."""
        self.busy()
        super().connection_lost(exc)

    def busy(self) -> None:
        """Something has arrived: what was meant for the idle connection is off."""
        if self._later is not None:
            self._later.cancel()
            self._later = None

    def when_idle(self, delay_s: float, act: Callable[[], None]) -> None:
        """Call `act` in `delay_s` seconds, unless something arrives before."""
        self._later = asyncio.get_running_loop().call_later(delay_s, self._act, act)

    def _act(self, act: Callable[[], None]) -> None:
        self._later = None
        if self.transport is not None and not self.transport.is_closing():
            act()

    def has_unread(self) -> bool:
        """Whether bytes, or the other side's end, wait in the kernel for the loop to read them.

        In one process the client may have written its request earlier in this very turn of the
        loop, and then the connection only looks idle.
        """
        number = self._socket_number()
        if number is None:
            return False
        with selectors.DefaultSelector() as selector:
            selector.register(number, selectors.EVENT_READ)
            return bool(selector.select(0))

    def send(self, data: bytes) -> None:
        """Write to the client, unless it has gone."""
        if self.transport is not None:
            self.transport.write(data)

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        self.closing = True
        if self.transport is None:
            return
        if self._socket_number() is not None:
            endpoint = self.transport.get_extra_info("socket")
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.abort()

    def abort(self) -> None:
        """End the connection now, whatever is still to be sent."""
        if self.transport is not None:
            self.transport.abort()

    def end(self) -> None:
        """End the connection when all is sent."""
        if self.transport is not None:
            self.transport.close()

    def _socket_number(self) -> int | None:
        # A simulated network has sockets without a number, which know neither option nor poll.
        endpoint = self.transport.get_extra_info("socket") if self.transport else None
        number = endpoint.fileno() if endpoint is not None else None
        return number if isinstance(number, int) and number >= 0 else None
