"""The two transports, for tests that run over both."""

from altcraft_balance.client import BalanceClient
from altcraft_balance.settings import ClientSettings
from altcraft_balance.transport.aiohttp import AiohttpTransport
from altcraft_balance.transport.direct import DirectTransport

LANES = {"aiohttp": AiohttpTransport, "direct": DirectTransport}


def client_over(lane, url, *, on_event=None, **settings):
    """A client of `url` over that transport; its news reach the client."""
    transport = LANES[lane](
        ClientSettings(base_url=url, **settings),
        user_agent="tests/1",
        tell=lambda news: client._session._heard(news),
    )
    client = BalanceClient(url, transport=transport, on_event=on_event, **settings)
    return client


def idle_on(transport):
    """How many connections lie in its pool."""
    if isinstance(transport, DirectTransport):
        return len(transport._pool)
    theirs = sum(len(conns) for conns in transport._session.connector._conns.values())
    return theirs + _lean_idle_on(transport)


def _lean_idle_on(transport):
    return 0 if transport._lean is None else len(transport._lean.pool)


def taken_on(transport):
    """How many connections carry a request."""
    if isinstance(transport, DirectTransport):
        watched = transport._pool.sweep._limits
        return sum(getattr(one, "busy", False) for one in watched)
    return len(transport._session.connector._acquired) - _lean_idle_on(transport)
