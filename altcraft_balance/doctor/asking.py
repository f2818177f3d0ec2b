"""Requests as the client sends them, one at a time and each once, with all that came back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from attrs import field, frozen

from altcraft_balance.codec.request import RequestEncoder, WireRequest
from altcraft_balance.errors import AltcraftBalanceError, AttemptTimeout, ConnectionFailed
from altcraft_balance.models import Balance
from altcraft_balance.secret import HIDDEN
from altcraft_balance.session.attempt import understood
from altcraft_balance.session.tokens import revealed_from
from altcraft_balance.settings import ClientSettings
from altcraft_balance.transport.aiohttp import read_rest
from altcraft_balance.transport.failures import translate
from altcraft_balance.transport.inflate import CannotDecode, TooLarge, decode_body
from altcraft_balance.transport.port import RawReply
from altcraft_balance.transport.tls import context_of
from altcraft_balance.version import __version__

__all__ = ["Asker", "Seen", "asking"]


@frozen(kw_only=True)
class Seen:
    """What came of one request.

    Attributes:
        wire: the request.
        raw: the reply; None when none came.
        result: the balance in it, or what it is instead.
        elapsed_s: seconds from the request's first byte to the reply's last.
        encoding: how the body was compressed on the way; "" for not at all.
    """

    wire: WireRequest = field(repr=lambda _: HIDDEN)
    raw: RawReply | None
    result: Balance | AltcraftBalanceError
    elapsed_s: float
    encoding: str = ""

    @property
    def error(self) -> AltcraftBalanceError | None:
        """What it is instead of a balance."""
        return None if isinstance(self.result, Balance) else self.result


class Asker:
    """Asks over one pool of connections; made by `asking`."""

    def __init__(self, settings: ClientSettings, session: aiohttp.ClientSession) -> None:
        self.settings, self._session = settings, session
        self.asked = 0

    async def ask(self, wire: WireRequest, headers: Mapping[str, str] | None = None) -> Seen:
        """Send `wire` once, with `headers` in the place of its own of those names."""
        self.asked += 1
        settings, began = self.settings, time.monotonic()
        sent = {"Accept-Encoding": "identity", **wire.headers, **(headers or {})}
        trouble: AltcraftBalanceError
        try:
            async with asyncio.timeout(settings.timeouts.attempt_s):
                raw, encoding = await self._exchange(wire, sent)
            result = understood(settings, wire, raw)
            took_s = time.monotonic() - began
            return Seen(wire=wire, raw=raw, result=result, elapsed_s=took_s, encoding=encoding)
        except TimeoutError:
            trouble = AttemptTimeout(
                f"no whole reply within {settings.timeouts.attempt_s:g} s", maybe_sent=True
            )
        except (TooLarge, CannotDecode):
            trouble = ConnectionFailed("the reply is too large or cannot be decoded")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            trouble = translate(
                error,
                host=urlsplit(settings.url).netloc,
                connect_s=settings.timeouts.connect_s,
                written=True,
            )
        took_s = time.monotonic() - began
        return Seen(wire=wire, raw=None, result=trouble.with_traceback(None), elapsed_s=took_s)

    async def _exchange(
        self, wire: WireRequest, headers: Mapping[str, str]
    ) -> tuple[RawReply, str]:
        settings = self.settings
        async with self._session.post(
            settings.url,
            data=wire.body,
            headers=headers,
            allow_redirects=False,
            proxy=settings.proxy,
        ) as reply:
            encoding, most = reply.headers.get("content-encoding", ""), settings.max_body_bytes
            body = decode_body(await read_rest(reply, most), encoding, most)
            return RawReply(reply.status, reply.headers, body), encoding


@asynccontextmanager
async def asking(settings: ClientSettings) -> AsyncIterator[Asker]:
    """Somebody to ask with."""
    told: dict[str, Any] = {}
    if settings.url.startswith("https:"):
        told["ssl"] = await context_of(settings)
    user_agent = settings.user_agent or f"altcraft-balance/{__version__} (doctor)"
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=1, **told),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.timeouts.connect_s),
        auto_decompress=False,
        trust_env=settings.trust_env,
        headers={"User-Agent": user_agent},
    ) as session:
        yield Asker(settings, session)


async def encoder_of(settings: ClientSettings, **otherwise: Any) -> RequestEncoder:
    """What builds requests as the client does, save for what is `otherwise`."""
    told = {
        "loyalty_program_id": settings.loyalty_program_id,
        "currency": settings.currency,
        "format": settings.format,
        "auth": settings.auth,
        "headers": dict(settings.headers),
        **otherwise,
    }
    return RequestEncoder(await revealed_from(settings.token), **told)
