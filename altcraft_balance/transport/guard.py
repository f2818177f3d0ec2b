"""The guard: one connection never carries a stranger's answer.

HTTP/1.1 tells answers apart by their order alone, and a balance names no member. aiohttp gives
a reply that lies unasked on an idle connection to the next request, so a connection is looked at
in the step that writes the request's first byte. aiohttp's general client takes it from the pool
one turn of the loop before that on Python 3.11, and there it is looked at when it is taken as well.
If anything has arrived on it, even if only in the kernel's buffer, or if it is closing, it is
dropped and nothing was sent.

What arrives after the request was written cannot be told from the answer by any HTTP/1.1 client.

The hooks are three methods of aiohttp that are not documented. Where they are missing, in
another aiohttp, `make_connector` gives one connection to each request: slower, still right.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import BaseConnector, Connection
from aiohttp.payload import BytesPayload
from aiohttp.streams import StreamReader

from altcraft_balance.secret import HiddenBytes
from altcraft_balance.transport.caps import HEAD_BYTES, most_framing
from altcraft_balance.transport.hooks import takes
from altcraft_balance.transport.look import Connect, Look, prepared, settled
from altcraft_balance.transport.measure import Measure
from altcraft_balance.transport.own_buffer import (
    PIECE_BYTES,
    read_into_own_buffer,
    wants_own_buffer,
)
from altcraft_balance.transport.port import Tell

__all__ = [
    "FRESH",
    "GuardedBody",
    "GuardedConnector",
    "Unclean",
    "WatchedConnection",
    "hooks_present",
    "make_connector",
]

#: Set around a request that must have a connection of its own.
FRESH: Final[ContextVar[bool]] = ContextVar("FRESH", default=False)


class Unclean(ConnectionError):
    """An idle connection on which something has come, or whose other end has gone."""


class WatchedConnection(ResponseHandler):
    """aiohttp's side of a connection, with a memory of what came unasked.

    Args:
        loop: as in `ResponseHandler`.
        look: looks for what has arrived on it.
        most_framing: how many bytes chunks may add to a body.

    Attributes:
        pooled: it has lain in the pool, so that its other end may have gone.
        asked: a request has been written and its reply has not been taken yet.
        stray: something arrived while nothing was asked.
        measure: of the reply that has come.
        full: the last piece was as long as one can be, so that more may lie behind it unseen.
        lost: why the connection is no more, if it is and there is a reason.
    """

    pooled = False
    asked = False
    stray = False
    full = False
    lost: BaseException | None = None

    def __init__(self, loop: asyncio.AbstractEventLoop, look: Look, most_framing: int) -> None:
        super().__init__(loop)
        self._look, self._most_framing = look, most_framing
        self._looks: Callable[[], object] | None = None
        self.measure = Measure()

    def data_received(self, data: bytes) -> None:
        """Remember what came unasked, and let aiohttp parse it."""
        if data and not self.asked:
            self.stray = True
        self.full = len(data) >= PIECE_BYTES
        self.measure.add(data)
        super().data_received(data)
        if self._exception is not None:  # aiohttp tells who waits for a head, not for a body
            self._break_body()
        if self._is_endless():
            self._break_body()
            self.close()

    def _is_endless(self) -> bool:
        """Whether more has come than a head may have, or than chunks may add to a body."""
        if self._reading_paused:  # some of it is not told from the body yet
            return False
        more = self.measure.besides(self._body_bytes())
        return self.measure.came > HEAD_BYTES if more < 0 else more > self._most_framing

    def _body_bytes(self) -> int:
        body: StreamReader | None = self._payload
        return 0 if body is None else body.total_bytes

    def connection_lost(self, exc: BaseException | None) -> None:
        """Let who waits for the rest of a body, or for a new connection, hear of it."""
        self.lost = exc
        if exc is not None:  # to aiohttp the end of a body without a length, as a close is
            self._break_body()
        super().connection_lost(exc)

    def _break_body(self) -> None:
        if self._payload is not None and not self._payload.is_eof():
            self._payload.set_exception(aiohttp.ClientPayloadError("broken"))

    def begin_anew(self) -> None:
        """What comes from now on is of another reply, or of none."""
        self.asked = False
        self.measure.begin()

    def began_another(self) -> bool:
        """Whether the start of a further reply came in one piece with the end of the last."""
        try:
            return self._parser is not None and self._parser.feed_eof() is not None
        except Exception:  # noqa: BLE001 - whatever the parser finds wrong with it
            return True

    def is_clean(self) -> bool:
        """Whether a request may be written: nothing has come, and the other end is there."""
        transport = self.transport
        if transport is None or transport.is_closing() or self.stray or self.should_close:
            return False
        if not self.pooled:  # TLS may have left tickets in the kernel's buffer
            return True
        if self._looks is None:
            self._looks = prepared(self._look, transport)
        return not self._looks()

    def may_be_kept(self) -> bool:
        """Whether another request may follow on it, once this one's reply has been read."""
        transport = self.transport
        if transport is None or self.should_close:
            return False
        if not self.measure.is_exact(self._body_bytes()):
            return False
        # What is behind a full piece, or the rest of a request that was answered early, would
        # follow.
        return not (self.full or transport.get_write_buffer_size())


