"""The floor: the least that a lookup over asyncio costs, whoever sends it. Not a client to use.

One connection for each worker, one future for each request, the request's bytes prepared
before the clock starts. Of the reply it looks for ``Content-Length`` and nothing else; whether the
body is the expected one, byte for byte, stands in for the checks. No limits, no errors, no pool.
"""

import asyncio
import ssl
from collections.abc import Iterable
from urllib.parse import urlsplit

import orjson

from benchmarks.side.answer import PATH, REPLIES, WrongAnswer, fields_of, xml_of
from benchmarks.side.drive import Peer

_LENGTH = b"content-length: "


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.buffer = b""
        self.waiter = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        data = self.buffer + data if self.buffer else data
        end = data.find(b"\r\n\r\n")
        if end >= 0:
            at = data.lower().find(_LENGTH, 0, end) + len(_LENGTH)
            whole = end + 4 + int(data[at : data.find(b"\r", at)])
            if len(data) >= whole:
                self.buffer = b""
                self.waiter.set_result(data[:whole])
                return
        self.buffer = data

    def connection_lost(self, exc):
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_exception(ConnectionResetError("the server hung up"))

    def send(self, request):
        self.waiter = self.loop.create_future()
        self.transport.write(request)
        return self.waiter


class Floor(Peer):
    title = "the floor: a bare asyncio.Protocol"

    async def open(self):
        target = self.target
        parts = urlsplit(target.url)
        context = ssl.create_default_context(cafile=target.ca_file) if target.ca_file else None
        loop = asyncio.get_running_loop()
        self.free = [
            (await loop.create_connection(_Connection, parts.hostname, parts.port, ssl=context))[1]
            for _ in range(target.at)
        ]
        self.all = tuple(self.free)
        self.expected = REPLIES[target.format]
        lines = [
            f"POST {parts.path.removesuffix(PATH)}{PATH} HTTP/1.1",
            f"Host: {parts.netloc}",
            *(f"{name}: {value}" for name, value in target.headers.items()),
        ]
        self.head = "\r\n".join(lines).encode() + b"\r\nContent-Length: %d\r\n\r\n"

    async def close(self):
        for connection in self.all:
            connection.transport.abort()

    def prepare(self, asked: Iterable[str]) -> list[bytes]:
        make = (lambda member: orjson.dumps(fields_of(member))) if self.is_json else xml_of
        return [self.head % len(body) + body for body in map(make, asked)]

    async def ask(self, thing: bytes) -> int:
        connection = self.free.pop()
        reply = await connection.send(thing)
        self.free.append(connection)
        if reply.endswith(self.expected):
            return 1
        raise WrongAnswer("the body is another one")
