"""The listening socket: where it is, what it accepts, and how all of it ends at once."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from aiohttp import web

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.sandbox.connection import Connection

__all__ = ["Listener", "Serve"]

Serve: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
#: Connections that wait to be accepted: a bulk client opens hundreds at once.
_BACKLOG: Final = 1024


class Listener(web.Server):
    """Makes a `Connection` of whatever is accepted.

    Args:
        serve: answers one request.
        on_accept: called once for each connection.
    """

    def __init__(self, serve: Serve, on_accept: Callable[[], None]) -> None:
        # Cancellation, so that a slow reply to a client that left ends at once.
        super().__init__(serve, handler_cancellation=True)
        self._on_accept = on_accept
        self._server: asyncio.Server | None = None
        self._stopped = False

    def __call__(self) -> Connection:
        """The protocol of a new connection; see `asyncio.loop.create_server`."""
        return Connection(self, self._accepted)

    async def listen(self, host: str, port: int) -> str:
        """Listen, and give the base URL.

        Raises:
            ConfigurationError: the port is in use, or the host is not ours.
        """
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self, host, port, backlog=_BACKLOG)
        except OSError as error:
            trouble = _sentence(host, port, error)
        else:
            number = self._server.sockets[0].getsockname()[1]
            return f"http://[{host}]:{number}" if ":" in host else f"http://{host}:{number}"
        raise ConfigurationError(trouble)

    async def stop(self) -> None:
        """Stop listening, end every connection now, and wait until their tasks are gone."""
        self._stopped = True
        if self._server is None:
            return
        self._server.close()
        for connection in self.connections:
            if isinstance(connection, Connection):
                connection.abort()
        while self.connections:  # noqa: ASYNC110 - a few turns: each has been told to go
            await asyncio.sleep(0)
        await self._server.wait_closed()

    def _accepted(self, connection: Connection) -> None:
        self._on_accept()
        if self._stopped:  # it was accepted while the others were told to go
            connection.abort()


def _sentence(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use: stop what listens there, or take another port"
    return f"port {port} on {host} cannot be listened on: {error.strerror or error}"
