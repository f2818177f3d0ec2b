"""How long a server leaves an idle connection open: one lookup on a connection of its own.

Nothing can be asked of a connection that a client's pool holds, so this one is plain asyncio: the
request is written, its reply read to the end, and then the end of the connection waited for.
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

from altcraft_balance.codec.request import WireRequest
from altcraft_balance.settings import ClientSettings
from altcraft_balance.transport.tls import context_of

__all__ = ["idle_time"]

_TIMEOUT: Final = re.compile(rb"(?i)^keep-alive:.*timeout=(\d+)", re.MULTILINE)
_LENGTH: Final = re.compile(rb"(?i)^content-length: *(\d+)", re.MULTILINE)
_HINT: Final = re.compile(rb"HTTP/1\.\d 1")  # such as 103, before the reply
_CHUNKED: Final = re.compile(rb"(?i)^transfer-encoding:.*chunked", re.MULTILINE)
_CLOSES: Final = re.compile(rb"(?i)^connection:.*\bclose", re.MULTILINE)
_MOST_HEAD: Final = 65536


async def idle_time(settings: ClientSettings, wire: WireRequest, *, wait_s: float) -> str:
    """What was seen in at most `wait_s` seconds after the reply, in a few words."""
    reader, writer = await _connected(settings)
    try:
        async with asyncio.timeout(settings.timeouts.attempt_s):
            writer.write(_request(settings, wire))
            head = await reader.readuntil(b"\r\n\r\n")
            while _HINT.match(head):
                head = await reader.readuntil(b"\r\n\r\n")
            if _CLOSES.search(head) or not await _read_body(reader, head):
                return "none: it closes after each reply"
        if told := _TIMEOUT.search(head):
            return f"{int(told[1])} s, as its Keep-Alive header says"
        return await _closing(reader, wait_s)
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def _read_body(reader: asyncio.StreamReader, head: bytes) -> bool:
    """To its end; False when only the connection's end is its end."""
    if _CHUNKED.search(head):
        while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
            await reader.readexactly(size + 2)
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass  # trailers
        return True
    length = _LENGTH.search(head)
    if length is not None:
        await reader.readexactly(int(length[1]))
    return length is not None


async def _connected(
    settings: ClientSettings,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    place = urlsplit(settings.url)
    tls: dict[str, Any] = {}
    if place.scheme == "https":
        tls["ssl"] = await context_of(settings)
    port = place.port or (443 if tls else 80)
    async with asyncio.timeout(settings.timeouts.connect_s):
        return await asyncio.open_connection(place.hostname, port, limit=_MOST_HEAD, **tls)


def _request(settings: ClientSettings, wire: WireRequest) -> bytes:
    place = urlsplit(settings.url)
    headers = {"Host": place.netloc, **wire.headers, "Content-Length": str(len(wire.body))}
    lines = [f"POST {place.path} HTTP/1.1", *(f"{name}: {text}" for name, text in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + wire.body


async def _closing(reader: asyncio.StreamReader, wait_s: float) -> str:
    began = time.monotonic()
    try:
        async with asyncio.timeout(wait_s):
            await reader.read(1)
    except TimeoutError:
        return f"more than {wait_s:g} s"
    except OSError:
        pass
    return f"{time.monotonic() - began:.1f} s"
