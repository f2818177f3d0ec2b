"""A request and its reply on one of aiohttp's connections, without the general client around it.

`ClientSession.post` weighs for every request what is settled once here: redirects, cookies,
authorization, the usual headers; and it makes a task to write the body. That was more than half of
a lookup's cost. So aiohttp makes a connection, the request is written onto it in the very step that
took it, and aiohttp's parser reads the reply. Idle ones lie in a pool of our own (`lean_pool`).

What has a proxy, or the environment's, goes the general way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import StreamReader
from yarl import URL

from altcraft_balance.transport.guard import FRESH, Unclean, WatchedConnection
from altcraft_balance.transport.hooks import takes
from altcraft_balance.transport.lean_pool import LeanPool
from altcraft_balance.transport.port import Tell
from altcraft_balance.transport.request import RequestWriter
from altcraft_balance.transport.trouble import is_broken

__all__ = ["Asked", "LeanReply", "LeanWay", "lean_hooks_present"]

_MOST_INTERIM: Final = 128


class Asked:
    """What became of one request; `guard.GuardedBody` has the same of one that is posted.

    Attributes:
        written: the request left on a connection that was clean.
        refused: the connection was not; nothing was written.
        connection: the connection that it was to be written to, once there is one.
    """

    __slots__ = ("connection", "refused", "written")

    def __init__(self) -> None:
        self.written = self.refused = False
        self.connection: WatchedConnection | None = None

    @property
    def reused(self) -> bool:
        """Whether the connection had lain in the pool."""
        return self.connection is not None and self.connection.pooled


class LeanReply:
    """A reply that has begun: what the transport needs of an `aiohttp.ClientResponse`.

    Attributes:
        status: the HTTP status.
        headers: compared without case.
        content: the body, as it comes.
        connection: None as soon as the whole reply has come, and the connection is free again.
    """

    __slots__ = ("_pool", "connection", "content", "headers", "status")

    def __init__(
        self, message: Any, content: StreamReader, connection: Connection, pool: LeanPool
    ) -> None:
        self.status: int = message.code
        self.headers: Mapping[str, str] = message.headers
        self.content, self._pool = content, pool
        self.connection: Connection | None = connection
        content.on_eof(self._free)

    def _free(self) -> None:
        connection, self.connection = self.connection, None
        if connection is None:
            return
        # Decided here: whoever reads the reply finds the connection free, or somebody else's.
        if is_broken(self.status, self.headers):
            connection.close()
        else:
            self._pool.lay_in(connection)

    def close(self) -> None:
        """Read no more of it; its connection is of no further use."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class _Endpoint(aiohttp.ClientRequest):
    """What the pool must know of every request: where it goes, which is worked out once."""

    def __init__(self, url: URL, session: aiohttp.ClientSession) -> None:
        super().__init__("POST", url, loop=asyncio.get_running_loop(), session=session)
        self._key_once = super().connection_key

    @property
    def connection_key(self) -> ConnectionKey:
        """Which connections fit."""
        return self._key_once


class LeanWay:
    """Asks one endpoint over the connections of a session.

    Args:
        session: who makes the connections.
        url: the endpoint.
        own: headers of the transport's own.
        tell: is told of idle connections that were not clean.

    Attributes:
        pool: the idle ones.
    """

    def __init__(
        self, session: aiohttp.ClientSession, url: URL, own: Mapping[str, str], tell: Tell
    ) -> None:
        if session.connector is None:
            raise aiohttp.ClientConnectionError("closed")
        self._connector, self._timeout = session.connector, session.timeout
        self._endpoint = _Endpoint(url, session)
        self._writer = RequestWriter(url, own)
        self.pool = LeanPool(asyncio.get_running_loop(), tell)

    async def ask(
        self, asked: Asked, body: bytes, headers: Mapping[str, str], *, fresh: bool
    ) -> LeanReply:
        """Write the request, and wait for the head of its reply.

        Raises:
            aiohttp.ClientError: there is no connection, or no reply that is HTTP.
            OSError: the connection was not clean (`asked` says so), or could not be made.
            SendFailed: a header has control characters in it.
        """
        head = self._writer.head(headers, len(body))
        connection = None if fresh else self.pool.take()
        if connection is None:
            connection = await self._made(asked, fresh)
        try:
            protocol: Any = connection.protocol
            asked.connection = protocol
            protocol.set_response_params(read_until_eof=True, auto_decompress=False)
            # From the look to this write the loop does not turn.
            protocol.asked = asked.written = True
            protocol.transport.write(head + body)
            return await self._begun(protocol, connection)
        except BaseException:
            connection.close()
            raise

    async def _made(self, asked: Asked, fresh: bool) -> Connection:
        """A connection from aiohttp, as a rule a new one, that is clean at this moment."""
        connection = await self._connected(fresh)
        protocol: Any = connection.protocol
        if not protocol.is_clean():
            asked.connection = protocol
            asked.refused = True
            connection.close()
            raise Unclean
        return connection

    async def _connected(self, fresh: bool) -> Connection:
        """One that was opened ahead, and lies in aiohttp's own pool, or a new one."""
        try:
            if not fresh:
                return await self._connector.connect(self._endpoint, [], self._timeout)
            token = FRESH.set(True)
            try:
                return await self._connector.connect(self._endpoint, [], self._timeout)
            finally:
                FRESH.reset(token)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error

    async def _begun(self, protocol: ResponseHandler, connection: Connection) -> LeanReply:
        try:
            for _ in range(_MOST_INTERIM):
                message, content = await protocol.read()
                if not 100 <= message.code < 200 or message.code == 101:  # RFC 9110, 15.2
                    return LeanReply(message, content, connection, self.pool)
        except HttpProcessingError as error:
            raise aiohttp.ClientResponseError(
                self._endpoint.request_info, (), status=error.code
            ) from error
        raise aiohttp.ClientResponseError(self._endpoint.request_info, ())


def lean_hooks_present() -> bool:
    """Whether this aiohttp has what is used here and not documented."""
    return (
        takes(aiohttp.BaseConnector, "connect", {"req", "traces", "timeout"})
        and takes(ResponseHandler, "read", set())
        and takes(
            ResponseHandler,
            "set_response_params",
            {"read_until_eof", "auto_decompress"},
            exactly=False,
        )
        and isinstance(getattr(aiohttp.ClientRequest, "connection_key", None), property)
    )
