"""The real client, over the real aiohttp, and the real sandbox in memory, on a virtual clock.

Time jumps as soon as nothing can run; if nothing ever will, the loop raises instead of hanging.
"""

import asyncio
import warnings
from contextlib import asynccontextmanager

import async_solipsism
from attrs import define, fields_dict

from altcraft_balance.client import BalanceClient
from altcraft_balance.models import ByEmail
from altcraft_balance.sandbox import Sandbox
from altcraft_balance.settings import ClientSettings, Limits
from altcraft_balance.transport.aiohttp import AiohttpTransport
from altcraft_balance.transport.direct import DirectTransport
from tests.lanes import taken_on

PROGRAM = 123


def run(main, loop_factory=async_solipsism.EventLoop):
    """What `main()` comes to, on a virtual clock; not in asyncio's debug mode, ten times slower."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", async_solipsism.ResolutionWarning)
        with asyncio.Runner(debug=False, loop_factory=loop_factory) as runner:
            return runner.run(main())


def now():
    """The time of the running loop, in seconds."""
    return asyncio.get_running_loop().time()


def member(number):
    return ByEmail(f"member-{number}@example.com")


@define
class Request:
    """One request: when it was sent, when its reply had come or failed, and whether it failed."""

    sent: float
    ended: float | None = None
    failed: bool = False


class Noted:
    """A transport on the simulated network, with a note of each request.

    Attributes:
        requests: all requests, in the order in which they were sent.
    """

    def __init__(self, settings, **options):
        super().__init__(settings, user_agent="promises/1", look=lambda _: False, **options)
        self.requests = []

    async def send(self, body, headers, *, limit_s, fresh=False):
        self.requests.append(noted := Request(now(), failed=True))
        try:
            reply = await super().send(body, headers, limit_s=limit_s, fresh=fresh)
            noted.failed = False
            return reply
        finally:
            noted.ended = now()

    @property
    def taken(self):
        """How many connections carry a request."""
        return taken_on(self)


class NotedTransport(Noted, AiohttpTransport):
    """aiohttp's."""


class NotedDirect(Noted, DirectTransport):
    """The fast lane's."""


_LANES = {"aiohttp": NotedTransport, "direct": NotedDirect}


def connect_in_memory(factory, host, port, **_):
    """A connection over the simulated network, which knows neither DNS nor TLS."""
    return asyncio.get_running_loop().create_connection(factory, host, port)


def make_client(url, *, on_event=None, connect=connect_in_memory, lane="aiohttp", **further):
    """A client over the simulated network, and its transport."""
    settings = {"token": "sandbox-token", "loyalty_program_id": PROGRAM, **further}
    transport = _LANES[lane](ClientSettings(base_url=url, **settings), connect=connect)
    client = BalanceClient(url, transport=transport, on_event=on_event, **settings)
    return client, transport


@asynccontextmanager
async def opened(*, sandbox=None, **settings):
    """A sandbox, an open client of it, and the client's transport; the sandbox may be given."""
    async with sandbox if sandbox is not None else Sandbox() as server:
        client, transport = make_client(server.url, **settings)
        async with client:
            yield server, client, transport


def steady(concurrency):
    """Limits with so many slots, none of which an adaptive client may take away."""
    fixed = {"adaptive": False} if "adaptive" in fields_dict(Limits) else {}
    return Limits(concurrency=concurrency, **fixed)
