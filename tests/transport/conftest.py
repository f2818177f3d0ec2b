"""A raw TCP server that is told what to send and when, and transports that ask it."""

import asyncio
import contextlib
import functools
import gc
import json
import logging
import socket
import struct
import sys
import time

import async_solipsism
import pytest

from altcraft_balance.secret import HiddenBytes, HiddenStr
from altcraft_balance.settings import ClientSettings, Timeouts
from tests.lanes import LANES, idle_on, taken_on
from tests.transport.authority import Authority

TOKEN = "canary-token-5f1e"
JSON = {"Content-Type": "application/json", "Accept": "application/json"}


def reply(body=b"", *headers, status="200 OK", version="1.1", length=True):
    """A whole reply as bytes; `headers` are lines."""
    lines = [f"HTTP/{version} {status}", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def balance_of(body):
    """The right answer to the request with this body."""
    return b"balance of " + body


class Peer:
    """The server's end of one connection, its socket read and written only when told so."""

    def __init__(self, sock):
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.received = b""
        self.requests = []
        self._readable = None

    def send(self, data):
        """Send at once: when this returns the bytes lie in the client's kernel buffer."""
        assert self.sock.send(data) == len(data)

    async def send_all(self, data):
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def request(self):
        """The next whole request, as raw bytes; None at the end."""
        while (end := self._end_of_request()) is None:
            if not await self._receive():
                return None
        raw, self.received = self.received[:end], self.received[end:]
        self.requests.append(raw)
        return raw

    async def _receive(self):
        """Wait for bytes or the end, and whether there were bytes; `close` ends the wait."""
        loop = asyncio.get_running_loop()
        if self.sock.fileno() < 0:
            return False
        self._readable = loop.create_future()
        loop.add_reader(self.sock, self._wake)
        await self._readable
        try:
            data = self.sock.recv(65536)
        except OSError:
            return False
        self.received += data
        return bool(data)

    def _wake(self):
        if self._readable is not None and self.sock.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self.sock)
        if self._readable is not None and not self._readable.done():
            self._readable.set_result(None)

    def _end_of_request(self):
        head, blank, _ = self.received.partition(b"\r\n\r\n")
        if not blank:
            return None
        end = len(head) + 4
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                end += int(line[15:])
        return end if len(self.received) >= end else None

    async def gone(self):
        """Wait until the client has closed this connection; what it still sent is kept."""
        while await self._receive():
            pass

    def close(self):
        self._wake()  # before the descriptor goes, or the loop would watch a stranger's
        self.sock.close()

    def abort(self):
        """Close with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


class RawServer:
    """Accepts on a loopback port and lets `script(peer)` play each connection.

    Without a script every request gets its own right answer. `window` is the size of the
    receive buffers: a small one keeps a client from writing a large request at once.
    """

    def __init__(self, script=None, *, window=None):
        self.script = script or self.answer
        self._window = window
        self.peers = []
        self._tasks = set()
        self._came = asyncio.Event()

    async def __aenter__(self):
        self._sock = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._sock.setblocking(False)
        if self._window is not None:  # accepted sockets have it from this one
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._window)
        self.port = self._sock.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        self._accepting = asyncio.create_task(self._accept())
        return self

    async def __aexit__(self, *_):
        tasks = [self._accepting, *self._tasks]
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for peer in self.peers:
            peer.close()
        self._sock.close()
        calm = (asyncio.CancelledError, ConnectionError, type(None))
        for result in results:
            if not isinstance(result, calm):
                raise result

    async def _accept(self):
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(self._sock)
            peer = Peer(sock)
            self.peers.append(peer)
            self._came.set()
            self._tasks.add(asyncio.create_task(self.script(peer)))

    async def peer(self, number):
        """The connection with that number, from 0, once it is there."""
        while len(self.peers) <= number:
            self._came.clear()
            await self._came.wait()
        return self.peers[number]

    async def answer(self, peer):
        while (raw := await peer.request()) is not None:
            await peer.send_all(reply(balance_of(raw.partition(b"\r\n\r\n")[2])))

    async def requested(self, count):
        """Wait until so many requests have come, on all connections together."""
        while len(self.requests) < count:  # noqa: ASYNC110 - each turn of the loop may bring one
            await asyncio.sleep(0)

    @property
    def requests(self):
        return [raw for peer in self.peers for raw in peer.requests]


class Asker:
    """A transport, its news, and a short way to send."""

    def __init__(self, url, *, lane="aiohttp", timeouts=None, connect=None, look=None, **settings):
        self.news, self.lane = [], lane
        self.settings = ClientSettings(
            base_url=url,
            token=TOKEN,
            timeouts=timeouts or Timeouts(connect_s=5, attempt_s=10),
            **settings,
        )
        options = {} if look is None else {"look": look}
        self.transport = LANES[lane](
            self.settings, user_agent="test/1", tell=self.news.append, connect=connect, **options
        )
        self.is_open = False

    async def open(self, *, warm=0):
        await self.transport.open(warm=warm)
        self.is_open = True
        return self

    async def __aenter__(self):
        return await self.open()

    async def __aexit__(self, *_):
        await self.aclose()

    async def aclose(self):
        if self.is_open:
            self.is_open = False
            await self.transport.aclose()

    async def send(self, body=b"me", headers=None, *, limit_s=8, fresh=False):
        return await self.transport.send(
            HiddenBytes(body), headers or JSON, limit_s=limit_s, fresh=fresh
        )

    @property
    def idle(self):
        """How many connections lie in the pool."""
        return idle_on(self.transport)

    @property
    def taken(self):
        """How many connections carry a request."""
        return taken_on(self.transport)

    @property
    def sweep(self):
        return self.transport._pool.sweep if self.lane == "direct" else self.transport._sweep

    @property
    def closed(self):
        return self.transport._closed if self.lane == "direct" else self.transport._session.closed


async def turns(count=10):
    """Let the loop turn, so that what lies in kernel buffers is read."""
    for _ in range(count):
        await asyncio.sleep(0)


def hidden(headers):
    return {name: HiddenStr(value) for name, value in headers.items()}


@pytest.fixture(params=LANES)
def lane(request):
    """Which transport it is; a test of one of them alone is parametrised with its name."""
    return request.param


@pytest.fixture
def tools(lane):
    """What the tests of this folder share: `--import-mode=importlib` has no shared modules."""

    class Tools:
        Asker = functools.partial(Asker, lane=lane)
        Peer, RawServer = Peer, RawServer
        JSON, TOKEN = JSON, TOKEN
        balance_of, hidden, reply, turns = (
            staticmethod(balance_of),
            staticmethod(hidden),
            staticmethod(reply),
            staticmethod(turns),
        )

    return Tools


@pytest.fixture
async def stack():
    """Closes what a test opened, last first, and then looks for what was left behind."""
    loop, complaints = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    before = asyncio.all_tasks()
    async with contextlib.AsyncExitStack() as stack:
        yield stack
    await turns()
    gc.collect()
    await turns()
    assert asyncio.all_tasks() - before - {asyncio.current_task()} == set()
    assert complaints == []


@pytest.fixture
def serve(stack):
    """Start a server."""

    async def serve(script=None, *, window=None):
        return await stack.enter_async_context(RawServer(script, window=window))

    return serve


@pytest.fixture
def ask(stack, lane):
    """Open a transport to a server or a URL."""

    async def ask(server, *, warm=0, **settings):
        asker = Asker(getattr(server, "url", server), lane=lane, **settings)
        stack.push_async_callback(asker.aclose)
        return await asker.open(warm=warm)

    return ask


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch):
    """No name but the loopback's is resolved, so that no test asks a name server."""
    real = socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        if host in {"127.0.0.1", "::1", "localhost", None}:
            return real(host, *args, **kwargs)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture
