"""What goes over the wire, byte for byte, and to whom."""

import base64
import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from altcraft_balance.errors import AltcraftBalanceError, ConfigurationError
from altcraft_balance.settings import ClientSettings
from altcraft_balance.transport.port import SendFailed
from tests.strategies.examples import USUAL
from tests.transport.lanes import only_aiohttp


def lines_of(raw):
    return raw.partition(b"\r\n\r\n")[0].decode().split("\r\n")


@pytest.fixture
def clean_environment(monkeypatch, tmp_path):
    """No proxy and no .netrc but what the test makes."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    return monkeypatch


@pytest.fixture
def netrc(clean_environment, tmp_path):
    """A .netrc with a password for the loopback."""
    path = tmp_path / "netrc"
    path.write_text("machine 127.0.0.1 login me password secret\n")
    return path


async def test_a_request_byte_for_byte(serve, ask, tools):
    """One request line, the headers that are meant and no other, and the body."""
    server = await serve()
    asker = await ask(server)
    await asker.send(b'{"a":1}', {**tools.JSON, "X-Team": "loyalty"})
    assert server.requests == [
        (
            "POST /api/v1.1/loyalty/account/balance HTTP/1.1\r\n"
            f"Host: {server.host}\r\n"
            "Content-Type: application/json\r\n"
            "Accept: application/json\r\n"
            "X-Team: loyalty\r\n"
            "User-Agent: test/1\r\n"
            "Accept-Encoding: identity\r\n"
            "Content-Length: 7\r\n"
            "\r\n"
            '{"a":1}'
        ).encode()
    ]


@pytest.mark.parametrize("size", [0, 1, 2047, 2048, 65_535, 65_536, 200_000])
async def test_a_body_of_any_size_travels_whole(serve, ask, size):
    """Content-Length is the body's length, chunked is never used, and every byte arrives."""
    server = await serve()
    asker = await ask(server, max_body_bytes=1 << 20)
    body = bytes(n % 251 for n in range(size))
    for _ in range(2):
        answer = await asker.send(body)
        assert answer.body == b"balance of " + body
    head, _, sent = server.requests[1].partition(b"\r\n\r\n")
    assert sent == body
    assert f"\r\ncontent-length: {size}".encode() in head.lower()
    assert b"transfer-encoding" not in head.lower()
    assert len(server.peers) == 1


@pytest.mark.parametrize(
    ("prefix", "path"),
    [
        ("", "/api/v1.1/loyalty/account/balance"),
        ("/", "/api/v1.1/loyalty/account/balance"),
        ("/a/b/", "/a/b/api/v1.1/loyalty/account/balance"),
        ("/%7Euser", "/~user/api/v1.1/loyalty/account/balance"),
        ("/a%2Fb", "/a%2Fb/api/v1.1/loyalty/account/balance"),
    ],
)
async def test_a_path_prefix_is_kept(serve, ask, prefix, path):
    """The endpoint stands below the base URL's own path."""
    server = await serve()
    asker = await ask(server.url + prefix)
    await asker.send()
    assert lines_of(server.requests[0])[0] == f"POST {path} HTTP/1.1"


@pytest.fixture
def baking(tools):
    """A script that sets cookies with each reply."""

    async def script(peer):
        while await peer.request():
            cookies = ("Set-Cookie: a=b; Path=/", "Set-Cookie: session=1; Max-Age=9999")
            peer.send(tools.reply(b"ok", *cookies))

    return script


async def test_no_cookie_is_ever_sent(serve, ask, baking):
    """Cookies that the server sets are neither kept nor sent."""
    server = await serve(baking)
    # By name: aiohttp's own jar would not keep the cookies of a bare address either.
    asker = await ask(server.url.replace("127.0.0.1", "localhost"))
    for fresh in (False, False, True):
        await asker.send(fresh=fresh)
    assert len(server.requests) == 3
    assert not any(b"cookie" in raw.lower() for raw in server.requests)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308])
async def test_no_redirect_is_followed(serve, ask, tools, status):
    """The token goes to one host only, whatever that one says."""
    elsewhere = await serve()

    async def script(peer):
        await peer.request()
        location = f"Location: {elsewhere.url}/stolen"
        peer.send(tools.reply(b"", location, "Refresh: 0", status=f"{status} Elsewhere"))

    server = await serve(script)
    asker = await ask(server)
    answer = await asker.send()
    await tools.turns()
    assert answer.status == status
    assert answer.headers["location"] == f"{elsewhere.url}/stolen"
    assert (len(server.requests), len(elsewhere.peers)) == (1, 0)


