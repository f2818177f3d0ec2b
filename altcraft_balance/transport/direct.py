"""The fast lane: HTTP/1.1 for this one endpoint, on asyncio's transports and llhttp.

The work of a lookup over aiohttp is for the most part that of a general HTTP client. Here a
request is one write, its reply one parse, and its limit a number that one timer looks at. What is
not here, proxies above all, is in `transport.aiohttp`, which stays the default.

It needs the extra ``speed``.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from altcraft_balance.errors import (
    AltcraftBalanceError,
    AttemptTimeout,
    ConfigurationError,
    ConnectionFailed,
)
from altcraft_balance.settings import ClientSettings
from altcraft_balance.transport.direct_heads import HeadsRead
from altcraft_balance.transport.look import Connect, Look, has_arrived, settled
from altcraft_balance.transport.own_buffer import wants_own_buffer
from altcraft_balance.transport.port import RawReply, SendFailed, Tell
from altcraft_balance.transport.request import RequestWriter
from altcraft_balance.transport.tls import context_of
from altcraft_balance.transport.tls_session import ResumingContext, resuming
from altcraft_balance.transport.trouble import CLOSED_MEANWHILE, parsed_url

if TYPE_CHECKING:
    from altcraft_balance.transport.direct_connection import DirectConnection, Outcome

__all__ = ["DirectTransport"]


class DirectTransport:
    """Sends requests to the endpoint of `settings` over connections of its own.

    Args:
        settings: where to, with what certificates and limits.
        user_agent: the ``User-Agent`` header.
        tell: is told what happens to connections.
        connect: makes a connection in the place of the way by name, address and TLS.
        look: looks for what has arrived on an idle connection.

    Raises:
        ConfigurationError: `httptools` is not installed, or a proxy is wanted.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        user_agent: str,
        tell: Tell = lambda _: None,
        connect: Connect | None = None,
        look: Look = has_arrived,
    ) -> None:
        if find_spec("httptools") is None:
            raise ConfigurationError(
                "the transport 'direct' needs the extra 'speed': "
                "python -m pip install 'altcraft-balance[speed]'"
            )
        if settings.proxy is not None or settings.trust_env:
            raise ConfigurationError(
                "the transport 'direct' knows no proxies and no environment: leave out proxy and "
                "trust_env, or use the transport 'aiohttp'"
            )
        self._settings, self._tell = settings, tell
        self._connect, self._look = connect, look
        self._own = {"User-Agent": user_agent, "Accept-Encoding": "identity"}
        self._closed = True

    async def open(self, *, warm: int = 0) -> None:
        """Get ready on the running loop, with `warm` idle connections."""
        from altcraft_balance.transport.direct_dial import Dialer
        from altcraft_balance.transport.direct_pool import Pool

        settings, self._loop = self._settings, asyncio.get_running_loop()
        url = parsed_url(settings.url, "base_url")
        self._host = url.host_port_subcomponent or ""
        self._context = await self._tls_context() if url.scheme == "https" else None
        self._writer = RequestWriter(url, self._own)
        self._heads = HeadsRead()
        self._pool = Pool(self._loop, self._tell, self._learn)
        self._dialer = Dialer(url, self._context, settings.timeouts.connect_s, self._connect)
        self._closed = False
        try:
            await self._warm(warm)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close every connection; what is under way fails."""
        if not self._closed:
            self._closed = True  # from here on what the sweep ends sees a closed transport
            self._pool.close()
            await self._dialer.aclose()
            await asyncio.sleep(0)  # in which asyncio closes the sockets

    async def send(
        self, body: bytes, headers: Mapping[str, str], *, limit_s: float, fresh: bool = False
    ) -> RawReply:
        """Post `body`; a connection that turns out unclean costs another one, not a request."""
        if self._closed:
            raise SendFailed(ConnectionFailed(CLOSED_MEANWHILE))
        head = self._writer.head(headers, len(body))
        when = self._loop.time() + limit_s
        connection = None if fresh else self._pool.take()
        if connection is None:
            connected = await self._connected(when, limit_s)
            if isinstance(connected, SendFailed):
                raise connected.with_traceback(None)
            connection = connected
        # Between the look at it and this write the loop does not turn.
        waiter = connection.ask(head, body, when)
        try:
            outcome = await waiter
        except asyncio.CancelledError:
            connection.give_up(waiter)
            raise
        if isinstance(outcome, RawReply):
            return outcome
        raise self._failure(outcome, limit_s, connection)

    def _failure(
        self, outcome: Outcome, limit_s: float, connection: DirectConnection
    ) -> SendFailed:
        if isinstance(outcome, SendFailed):
            return outcome
        reused = connection.reader.reused
        return SendFailed(self._timed_out(limit_s, asked=True), reused=reused)

    def _timed_out(self, limit_s: float, *, asked: bool) -> AltcraftBalanceError:
        if self._closed:
            return ConnectionFailed(CLOSED_MEANWHILE, maybe_sent=asked)
        return AttemptTimeout(
            f"no whole reply from {self._host} within {limit_s:.3g} s", maybe_sent=asked
        )

    async def _connected(self, when: float, limit_s: float) -> DirectConnection | SendFailed:
        """A new connection, before `when`, or why there is none."""
        try:
            with self._pool.sweep.until(when):
                return await self._heard()
        except TimeoutError:
            return SendFailed(self._timed_out(limit_s, asked=False))
        except SendFailed as failed:
            return failed

    async def _heard(self) -> DirectConnection:
        """A new connection, after what its other end may have said first has been read."""
        connection = await self._dialed()
        try:
            silent = await settled(connection.transport, self._look)
        except BaseException:
            connection.drop()
            raise
        if not (silent and connection.usable):
            connection.drop()
            raise SendFailed(connection.refusal())
        return connection

    async def _dialed(self) -> DirectConnection:
        connection = await self._dialer.dial(self._new)
        if self._closed:
            connection.drop()
            raise SendFailed(ConnectionFailed(CLOSED_MEANWHILE))
        self._tell("connected")
        self._pool.welcome(connection)
        return connection

    def _new(self) -> DirectConnection:
        from altcraft_balance.transport.direct_connection import Buffering, Copying
        from altcraft_balance.transport.direct_reply import ReplyReader

        reader = ReplyReader(self._host, self._settings.max_body_bytes, self._heads)
        buffers = wants_own_buffer(self._loop, tls=self._context is not None)
        kind = Buffering if buffers else Copying
        return kind(self._pool, reader, self._host, self._look)

    async def _tls_context(self) -> ssl.SSLContext:
        context = await context_of(self._settings)
        return context if self._settings.ssl_context is not None else resuming(context)

    def _learn(self, transport: asyncio.Transport) -> None:
        """Take from a connection what makes the next one cheaper."""
        if isinstance(self._context, ResumingContext):
            self._context.keep_session(transport)

    async def _warm(self, count: int) -> None:
        """Open connections, all at once, and lay them into the pool."""
        made = await asyncio.gather(*(self._lay_in() for _ in range(count)), return_exceptions=True)
        failures = [item for item in made if item is not None]
        if failures:
            raise failures[0]

    async def _lay_in(self) -> None:
        connection = await self._dialed()
        if connection.usable:  # one that is lost already is no worse than one that is lost later
            self._pool.lay_in(connection)
