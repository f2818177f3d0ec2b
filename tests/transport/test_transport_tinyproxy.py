"""Through a real forward proxy: plain requests, tunnels, credentials, and a proxy that is away."""

import asyncio
import contextlib

import pytest

from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import AltcraftBalanceError, ConfigurationError
from altcraft_balance.models import ByEmail, Found
from altcraft_balance.sandbox import Sandbox
from altcraft_balance.settings import RetryPolicy
from altcraft_balance.transport.port import SendFailed
from tests.servers import TinyProxy, running
from tests.transport.lanes import only_aiohttp

pytestmark = pytest.mark.server

TOKEN = "canary-token-5f1e"
CREDENTIALS = "me:canary-password"
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(scope="module")
def one_open_proxy():
    yield from running(TinyProxy)


@pytest.fixture(scope="module")
def one_closed_proxy():
    class Closed(TinyProxy):
        def __init__(self):
            super().__init__(CREDENTIALS)

    yield from running(Closed)


@pytest.fixture(params=["open", "with credentials"])
def proxy(request):
    """One that serves anybody, and one that wants to know who asks."""
    name = "one_open_proxy" if request.param == "open" else "one_closed_proxy"
    return request.getfixturevalue(name)


@pytest.fixture
def closed_proxy(one_closed_proxy):
    return one_closed_proxy


@pytest.fixture(autouse=True)
def no_proxy_variables(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")  # nor a .netrc


class TlsServer:
    """Answers over TLS, and says something unasked after a request when it is told to.

    Attributes:
        heads: of the requests.
        connections: how many there were.
        stray: what it says after its next answer, without having been asked.
    """

    def __init__(self, context, tools):
        self.context, self.tools = context, tools
        self.heads, self.connections, self.stray, self.said = [], 0, b"", asyncio.Event()
        self._serving = {}

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=self.context)
        self.host = f"127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        self.url = f"https://{self.host}"
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for task, writer in self._serving.items():
            if not task.done():  # the proxy may close its side later
                writer.transport.abort()
        await asyncio.gather(*self._serving)

    async def serve(self, reader, writer):
        self._serving[asyncio.current_task()] = writer
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                self.heads.append(head)
                body = await reader.readexactly(int(length))
                writer.write(self.tools.reply(self.tools.balance_of(body)))
                await writer.drain()
                if self.stray:
                    stray, self.stray = self.stray, b""
                    await self.said.wait()
                    writer.write(stray)
                    await writer.drain()
        writer.close()


@pytest.fixture
async def secure(stack, authority, tools):
    """A server with a certificate that the authority has signed."""
    return await stack.enter_async_context(TlsServer(authority.serving(), tools))


def shown(error):
    """All that an error shows."""
    return f"{error} {error!r} {vars(error)}"


@only_aiohttp
async def test_plain_requests_are_forwarded(proxy, serve, ask, tools):
    """Each gets its own answer; the server never sees the proxy's credentials."""
    server = await serve()
    asker = await ask(server, proxy=proxy.url)
    for body in (b"one", b"two", b"three"):
        assert (await asker.send(body, fresh=True)).body == tools.balance_of(body)
    assert all(b"\r\nVia: 1.1 " in raw for raw in server.requests)
    assert not any(b"uthorization" in raw for raw in server.requests)


async def test_a_plain_connection_that_the_proxy_closes_costs_no_attempt(proxy):
    """This one closes each after its answer, without a word of it in that answer."""
    settings = {"token": "sandbox-token", "loyalty_program_id": 123, "proxy": proxy.url}
    async with Sandbox() as sandbox, BalanceClient(sandbox.url, **settings) as client:
        for number in range(50):
            (outcome,) = await client.get_balances([ByEmail(f"member{number}@example.com")])
            assert (type(outcome), outcome.attempts) == (Found, 1)
        assert sandbox.requests == 50
        assert client.stats().connections_opened == 50


