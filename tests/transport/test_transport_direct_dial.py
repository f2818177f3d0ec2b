"""The fast lane's new connections: names, addresses, TLS sessions."""

import asyncio
import socket
import ssl

import pytest

from altcraft_balance.settings import Timeouts
from altcraft_balance.transport.port import SendFailed
from altcraft_balance.transport.tls import build_context
from altcraft_balance.transport.tls_session import resuming


@pytest.fixture
def lane():
    return "direct"


@pytest.fixture
def names(monkeypatch):
    """A name server of the test's own: `names.known` has addresses, `names.asked` questions."""

    class Names:
        known, asked, gate = {}, [], None

    async def getaddrinfo(self, host, port, *, family=0, type=0, proto=0, flags=0):  # noqa: A002
        Names.asked.append(host)
        if Names.gate is not None:
            await Names.gate.wait()
        if host not in Names.known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, type, 6, "", (address, port))
            for address in Names.known[host]
        ]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return Names


def named(server):
    return server.url.replace("127.0.0.1", "balances.test")


async def test_a_name_is_asked_for_again_by_every_connection(serve, ask, names):
    """So that one that moves is followed; a reused connection asks nobody."""
    server = await serve()
    names.known["balances.test"] = ["127.0.0.1"]
    asker = await ask(named(server), allow_http=True)
    for fresh in (False, False, True, True):
        await asker.send(fresh=fresh)
    assert names.asked == ["balances.test"] * 3
    assert server.requests[0].startswith(b"POST ")
    assert f"\r\nHost: balances.test:{server.port}\r\n".encode() in server.requests[0]


async def test_connections_that_open_at_once_share_a_question(serve, ask, names, tools):
    """Fifty lookups on a new client ask once; one that is cancelled takes it from nobody."""
    server, names.gate = await serve(), asyncio.Event()
    names.known["balances.test"] = ["127.0.0.1"]
    asker = await ask(named(server), allow_http=True)
    tasks = [asyncio.create_task(asker.send(b"%d" % number)) for number in range(50)]
    await tools.turns()
    tasks[0].cancel()
    await tools.turns()
    names.gate.set()
    answers = await asyncio.gather(*tasks[1:])
    assert [one.body for one in answers] == [b"balance of %d" % number for number in range(1, 50)]
    assert names.asked == ["balances.test"]


async def test_a_question_that_all_gave_up_leaves_nothing(serve, ask, names, tools):
    """Neither a task nor a word of an exception that nobody took."""
    names.gate = asyncio.Event()
    asker = await ask("http://balances.test:9", allow_http=True)
    task = asyncio.create_task(asker.send())
    await tools.turns()
    task.cancel()
    names.gate.set()
    await tools.turns()
    names.gate.clear()
    other = asyncio.create_task(asker.send())
    await tools.turns()
    await asker.aclose()
    with pytest.raises(SendFailed, match="closed meanwhile"):
        await other


async def test_a_failed_question_is_asked_again(serve, ask, names):
    """The next connection may have more luck."""
    server = await serve()
    asker = await ask(named(server), allow_http=True)
    with pytest.raises(SendFailed, match=r"the name of balances.test is not known: Name or"):
        await asker.send()
    names.known["balances.test"] = ["127.0.0.1"]
    assert (await asker.send()).body == b"balance of me"


async def test_the_next_address_is_tried(serve, ask, names):
    """Addresses that refuse are passed over, IPv6 and IPv4 alike."""
    server = await serve()
    names.known["balances.test"] = ["127.0.0.2", "::1", "127.0.0.1"]
    asker = await ask(named(server), allow_http=True)
    assert (await asker.send()).body == b"balance of me"


async def test_no_address_answers(ask, names, unused_port):
    """One sentence for all of them, and nothing was sent."""
    names.known["balances.test"] = ["127.0.0.2", "127.0.0.1"]
    asker = await ask(f"http://balances.test:{unused_port}", allow_http=True)
    with pytest.raises(SendFailed, match=r"no connection to balances.test:\d+: ") as caught:
        await asker.send()
    assert not caught.value.error.maybe_sent


async def test_a_name_that_is_not_answered_ends_at_the_connect_limit(ask, names):
    """Names count as a part of connecting."""
    names.gate = asyncio.Event()
    asker = await ask("http://balances.test:9", allow_http=True, timeouts=Timeouts(connect_s=0.05))
    with pytest.raises(SendFailed, match=r"no connection to balances.test:9 within 0.05 s"):
        await asker.send()


async def test_an_address_needs_no_name_server(serve, ask, names):
    """Neither of IPv4 nor of IPv6."""
    server = await serve()
    await (await ask(server)).send()
    with pytest.raises(SendFailed, match=r"no connection to \[::1\]:9: "):
        await (await ask("http://[::1]:9")).send()
    assert names.asked == []


@pytest.fixture
def unused_port():
    with socket.socket() as sock:  # bound and not listening: refuses until it is closed
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


# ── TLS ──────────────────────────────────────────────────────────────────────────────────────


class Answering(asyncio.Protocol):
    """Answers, and notes whether the connection's session was one from before."""

    resumed = ()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        tls = self.transport.get_extra_info("ssl_object")
        type(self).resumed += (tls.session_reused,)
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright")


@pytest.fixture
def serve_tls(stack):
    """Start a TLS server; what it notes is in `resumed`."""

    async def serve_tls(context):
        kind = type("Noting", (Answering,), {})
        loop = asyncio.get_running_loop()
        server = await loop.create_server(kind, "127.0.0.1", 0, ssl=context)
        kind.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        stack.callback(server.close)
        return kind

    return serve_tls


versions = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@versions
@pytest.mark.parametrize("warm", [0, 1])
async def test_a_tls_session_is_taken_up_again(serve_tls, ask, authority, version, warm):
    """The second connection's handshake is the short one, also after the first was closed."""
    context = authority.serving()
    context.maximum_version = version
    server = await serve_tls(context)
    asker = await ask(server, ca_file=authority.file, warm=warm)
    for fresh in (False, False, True, True):
        assert (await asker.send(fresh=fresh)).body == b"right"
    assert server.resumed == (False, False, True, True)


async def test_an_own_context_is_left_as_it_is(serve_tls, ask, authority):
    """It may be used elsewhere, with sessions of its own."""
    server = await serve_tls(authority.serving())
    own = ssl.create_default_context(cafile=authority.file)
    asker = await ask(server, ssl_context=own)
    for fresh in (False, True):
        await asker.send(fresh=fresh)
    assert type(own) is ssl.SSLContext
    assert server.resumed == (False, False)


async def test_a_session_does_not_excuse_a_strangers_certificate(
    serve_tls, ask, authority, stranger
):
    """A server that does not know the session has to prove itself."""
    server = await serve_tls(authority.serving())
    asker = await ask(server, ca_file=authority.file)
    await asker.send()
    imposter = await serve_tls(stranger.serving())
    port = int(imposter.url.rpartition(":")[2])
    asker.transport._dialer._port = port
    with pytest.raises(SendFailed, match=r"TLS with .* failed: ") as caught:
        await asker.send(fresh=True)
    assert caught.value.error.kind == "tls_refused"
    assert imposter.resumed == ()


async def test_a_resuming_context_checks_as_much():
    """It is the default transport's own context, under another name."""
    plain = await build_context(ca_file=None, client_cert=None)
    ours = resuming(await build_context(ca_file=None, client_cert=None))
    for name in ("verify_mode", "check_hostname", "minimum_version", "options", "verify_flags"):
        assert getattr(ours, name) == getattr(plain, name), name
    assert ours.session is None