class GuardedConnector(aiohttp.TCPConnector):
    """aiohttp's pool with the first look, a connect limit that is exact, and a connect of ours."""

    def __init__(
        self,
        *,
        tell: Tell,
        look: Look,
        connect: Connect | None,
        connect_s: float,
        max_body_bytes: int,
        **options: Any,
    ) -> None:
        super().__init__(limit=0, **options)
        self._tell = tell
        self._open, self._look, self._connect_s = connect, look, connect_s
        self._factory = functools.partial(  # type: ignore[assignment]
            WatchedConnection,
            loop=self._loop,
            look=look,
            most_framing=most_framing(max_body_bytes),
        )

    async def _get(self, key: Any, traces: Any) -> Connection | None:
        if FRESH.get():
            return None
        while (connection := await super()._get(key, traces)) is not None:
            protocol = connection.protocol
            if isinstance(protocol, WatchedConnection):
                protocol.pooled = True
                if protocol.is_clean() and not protocol.began_another():
                    return connection
            self._tell("dropped_when_taken")
            connection.close()
        return None

    def _release(self, key: Any, protocol: Any, *, should_close: bool = False) -> None:
        should_close = should_close or not protocol.may_be_kept()
        protocol.begin_anew()
        super()._release(key, protocol, should_close=should_close)

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:
        async with asyncio.timeout(self._connect_s):
            protocol = await self._connected(req, traces, timeout)
        self._tell("connected")
        await self._listened(protocol)
        transport = protocol.transport
        if transport is not None and wants_own_buffer(self._loop, tls=req.is_ssl()):
            read_into_own_buffer(transport, protocol)
        return protocol

    async def _listened(self, protocol: ResponseHandler) -> None:
        """Remember whether the other end spoke first.

        Raises:
            ssl.SSLError: it refused TLS, which TLS 1.3 says after the handshake.
        """
        transport = protocol.transport
        if transport is None or not isinstance(protocol, WatchedConnection):
            return
        try:
            protocol.stray = not await settled(transport, self._look) or protocol.stray
            if isinstance(protocol.lost, ssl.SSLError):
                raise protocol.lost
        except BaseException:
            protocol.close()
            raise

    async def _connected(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:
        if self._open is None:
            return await super()._create_connection(req, traces, timeout)
        context: ssl.SSLContext | None = self._get_ssl_context(req)
        _, protocol = await self._open(self._factory, req.url.raw_host, req.port, ssl=context)
        return protocol  # type: ignore[no-any-return]


class GuardedBody(BytesPayload):
    """A request's body that takes the second look, in the step that writes its first byte.

    aiohttp holds the headers back until the body comes, and writes both at once.

    Attributes:
        written: the request left on a connection that was clean.
        refused: the connection was not; nothing was written.
        connection: the connection that it was to be written to, once there is one.
    """

    def __init__(self, body: bytes) -> None:
        super().__init__(HiddenBytes(body))
        self.written = False
        self.refused = False
        self.connection: WatchedConnection | None = None

    @property
    def reused(self) -> bool:
        """Whether the connection had lain in the pool."""
        return self.connection is not None and self.connection.pooled

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the whole body, or raise `ConnectionError` when the connection is not clean."""
        await self.write_with_length(writer, None)

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        """As `write`; the length is the body's own."""
        protocol = getattr(writer, "protocol", None)
        if isinstance(protocol, WatchedConnection):
            self.connection = protocol
            if not protocol.is_clean():
                self.refused = True
                raise Unclean
            protocol.asked = True
        self.written = True
        await writer.write(self._value)


def make_connector(
    *,
    tell: Tell,
    look: Look,
    connect: Connect | None,
    connect_s: float,
    max_body_bytes: int,
    **options: Any,
) -> aiohttp.TCPConnector:
    """A connector without a limit of its own: the guarded one, or one that never reuses."""
    if not hooks_present():
        return aiohttp.TCPConnector(limit=0, force_close=True, **options)
    return GuardedConnector(
        tell=tell,
        look=look,
        connect=connect,
        connect_s=connect_s,
        max_body_bytes=max_body_bytes,
        **options,
    )


def hooks_present() -> bool:
    """Whether this aiohttp still has the methods that the guard hangs on to."""
    return (
        takes(BaseConnector, "_get", {"key", "traces"})
        and takes(BaseConnector, "_release", {"key", "protocol", "should_close"})
        and takes(ResponseHandler, "data_received", {"data"})
        and takes(BytesPayload, "write_with_length", {"writer", "content_length"})
        and isinstance(getattr(ResponseHandler, "should_close", None), property)
    )