async def test_a_replys_headers_are_read_without_case(serve, ask, tools):
    """The session asks by lower-case names, however the server wrote them."""

    async def script(peer):
        await peer.request()
        peer.send(tools.reply(b"", "RETRY-AFTER: 7", status="503 Busy"))

    asker = await ask(await serve(script))
    answer = await asker.send()
    assert answer.headers.get("retry-after") == "7"
    assert "balance" not in repr(answer)


# ── nothing is injected ──────────────────────────────────────────────────────────────────────

nasty = st.text(
    st.sampled_from("\r\n\0\t \x0b\x0c\x1c\x85\u2028:aX/@?#%\\Ж"), min_size=1, max_size=12
)


@given(nasty, st.sampled_from(["header", "name", "user_agent", "base_url", "proxy"]))
@settings(max_examples=4 * USUAL, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_settings_refuse_what_would_inject(text, where):
    """A value with CR, LF, NUL or beyond ASCII is refused, or holds none of them."""
    options = {
        "header": {"headers": {"X-Team": text}},
        "name": {"headers": {text: "x"}},
        "user_agent": {"user_agent": text},
        "base_url": {"base_url": "https://host/" + text},
        "proxy": {"proxy": "http://host:1/" + text},
    }[where]
    with contextlib.suppress(ConfigurationError):
        ClientSettings(**{"base_url": "https://host", "token": "t", **options})
        assert not set(text) & set("\r\n\0\x0b\x0c\x1c\x85\u2028")


async def test_an_odd_base_url_adds_no_line(serve, ask):
    """Whatever of a path is accepted stays in the request line."""
    for odd in ("/a%0d%0aX:%20y", "/%00", "/Ж", "/a;b=c,d", "/'\"<>", "/a:b@c"):
        server = await serve()
        try:
            asker = await ask(server.url + odd)
        except ConfigurationError:
            continue
        await asker.send()
        lines = lines_of(server.requests[0])
        assert lines[0].startswith("POST /")
        assert lines[0].endswith("/api/v1.1/loyalty/account/balance HTTP/1.1")
        assert lines[0].isascii()
        assert len(lines) == 7


# ── proxies ──────────────────────────────────────────────────────────────────────────────────


@only_aiohttp
async def test_a_proxy_gets_the_absolute_form(serve, ask):
    """A plain request through a proxy names the whole URL; the proxy is reused."""
    proxy, server = await serve(), await serve()
    asker = await ask(server, proxy=proxy.url)
    assert [(await asker.send()).reused for _ in range(2)] == [False, True]
    assert len(server.peers) == 0
    lines = lines_of(proxy.requests[1])
    assert lines[0] == f"POST {server.url}/api/v1.1/loyalty/account/balance HTTP/1.1"
    assert lines[1] == f"Host: {server.host}"


@only_aiohttp
async def test_no_cookie_is_sent_through_a_proxy(serve, ask, baking):
    """Neither the server's nor one of the proxy itself."""
    proxy = await serve(baking)
    asker = await ask("http://localhost:9", proxy=proxy.url)
    for fresh in (False, False, True):
        await asker.send(fresh=fresh)
    assert len(proxy.requests) == 3
    assert not any(b"cookie" in raw.lower() for raw in proxy.requests)


@only_aiohttp
async def test_a_proxys_password_goes_to_the_proxy(serve, ask):
    """User name and password of the proxy's URL travel in Proxy-Authorization alone."""
    proxy = await serve()
    asker = await ask(
        "http://127.0.0.1:9", proxy=proxy.url.replace("http://", "http://me:secret@"), warm=1
    )
    for _ in range(2):
        await asker.send()
    word = base64.b64encode(b"me:secret").decode()
    for raw in proxy.requests:
        assert [line for line in lines_of(raw) if "uthorization" in line] == [
            f"Proxy-Authorization: Basic {word}"
        ]
    assert len(proxy.peers) == 1


@only_aiohttp
async def test_a_proxys_407_is_a_reply(serve, ask, tools):
    """For a plain request the proxy's refusal is an HTTP status like any other."""

    async def script(peer):
        await peer.request()
        peer.send(tools.reply(b"", status="407 Proxy Authentication Required"))

    asker = await ask("http://127.0.0.1:9", proxy=(await serve(script)).url)
    assert (await asker.send()).status == 407


@only_aiohttp
@pytest.mark.parametrize(("status", "transient"), [(407, False), (403, False), (502, True)])
async def test_a_refused_tunnel_says_so(serve, ask, tools, status, transient):
    """For https the proxy's refusal is a failure with its status; nothing was sent."""

    async def script(peer):
        await peer.request()
        peer.send(tools.reply(b"no", status=f"{status} No"))
        await peer.gone()

    proxy = await serve(script)
    asker = await ask("https://secret-host.test:8443/x", proxy=proxy.url)
    with pytest.raises(SendFailed) as caught:
        await asker.send(b"the body")
    error = caught.value.error
    assert (error.kind, error.status) == ("http_status", status)
    assert (error.transient, error.maybe_sent) == (transient, False)
    assert str(error) == f"the proxy answered HTTP {status}"
    assert lines_of(proxy.requests[0])[0] == "CONNECT secret-host.test:8443 HTTP/1.1"
    assert b"the body" not in b"".join(proxy.requests) + proxy.peers[0].received
    assert len(proxy.peers) == 1
    assert asker.taken == asker.idle == 0


@only_aiohttp
async def test_a_proxy_that_breaks_the_tunnel(serve, ask):
    """A proxy that hangs up on CONNECT is a failed connection."""

    async def script(peer):
        await peer.request()
        peer.close()

    proxy = await serve(script)
    asker = await ask("https://secret-host.test", proxy=proxy.url)
    with pytest.raises(SendFailed) as caught:
        await asker.send()
    assert (caught.value.error.kind, caught.value.error.maybe_sent) == ("connection_failed", False)
    assert len(proxy.peers) == 1


@only_aiohttp
async def test_a_proxy_that_is_not_there(serve, ask, unused_port):
    """The sentence says that it was the proxy, and not its password."""
    asker = await ask("http://127.0.0.1:9", proxy=f"http://me:secret@127.0.0.1:{unused_port}")
    with pytest.raises(SendFailed, match="no connection to the proxy") as caught:
        await asker.send()
    assert "secret" not in str(caught.value.error)


@pytest.fixture
def unused_port():
    import socket

    with socket.socket() as sock:  # bound and not listening: refuses until it is closed
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


async def test_the_environment_is_not_obeyed_unless_asked(serve, ask, clean_environment, netrc):
    """Proxy variables and .netrc change nothing by default."""
    proxy, server = await serve(), await serve()
    clean_environment.setenv("http_proxy", proxy.url)
    clean_environment.setenv("HTTP_PROXY", proxy.url)
    asker = await ask(server)
    await asker.send()
    assert (len(proxy.peers), len(server.peers)) == (0, 1)
    assert b"uthorization" not in server.requests[0]


@only_aiohttp
async def test_the_environments_proxy_is_used_when_asked(serve, ask, clean_environment):
    """With `trust_env` requests go through the proxy that the environment names."""
    proxy, server = await serve(), await serve()
    clean_environment.setenv("http_proxy", proxy.url)
    asker = await ask(server, trust_env=True)
    await asker.send()
    assert (len(proxy.requests), len(server.peers)) == (1, 0)


@only_aiohttp
async def test_warm_connections_go_to_the_environments_proxy(serve, ask, clean_environment):
    """What is opened ahead is what requests will use."""
    proxy, server = await serve(), await serve()
    clean_environment.setenv("http_proxy", proxy.url)
    asker = await ask(server, trust_env=True, warm=1)
    assert (await asker.send()).reused
    assert (len(proxy.peers), len(server.peers)) == (1, 0)


@only_aiohttp
async def test_netrc_against_a_token_in_a_header(serve, ask, tools, clean_environment, netrc):
    """Two credentials for one header: the user is told, in our own error."""
    server = await serve()
    asker = await ask(server, trust_env=True)
    with pytest.raises(SendFailed, match="netrc") as caught:
        await asker.send(headers={**tools.JSON, "Authorization": "Bearer t"})
    assert isinstance(caught.value.error, ConfigurationError)
    assert isinstance(caught.value.error, AltcraftBalanceError)
    assert len(server.requests) == 0


@only_aiohttp
@pytest.mark.parametrize(
    ("option", "text"),
    [("proxy", "http://me:secret@a。。b"), ("base_url", "https://a。。b/secret")],
)
async def test_what_is_no_url_is_said_without_showing_it(ask, option, text):
    """A URL may hold a password, so that the sentence and its frames do not quote it."""
    options = {"server": "http://127.0.0.1:9"} | (
        {"server": text} if option == "base_url" else {"proxy": text}
    )
    with pytest.raises(ConfigurationError, match=f"{option} is not a URL") as caught:
        await ask(**options)
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None
