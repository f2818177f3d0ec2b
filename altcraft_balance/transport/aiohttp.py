"""The transport over aiohttp: one session, no cookies, no redirects, no limits but ours.

Gzip is not asked for, since a reply has some hundred bytes; it is understood if it comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from altcraft_balance.errors import (
    AltcraftBalanceError,
    AttemptTimeout,
    ConnectionFailed,
    UnexpectedReply,
)
from altcraft_balance.settings import ClientSettings
from altcraft_balance.transport.failures import translate
from altcraft_balance.transport.guard import FRESH, GuardedBody, GuardedConnector, make_connector
from altcraft_balance.transport.inflate import CannotDecode, TooLarge, decode_body
from altcraft_balance.transport.lean import Asked, LeanReply, LeanWay, lean_hooks_present
from altcraft_balance.transport.look import Connect, Look, has_arrived
from altcraft_balance.transport.port import RawReply, SendFailed, Tell
from altcraft_balance.transport.sweep import Sweep
from altcraft_balance.transport.tls import context_of
from altcraft_balance.transport.trouble import CLOSED_MEANWHILE, is_broken, parsed_url

__all__ = ["AiohttpTransport"]

_WANTS_CREDENTIALS: Final = frozenset({401, 407})  # tinyproxy says 401 to wrong ones


class AiohttpTransport:
    """Sends requests to the endpoint of `settings` through one `aiohttp.ClientSession`.

    Args:
        settings: where to, through what proxy, with what certificates and limits.
        user_agent: the ``User-Agent`` header.
        tell: is told what happens to connections.
        connect: makes a connection in the place of aiohttp's own way.
        look: looks for what has arrived on an idle connection.
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
        self._settings, self._tell = settings, tell
        self._connect, self._look = connect, look
        self._host = urlsplit(settings.url).netloc
        self._own = {"User-Agent": user_agent, "Accept-Encoding": "identity"}

    async def open(self, *, warm: int = 0) -> None:
        """Make the session on the running loop, and `warm` idle connections."""
        settings = self._settings
        self._url = parsed_url(settings.url, "base_url")
        self._proxy = parsed_url(settings.proxy, "proxy") if settings.proxy else None
        context = await self._tls_context()
        self._sweep = Sweep(asyncio.get_running_loop())
        self._session = aiohttp.ClientSession(
            connector=make_connector(
                tell=self._tell,
                look=self._look,
                connect=self._connect,
                connect_s=settings.timeouts.connect_s,
                max_body_bytes=settings.max_body_bytes,
                ssl=context,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.timeouts.connect_s),
            auto_decompress=False,
            trust_env=settings.trust_env,
        )
        self._lean = self._lean_way()
        try:
            await self._warm(warm)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close the session and the timer."""
        closing = self._session.close()  # from here on what the sweep ends sees a closed session
        self._sweep.close()
        if self._lean is not None:
            self._lean.pool.close()
        await closing

    async def send(
        self, body: bytes, headers: Mapping[str, str], *, limit_s: float, fresh: bool = False
    ) -> RawReply:
        """Post `body`; a connection that turns out unclean costs another one, not a request."""
        with_limit = self._sweep.within(limit_s)
        trouble: SendFailed
        asked = self._asked(body)
        if self._session.closed:
            raise SendFailed(ConnectionFailed(CLOSED_MEANWHILE))
        try:
            with with_limit:
                while True:
                    reply = await self._exchange(asked, body, headers, fresh)
                    if reply is not None:
                        return reply
                    self._tell("dropped_when_written")
                    asked, fresh = self._asked(body), True
        except TimeoutError:
            trouble = SendFailed(self._timed_out(limit_s, asked), reused=asked.reused)
        except SendFailed as failed:
            trouble = failed
        raise trouble.with_traceback(None)

    def _lean_way(self) -> LeanWay | None:
        """The way past the general client, where nothing is asked for that only that one can."""
        if self._proxy is not None or self._settings.trust_env:
            return None
        if not (isinstance(self._session.connector, GuardedConnector) and lean_hooks_present()):
            return None
        return LeanWay(self._session, self._url, self._own, self._tell)

    def _asked(self, body: bytes) -> Asked | GuardedBody:
        return GuardedBody(body) if self._lean is None else Asked()

    async def _exchange(
        self, asked: Asked | GuardedBody, body: bytes, headers: Mapping[str, str], fresh: bool
    ) -> RawReply | None:
        """One request and its reply; None when nothing was sent on an idle connection."""
        failure: BaseException
        response: aiohttp.ClientResponse | LeanReply
        began = False
        try:
            if self._lean is not None and isinstance(asked, Asked):
                response = await self._lean.ask(asked, body, headers, fresh=fresh)
            else:
                response = await self._posted(asked, headers, fresh)
            if asked.written:
                began = True
                return await self._whole(response, asked)
            response.close()  # it lay on the connection before we asked
            asked.refused, failure = True, ConnectionError()
        except aiohttp.ClientError as error:
            failure = error
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            failure = error
        except ValueError as error:  # of the request itself: nothing was sent
            failure = error
        if asked.reused and not asked.written:
            return None  # a new one that fails like this is trouble: another would be a storm
        raise SendFailed(self._translated(failure, asked), reused=asked.reused, began=began)

    async def _posted(
        self, payload: Asked | GuardedBody, headers: Mapping[str, str], fresh: bool
    ) -> aiohttp.ClientResponse:
        """By the general client: with a proxy, or with an aiohttp that has changed."""
        token = FRESH.set(fresh)
        try:
            return await self._session.post(
                self._url,
                data=payload,
                headers={**headers, **self._own},
                allow_redirects=False,
                proxy=self._proxy,
            )
        finally:
            FRESH.reset(token)

    def _translated(
        self, failure: BaseException, asked: Asked | GuardedBody
    ) -> AltcraftBalanceError:
        if asked.refused:
            return ConnectionFailed(f"{self._host} spoke or hung up before it was asked")
        return translate(
            failure,
            host=self._host,
            connect_s=self._settings.timeouts.connect_s,
            written=asked.written,
        )

    def _timed_out(self, limit_s: float, asked: Asked | GuardedBody) -> AltcraftBalanceError:
        if self._session.closed:
            return ConnectionFailed(CLOSED_MEANWHILE, maybe_sent=asked.written)
        return AttemptTimeout(
            f"no whole reply from {self._host} within {limit_s:.3g} s", maybe_sent=asked.written
        )

    async def _whole(
        self, response: aiohttp.ClientResponse | LeanReply, asked: Asked | GuardedBody
    ) -> RawReply:
        """Read the reply to its end, and no further than the cap."""
        error: AltcraftBalanceError
        try:
            content = response.content
            # As a rule the body came in one piece with its head.
            if content.is_eof():
                body = content.read_nowait()
            else:
                body = await read_rest(response, self._settings.max_body_bytes)
            if len(body) > self._settings.max_body_bytes:
                raise TooLarge
            encoding = response.headers.get("content-encoding")
            if encoding is not None:
                body = decode_body(body, encoding, self._settings.max_body_bytes)
            return RawReply(response.status, response.headers, body, asked.reused)
        except (TooLarge, CannotDecode) as trouble:
            if not 200 <= response.status < 300:
                # The status says enough without the page; it must not be lost with it.
                return RawReply(response.status, response.headers, b"", asked.reused)
            error = self._unusable(trouble, response.status)
        except aiohttp.ClientPayloadError:
            if not self._is_refused_by_proxy(response.status):
                raise
            return RawReply(response.status, response.headers, b"", asked.reused)
        finally:
            if response.connection is not None:  # not whole, or 101: of no further use
                response.close()
            elif isinstance(asked, GuardedBody):
                _let_go_of_broken(response, asked)
        raise SendFailed(error, reused=asked.reused, began=True)

    def _is_refused_by_proxy(self, status: int) -> bool:
        """Whether it wants other credentials: its page, cut short or not, says no more than that.

        One that hangs up on a request which it has not read, as tinyproxy does, cuts its own page
        short. Of any other status the page may be an envelope, and half of it is trouble.
        """
        return status in _WANTS_CREDENTIALS and (
            self._proxy is not None or self._settings.trust_env
        )

    def _unusable(self, trouble: TooLarge | CannotDecode, status: int) -> AltcraftBalanceError:
        if isinstance(trouble, CannotDecode):
            return ConnectionFailed(f"the reply is damaged: {trouble}", maybe_sent=True)
        limit = self._settings.max_body_bytes
        return UnexpectedReply(f"the reply is larger than max_body_bytes ({limit})", status=status)

    async def _tls_context(self) -> ssl.SSLContext | bool:
        if self._url.scheme == "http" and not self._settings.proxy:
            return True  # never looked at
        return await context_of(self._settings)

    async def _warm(self, count: int) -> None:
        """Open connections, all at once, and lay them into the pool."""
        proxy, auth = self._proxy, None
        if count and proxy is None and self._settings.trust_env:
            from aiohttp.helpers import get_env_proxy_for_url  # not documented: only when needed

            with contextlib.suppress(LookupError):
                proxy, auth = await asyncio.to_thread(get_env_proxy_for_url, self._url)
        made = await asyncio.gather(
            *(self._lay_in(proxy, auth) for _ in range(count)), return_exceptions=True
        )
        failures = [item for item in made if item is not None]
        if failures:
            raise SendFailed(self._translated(failures[0], Asked()))

    async def _lay_in(self, proxy: URL | None, auth: aiohttp.BasicAuth | None) -> None:
        connector = self._session.connector
        if connector is None:
            raise aiohttp.ClientConnectionError("closed")
        request = aiohttp.ClientRequest(
            "POST",
            self._url,
            loop=asyncio.get_running_loop(),
            session=self._session,
            proxy=proxy,
            proxy_auth=auth,
        )
        token = FRESH.set(True)
        try:
            (await connector.connect(request, [], aiohttp.ClientTimeout())).release()
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error
        finally:
            FRESH.reset(token)


async def read_rest(response: aiohttp.ClientResponse | LeanReply, limit: int) -> bytes:
    """A body that has not come whole yet; of one longer than `limit`, no more than shows it.

    Raises:
        TooLarge: its head says that it is longer.
    """
    content = response.content
    if int(response.headers.get("content-length", 0)) > limit:
        raise TooLarge
    pieces, size = [], 0
    while size <= limit and not content.at_eof():
        pieces.append(await content.readany())
        size += len(pieces[-1])
    return b"".join(pieces)


def _let_go_of_broken(response: aiohttp.ClientResponse | LeanReply, asked: GuardedBody) -> None:
    """Close the connection behind a broken server's reply, unless it is somebody else's now."""
    connection = asked.connection
    if connection is None or connection.asked:
        return
    if is_broken(response.status, response.headers):
        connection.close()