def every_log(caplog):
    """All that any logger said, at DEBUG."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="asyncio")
    caplog.set_level(logging.DEBUG, logger="aiohttp")
    return caplog


@pytest.fixture
def as_json():
    return lambda value: json.dumps(value).encode()


@pytest.fixture
def thread_cpu():
    """A limit on the CPU time of this thread, which other processes do not use up.

    Coverage and a debug build are slower than what the limit speaks of, and get more room.
    """

    @contextlib.contextmanager
    def thread_cpu(*, limit_s):
        room = 5 if sys.gettrace() is not None else 1
        began = time.thread_time()
        yield
        assert time.thread_time() - began < limit_s * room

    return thread_cpu


@pytest.fixture
async def warmed_up(serve, ask):
    """A server and a transport with one pooled connection that has carried one exchange."""

    async def warmed_up(**options):
        server = await serve()
        asker = await ask(server, **options)
        assert not (await asker.send(b"first")).reused
        await asyncio.sleep(0)
        assert asker.idle == 1
        return server, asker

    return warmed_up


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture
def simulated(tools):
    """Run `test(ask)` on a virtual clock, against a server that plays `script(reader, writer)`."""

    def simulated(script, test, *, connect=None, connect_s=3.0):
        async def main():
            loop, writers = asyncio.get_running_loop(), []

            async def serve(reader, writer):
                writers.append(writer)
                await script(reader, writer)

            def create(factory, host, port, **_):
                return loop.create_connection(factory, host, port)

            server = await asyncio.start_server(serve, "127.0.0.1", 8080)
            asker = tools.Asker(
                "http://127.0.0.1:8080",
                timeouts=Timeouts(connect_s=connect_s),
                connect=connect or create,
                look=lambda _: False,
            )
            try:
                return await test(asker)
            finally:
                await asker.aclose()
                server.close()
                for writer in writers:
                    writer.close()
                for task in asyncio.all_tasks() - {asyncio.current_task()}:
                    task.cancel()
                await asyncio.sleep(0)

        with asyncio.Runner(loop_factory=async_solipsism.EventLoop) as runner:
            return runner.run(main())

    return simulated
