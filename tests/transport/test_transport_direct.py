"""The fast lane as a whole: what it refuses, what it imports, and whom it gives replies to."""

import asyncio
import subprocess
import sys

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.settings import ClientSettings
from altcraft_balance.transport import direct
from altcraft_balance.transport.direct import DirectTransport
from altcraft_balance.transport.port import SendFailed
from tests.transport.strays import STRAY


@pytest.fixture
def lane():
    return "direct"


@pytest.mark.parametrize("wish", [{"proxy": "http://me:secret@127.0.0.1:9"}, {"trust_env": True}])
def test_what_it_lacks_is_refused(wish):
    """Proxies are not silently passed over, and the sentence says who has them."""
    settings = ClientSettings(base_url="http://127.0.0.1:9", token="t", **wish)
    with pytest.raises(ConfigurationError, match="'aiohttp'") as caught:
        DirectTransport(settings, user_agent="test/1")
    assert "secret" not in str(caught.value)


def test_without_httptools_the_extra_is_named(monkeypatch):
    """The user is told what to install."""
    monkeypatch.setattr(direct, "find_spec", lambda name: None)
    settings = ClientSettings(base_url="http://127.0.0.1:9", token="t")
    with pytest.raises(ConfigurationError, match=r"altcraft-balance\[speed\]"):
        DirectTransport(settings, user_agent="test/1")


async def test_what_is_no_url_is_said_without_showing_it(ask):
    """As over aiohttp."""
    with pytest.raises(ConfigurationError, match="base_url is not a URL") as caught:
        await ask("https://a。。b/secret")
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_aiohttp_is_not_imported():
    """Nothing on its path is, so that neither its import nor its faults are paid for."""
    parts = ("", "_dial", "_pool", "_connection", "_reply", "_headers")
    lines = [f"import altcraft_balance.transport.direct{part}" for part in parts]
    code = "\n".join([*lines, "import sys", "sys.exit('aiohttp' in sys.modules)"])
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_the_head_is_built_once_for_a_mapping(serve, ask, tools):
    """Headers that cannot change are not joined again; those that can are."""
    from types import MappingProxyType

    server = await serve()
    asker = await ask(server)
    fixed, loose = MappingProxyType({"X-Team": "a"}), {"X-Team": "a"}
    for headers in (fixed, fixed, loose):
        await asker.send(headers=headers)
    loose["X-Team"] = "b"
    await asker.send(headers=loose)
    teams = [raw.partition(b"X-Team: ")[2][:1] for raw in server.requests]
    assert teams == [b"a", b"a", b"a", b"b"]
    assert len(asker.transport._writer._heads) == 1
    for number in range(100):
        await asker.send(headers=MappingProxyType({"X-Team": str(number)}))
    assert server.requests[-1].partition(b"X-Team: ")[2].startswith(b"99\r\n")
    assert len(asker.transport._writer._heads) <= 16


@pytest.mark.parametrize("odd", ["a\r\nX: y", "a\0", "a\x85b"])
async def test_a_header_with_control_characters_is_refused(serve, ask, odd):
    """No line is added to a request, whoever made the headers; no connection is lost."""
    server = await serve()
    asker = await ask(server, warm=1)
    with pytest.raises(SendFailed, match="control characters") as caught:
        await asker.send(headers={"X-Team": odd})
    assert isinstance(caught.value.error, ConfigurationError)
    assert (asker.idle, asker.taken) == (1, 0)
    assert server.requests == []


@pytest.mark.parametrize("turns", range(4))
async def test_a_reply_that_began_before_the_request_is_nobodys(serve, ask, tools, turns):
    """On a new connection that is still being made, whenever its first bytes come."""
    sent = []

    async def connect(factory, host, port, **_):
        made = await asyncio.get_running_loop().create_connection(factory, host, port)
        peer = await server.peer(len(sent))
        peer.send(STRAY)
        sent.append(peer)
        await tools.turns(turns)
        return made

    server = await serve(lambda peer: peer.gone())
    asker = await ask(server, connect=connect)
    with pytest.raises(SendFailed, match="before it was asked") as caught:
        await asker.send(limit_s=5)
    assert not caught.value.error.maybe_sent
    assert (asker.idle, asker.taken) == (0, 0)


async def test_a_cancel_in_the_turn_of_the_reply_leaves_the_connection(serve, ask, tools):
    """The reply had come whole: the connection is clean, and may be somebody else's already."""
    server = await serve()
    asker = await ask(server)
    await asker.send()
    pool = asker.transport._pool
    real = pool.lay_in

    def lay_in(connection):
        real(connection)
        asyncio.get_running_loop().call_soon(task.cancel)  # before the reply wakes the task

    pool.lay_in = lay_in
    task = asyncio.create_task(asker.send(b"first"))
    with pytest.raises(asyncio.CancelledError):
        await task
    pool.lay_in = real
    assert asker.idle == 1
    assert (await asker.send(b"second")).body == b"balance of second"
    assert len(server.peers) == 1


async def test_a_cancelled_request_closes_its_connection_alone(serve, ask, tools):
    """What is on the wire beside it goes on."""
    go_on = asyncio.Event()

    async def script(peer):
        while (raw := await peer.request()) is not None:
            await go_on.wait()
            peer.send(tools.reply(tools.balance_of(raw.partition(b"\r\n\r\n")[2])))

    server = await serve(script)
    asker = await ask(server, warm=3)
    tasks = [asyncio.create_task(asker.send(b"%d" % number)) for number in range(3)]
    await server.requested(3)
    tasks[1].cancel()
    await tools.turns(3)
    assert (asker.idle, asker.taken) == (0, 2)
    server.script = server.answer
    go_on.set()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [getattr(one, "body", None) for one in done] == [b"balance of 0", None, b"balance of 2"]


async def test_a_reply_to_a_half_written_request_ends_the_connection(serve, ask, tools):
    """The rest of the request would stand before the next one."""

    async def script(peer):
        while b"\r\n\r\n" not in peer.received:
            await peer._receive()
        peer.send(tools.reply(b"early", status="413 Too Large"))
        await peer.gone()

    server = await serve(script, window=4096)
    asker = await ask(server)
    assert (await asker.send(bytes(9_000_000))).body == b"early"
    assert (asker.idle, asker.taken) == (0, 0)
