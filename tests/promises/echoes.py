"""A raw TCP server that says back what it was told, in every place where a reply has room for it.

Each of `ECHOES` makes a reply's bytes of a request's: in an envelope's text, in headers, in the
reason phrase, where a number belongs, in what is no HTTP at all.
"""

import asyncio
import base64
import contextlib
import gzip
import html
import json
import re
import xml.etree.ElementTree as ET
from contextlib import asynccontextmanager
from itertools import cycle
from urllib.parse import quote, quote_plus

#: What a terminal, rich and a browser would obey.
EVIL = "\x1b[31m\x1b]0;title\x07 [bold red]pwned[/] <script>alert(1)</script>"


class Told:
    """What a request said: its head, its body, and the values in it."""

    def __init__(self, head, body):
        self.head, self.body = head, body
        self.values = _values(body) + [
            line.partition(b" ")[2].decode("latin-1")
            for line in re.findall(rb"(?i)authorization: ([^\r\n]*)", head)
        ]

    @property
    def line(self):
        """All of it in one line that a header may hold."""
        return " ".join(self.values).encode()

    @property
    def text(self):
        """All of it in the spellings in which a careless server repeats what it was given."""
        ways = (
            str,
            str.upper,
            quote,
            lambda value: quote(value, safe=""),
            quote_plus,
            html.escape,
            lambda value: html.escape(value, quote=False),
            lambda value: json.dumps(value)[1:-1],
        )
        return " | ".join([EVIL, *(way(value) for value in self.values for way in ways)])

    @property
    def odd(self):
        """Likewise in spellings that only a look at what is left can find."""
        ways = (
            lambda value: quote(quote(value, safe=""), safe=""),
            lambda value: "".join(f"&#{ord(letter)};" for letter in value),
            lambda value: "".join(f"\\u{ord(letter):04x}" for letter in value),
            lambda value: base64.b64encode(value.encode()).decode(),
            lambda value: value.removeprefix("+"),
        )
        return " | ".join(way(value) for value in self.values for way in ways)


def _values(body):
    if body.startswith(b"{"):
        return [str(value) for value in json.loads(body).values()]
    return [field.text or "" for field in ET.fromstring(body)]


def http(body, *, status=b"200 OK", head=b"Content-Type: application/json\r\n"):
    """A whole reply."""
    length = (
        b"" if b"Length" in head or b"chunked" in head else b"Content-Length: %d\r\n" % len(body)
    )
    return b"HTTP/1.1 " + status + b"\r\n" + head + length + b"\r\n" + body


def envelope(**fields):
    return json.dumps(fields).encode()


def xml(told, form):
    text = html.escape(told.text.replace("\x1b", "").replace("\x07", ""))  # no XML has these
    return http(form % text.encode(), head=b"Content-Type: application/xml\r\n")


def error(code, status):
    return lambda told: http(envelope(error=code, error_text=told.text), status=status)


def found(told):
    data = {"total_balance": "1000.00", "active_balance": "800.50"}
    return http(envelope(error=0, error_text=told.text, data=data))


def amount(told):
    data = {"total_balance": told.values[0], "active_balance": told.text}
    return http(envelope(error=0, data=data))


ECHOES = {
    "found": found,
    "400": error(400, b"200 OK"),
    "odd": lambda told: http(envelope(error=440, error_text=told.odd)),
    "401": error(401, b"401 Unauthorized"),
    "403": error(403, b"200 OK"),
    "440": error(440, b"400 Bad"),
    "429": error(429, b"200 OK"),
    "500": error(500, b"500 Oops"),
    "code": lambda told: http(envelope(error=told.text, error_text=told.text)),
    "amount": amount,
    "data": lambda told: http(envelope(error=0, data=told.text)),
    "keys": lambda told: http(envelope(error=0, data={value: value for value in told.values})),
    "key twice": lambda told: http(
        b'{"error":0,%s:1,%s:1}' % ((json.dumps(told.values[0]).encode(),) * 2)
    ),
    "bad json": lambda told: http(b'{"error":0,' + told.body),
    "bad utf-8": lambda told: http(b'{"error":400,"error_text":"\xff' + told.line + b'"}'),
    "xml 400": lambda told: xml(told, b"<xml><error>400</error><error_text>%s</error_text></xml>"),
    "xml amount": lambda told: xml(
        told, b"<xml><error>0</error><data><total_balance>%s</total_balance></data></xml>"
    ),
    "xml cut": lambda told: xml(told, b"<xml><error>%s"),
    "xml doctype": lambda told: xml(told, b'<!DOCTYPE xml [<!ENTITY a "%s">]><xml>&a;</xml>'),
    "xml odd": lambda told: http(b"<" + told.body.strip(b"<>{}") + b"></a>"),
    "page": lambda told: http(b"<html>" + told.body, head=b"Content-Type: text/html\r\n"),
    "text": lambda told: http(told.line, head=b"Content-Type: text/plain\r\n"),
    "type": lambda told: http(b"no", head=b"Content-Type: " + told.line + b"\r\n"),
    "reason": lambda told: http(b"", status=b"500 " + told.line),
    "status": lambda told: http(b"", status=told.line),
    "no http": lambda told: told.head + b"\r\n\r\n" + told.body,
    "location": lambda told: http(
        b"", status=b"307 No", head=b"Location: http://127.0.0.1:1/?" + told.line + b"\r\n"
    ),
    "cookie": lambda told: http(b"x", head=b"Set-Cookie: a=" + told.line + b"\r\n"),
    "retry after": lambda told: http(
        b"", status=b"503 No", head=b"Retry-After: " + told.line + b"\r\n"
    ),
    "length": lambda told: http(b"x", head=b"Content-Length: " + told.line + b"\r\n"),
    "chunks": lambda told: http(
        told.line + b"\r\n" + told.body, head=b"Transfer-Encoding: chunked\r\n"
    ),
    "coding": lambda told: http(told.body, head=b"Content-Encoding: " + told.line + b"\r\n"),
    "bad gzip": lambda told: http(
        gzip.compress(told.body * 9)[:-9] + told.body, head=b"Content-Encoding: gzip\r\n"
    ),
    "nul header": lambda told: http(b"x", head=b"X: \0" + told.line + b"\r\n"),
    "no header": lambda told: http(b"x", head=told.line + b"\r\n"),
    "too long": lambda told: http(told.body * 2000),
    "cut": lambda told: http(told.body, head=b"Content-Length: 99999\r\n"),
    "stray": lambda told: http(envelope(error=400, error_text=told.text)) + told.body,
    "early": lambda told: http(b"", status=b"100 Continue") + told.body,
    "reset": None,
    "silence": None,
}
#: After these the connection has nothing more to say.
_ENDS = {"cut", "no http", "bad gzip", "status"}


@asynccontextmanager
async def echoing(*names):
    """The base URL of a server that answers in the ways called `names`, one after the other."""
    turn, gone, connections = cycle(names), asyncio.Event(), set()

    async def serve(reader, writer):
        connections.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while await _answered(await _told(reader), next(turn), writer, gone):
                pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        gone.set()
        server.close()
        for writer in connections:
            writer.transport.abort()
        await server.wait_closed()
        for _ in range(5):  # until their tasks have seen it
            await asyncio.sleep(0)


async def _told(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
    return Told(head, await reader.readexactly(length))


async def _answered(told, name, writer, gone):
    """Whether the connection goes on after this."""
    if name == "silence":
        await gone.wait()
    elif name == "reset":
        writer.transport.abort()
    else:
        writer.write(ECHOES[name](told))
        await writer.drain()
    return name not in _ENDS and not writer.is_closing()