@only_aiohttp
async def test_a_tunnel_is_kept_and_nobody_reads_in_it(proxy, secure, ask, authority, tools):
    """One CONNECT for all requests; they carry no trace of the proxy, nor it one of them."""
    before = proxy.tunnels()
    asker = await ask(secure, proxy=proxy.url, ca_file=authority.file)
    headers = {**tools.JSON, "Authorization": f"Bearer {TOKEN}"}
    replies = [await asker.send(body, headers) for body in (b"one", b"two", b"three")]
    assert [reply.body for reply in replies] == [
        tools.balance_of(body) for body in (b"one", b"two", b"three")
    ]
    assert [reply.reused for reply in replies] == [False, True, True]
    assert (proxy.tunnels() - before, secure.connections) == (1, 1)
    assert not any(b"Via" in head or b"Proxy-" in head for head in secure.heads)
    assert TOKEN not in proxy.said()
    assert "/api/v1.1" not in proxy.said().rpartition("): CONNECT ")[2]


@only_aiohttp
async def test_warm_tunnels_stand_before_the_first_request(proxy, secure, ask, authority):
    """They went through the proxy as well."""
    before = proxy.tunnels()
    asker = await ask(secure, warm=3, proxy=proxy.url, ca_file=authority.file)
    assert (proxy.tunnels() - before, asker.idle) == (3, 3)
    assert (await asker.send()).reused
    assert proxy.tunnels() - before == 3


@only_aiohttp
async def test_a_strangers_answer_in_a_tunnel_is_not_taken(proxy, secure, ask, authority, tools):
    """What came unasked ends that tunnel; the request goes through another."""
    stray = tools.reply(b"balance of a stranger")
    asker = await ask(secure, proxy=proxy.url, ca_file=authority.file)
    for number in range(10):
        secure.stray, secure.said = stray, asyncio.Event()
        mine = b"%d" % number
        assert (await asker.send(mine)).body == tools.balance_of(mine)
        (protocol, _), *_ = next(iter(asker.transport._session.connector._conns.values()))
        secure.said.set()
        while not protocol.stray and protocol.is_connected():  # noqa: ASYNC110 - the loop turns
            await asyncio.sleep(0)
    assert (await asker.send(b"last")).body == tools.balance_of(b"last")
    assert asker.news.count("dropped_when_taken") == 10
    assert secure.connections == 11


@only_aiohttp
@pytest.mark.parametrize("how", ["none", "wrong"])
@pytest.mark.parametrize("what", ["plain", "tunnel"])
async def test_a_proxy_that_wants_other_credentials_ends_a_run(
    closed_proxy, authority, secure, every_log, how, what
):
    """One sentence, with the status; fatal; nothing of token or password in what is shown.

    This proxy answers 407 to none and 401 to wrong ones, and resets a request that it has not
    read, which cuts its page short.
    """
    userinfo = "me:canary-wrong@" if how == "wrong" else ""
    settings = {
        "token": TOKEN,
        "loyalty_program_id": 123,
        "proxy": f"http://{userinfo}{closed_proxy.host}",
        "ca_file": authority.file,
        "auth": "both",
    }
    members = [ByEmail(f"canary-{number}@example.com") for number in range(200)]
    async with Sandbox() as sandbox:
        url = sandbox.url if what == "plain" else secure.url
        async with BalanceClient(url, **settings) as client:
            outcomes = await client.get_balances(members, item_deadline_s=5)
            error = outcomes[0].error
        assert sandbox.requests == 0
    assert secure.heads == []
    status = 407 if how == "none" else 401
    assert (error.kind, error.status, error.transient) == ("http_status", status, False)
    asked = [outcome for outcome in outcomes if outcome.requests]
    assert 0 < len(asked) <= 64  # those that were on the way
    assert {type(outcome.error) for outcome in outcomes} == {type(error)}
    said = shown(error) + every_log.text + closed_proxy.said()
    assert "canary" not in said.replace("canary-password", "")
    assert str(error) == {
        ("plain", 407): "HTTP 407 without an envelope: the proxy wants credentials",
        ("plain", 401): "HTTP 401 without an envelope: the server wants another token or other "
        "credentials",
    }.get((what, status), f"the proxy answered HTTP {status}")


