"""Transports that ask a raw TCP server, which does what a test says."""

import asyncio
import contextlib
import functools
import gc
import json
import logging
import socket

import async_solipsism
import pytest

from altcraft_balance.secret import HiddenBytes, HiddenStr
from altcraft_balance.settings import ClientSettings, Timeouts
from tests.cpu import cpu_noted
from tests.hostile.authority import authority, stranger  # noqa: F401
from tests.hostile.peer import Peer
from tests.hostile.replies import balance_of, reply
from tests.hostile.server import RawServer, turns
from tests.lanes import LANES, idle_on, taken_on

TOKEN = "canary-token-5f1e"
JSON = {"Content-Type": "application/json", "Accept": "application/json"}


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
    """Closes what a test opened, last first, and then looks for what was left behind.

    The collector looks at nothing that is older, which takes a thousand times as long.
    """
    gc.freeze()
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
        taken = []
        with cpu_noted(taken):
            yield
        assert taken[0] < limit_s

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