@only_aiohttp
@pytest.mark.parametrize("what", ["plain", "tunnel"])
async def test_a_proxy_that_reaches_nobody_is_trouble(proxy, ask, unused_port, what):
    """Its answer, or its hanging up, is transient: a server may come back."""
    scheme = "http" if what == "plain" else "https"
    asker = await ask(f"{scheme}://127.0.0.1:{unused_port}", proxy=proxy.url)
    try:
        status, transient = (await asker.send()).status, None
    except SendFailed as failed:
        status = getattr(failed.error, "status", None)
        transient = failed.error.transient
    assert (status is None or status >= 500, transient) in {(True, True), (True, None)}


@pytest.fixture
def unused_port():
    import socket

    with socket.socket() as sock:  # bound and not listening: refuses until it is closed
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@only_aiohttp
async def test_a_proxy_that_goes_away_and_comes_back(serve, ask, tools, secure, authority):
    """Tunnels that it took along are dropped; while it is away that is said; then all goes on."""
    for own in running(TinyProxy):
        asker = await ask(secure, proxy=own.url, ca_file=authority.file)
        plain = await ask(await serve(), proxy=own.url)
        await asker.send()
        await asyncio.to_thread(own.stop)
        for each in (asker, plain):
            with pytest.raises(SendFailed, match=r"^no connection to the proxy: ") as caught:
                await each.send(b"me")
            error = caught.value.error
            assert (error.kind, error.transient, error.maybe_sent) == (
                "connection_failed", True, False,
            )  # fmt: skip
        await asyncio.to_thread(own.start)
        assert (await asker.send(b"me")).body == tools.balance_of(b"me")
        assert (await plain.send(b"me")).body == tools.balance_of(b"me")


@only_aiohttp
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_environments_proxy_is_the_real_one(
    proxy, serve, secure, ask, authority, monkeypatch, tools, scheme
):
    """`HTTP_PROXY` for plain requests, `HTTPS_PROXY` for tunnels, and `NO_PROXY` against both."""
    server = secure if scheme == "https" else await serve()
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", proxy.url)
    before = proxy.said().count("Request ")
    asker = await ask(server, trust_env=True, ca_file=authority.file)
    assert (await asker.send(b"me")).body == tools.balance_of(b"me")
    assert proxy.said().count("Request ") - before == 1
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    asker = await ask(server, trust_env=True, ca_file=authority.file)
    assert (await asker.send(b"me")).body == tools.balance_of(b"me")
    assert proxy.said().count("Request ") - before == 1


@only_aiohttp
async def test_without_trust_env_no_variable_counts(proxy, serve, ask, monkeypatch):
    """The proxy hears of nothing."""
    server = await serve()
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    before = proxy.said().count("Request ")
    await (await ask(server)).send()
    assert (proxy.said().count("Request ") - before, len(server.requests)) == (0, 1)


async def test_a_batch_goes_through_it(proxy):
    """The whole client, at a width of 32: every member its own balance."""
    settings = {"token": "sandbox-token", "loyalty_program_id": 123, "proxy": proxy.url}
    settings["retry"] = RetryPolicy(base_s=0.01, cap_s=0.1)
    members = [ByEmail(f"member{number}@example.com") for number in range(300)]
    async with Sandbox() as sandbox, BalanceClient(sandbox.url, **settings) as client:
        for outcome in await client.get_balances(members):
            due = sandbox.balance_of(outcome.query, loyalty_program_id=123)
            assert outcome.balance.total_balance == due.total_balance


@pytest.mark.parametrize("setting", [{"proxy": "http://127.0.0.1:1"}, {"trust_env": True}])
def test_the_fast_lane_has_no_proxies(setting):
    """And says so before anything is opened."""
    with pytest.raises(ConfigurationError, match="does not work with 'direct'") as caught:
        BalanceClient("http://127.0.0.1:1", token=TOKEN, transport="direct", **setting)
    assert isinstance(caught.value, AltcraftBalanceError)
