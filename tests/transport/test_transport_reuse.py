"""Connections that end, what is said of reused ones, and an aiohttp without the hooks."""

import asyncio

import pytest

from altcraft_balance.transport import guard, look
from altcraft_balance.transport.guard import hooks_present
from altcraft_balance.transport.look import has_arrived
from altcraft_balance.transport.port import SendFailed
from tests.transport.lanes import only_aiohttp
from tests.transport.strays import STRAY

# ── connections that end ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("how", ["close", "abort"])
@pytest.mark.parametrize("read", [0, 10], ids=["unread", "read"])
async def test_a_connection_that_ends_while_idle_costs_nothing(warmed_up, tools, how, read):
    """An idle connection that was closed or reset is replaced in silence."""
    server, asker = await warmed_up()
    getattr(server.peers[0], how)()
    await tools.turns(read)
    answer = await asker.send(b"second")
    assert (answer.body, answer.reused) == (b"balance of second", False)
    assert len(server.peers) == 2


async def test_a_reply_whose_connection_closes_at_once_is_whole(serve, ask, tools):
    """Data and end in one go: the reply is good, and the next request gets a new connection."""

    async def script(peer):
        body = (await peer.request()).partition(b"\r\n\r\n")[2]
        peer.send(tools.reply(tools.balance_of(body)))
        peer.close()

    server = await serve(script)
    asker = await ask(server)
    for number in range(5):
        answer = await asker.send(b"%d" % number)
        assert (answer.body, answer.reused) == (b"balance of %d" % number, False)
    assert len(server.peers) == 5


@pytest.mark.parametrize("how", ["close", "abort"])
async def test_a_new_connection_that_ends_before_it_is_used_is_a_failure(serve, ask, how):
    """A server that hangs up on whoever connects gets one connection a request, not a storm."""

    async def script(peer):
        getattr(peer, how)()

    server = await serve(script)
    asker = await ask(server)
    for number in range(1, 6):
        with pytest.raises(SendFailed) as caught:
            await asker.send()
        assert caught.value.error.transient
        assert not caught.value.reused
        assert asker.news == ["connected"] * number
    assert asker.taken == asker.idle == 0


@pytest.mark.parametrize("fresh", [False, True])
async def test_a_server_that_speaks_first_is_a_failure(serve, ask, fresh):
    """What a new connection says before it was asked is no answer, and no reason for a storm."""

    async def script(peer):
        peer.send(STRAY)
        await peer.gone()

    server = await serve(script)
    asker = await ask(server)
    with pytest.raises(SendFailed, match="before it was asked") as caught:
        await asker.send(fresh=fresh)
    assert caught.value.error.transient
    assert not caught.value.error.maybe_sent
    assert asker.news == ["connected"]
    assert server.peers[0].received == b""


# ── reused ───────────────────────────────────────────────────────────────────────────────────


async def test_a_reply_says_whether_its_connection_was_reused(serve, ask):
    """Fresh: no. Pooled: yes. Warmed: yes. Told to be fresh: no, although one is idle."""
    server = await serve()
    asker = await ask(server)
    assert [(await asker.send()).reused for _ in range(3)] == [False, True, True]
    assert not (await asker.send(fresh=True)).reused
    warm = await ask(server, warm=1)
    assert (await warm.send()).reused
    assert len(server.peers) == 3


@pytest.mark.parametrize("warm", [0, 1])
async def test_a_failure_says_whether_its_connection_was_reused(serve, ask, warm):
    """The same for a request that got no reply."""

    async def script(peer):
        await peer.request()
        peer.close()

    server = await serve(script)
    asker = await ask(server, warm=warm)
    with pytest.raises(SendFailed) as caught:
        await asker.send()
    assert caught.value.reused is bool(warm)
    assert caught.value.error.maybe_sent


@pytest.mark.parametrize("warm", [0, 1])
async def test_a_timeout_says_whether_its_connection_was_reused(serve, ask, warm):
    """And for one that ran into its limit."""

    async def script(peer):
        await peer.gone()

    server = await serve(script)
    asker = await ask(server, warm=warm)
    with pytest.raises(SendFailed) as caught:
        await asker.send(limit_s=0.02)
    assert caught.value.reused is bool(warm)
    assert (caught.value.error.kind, caught.value.error.maybe_sent) == ("attempt_timeout", True)


# ── another aiohttp ──────────────────────────────────────────────────────────────────────────


def test_this_aiohttp_has_the_hooks():
    """The guard works with the aiohttp that is installed."""
    assert hooks_present()


@only_aiohttp
@pytest.mark.parametrize(
    ("owner", "name", "other"),
    [
        ("BaseConnector", "_get", None),
        ("BaseConnector", "_release", lambda self, key, protocol: None),
        ("ResponseHandler", "data_received", lambda self, data, more: None),
        ("BytesPayload", "write_with_length", lambda self, writer: None),
        ("ResponseHandler", "should_close", True),
    ],
)
async def test_without_a_hook_each_request_has_its_own_connection(
    monkeypatch, serve, ask, owner, name, other
):
    """An aiohttp that has changed costs connections, never a wrong answer."""
    real = getattr(guard, owner)
    monkeypatch.setattr(guard, owner, type(owner, (), {**vars(real), name: other}))
    assert not hooks_present()
    monkeypatch.setattr(guard, owner, real)
    monkeypatch.setattr(guard, "hooks_present", lambda: False)
    server = await serve()
    asker = await ask(server, warm=1)
    for number in range(4):
        answer = await asker.send(b"%d" % number)
        assert (answer.body, answer.reused) == (b"balance of %d" % number, False)
    assert len(server.peers) == 5
    assert all(b"\r\nConnection: close\r\n" in raw for raw in server.requests)


@only_aiohttp
async def test_without_hooks_strays_still_reach_nobody(monkeypatch, serve, ask, tools):
    """Strays behind every reply, one connection a request: right answers."""
    monkeypatch.setattr(guard, "hooks_present", lambda: False)

    async def script(peer):
        body = (await peer.request()).partition(b"\r\n\r\n")[2]
        peer.send(tools.reply(tools.balance_of(body)) + STRAY)

    server = await serve(script)
    asker = await ask(server)
    for number in range(4):
        assert (await asker.send(b"%d" % number)).body == b"balance of %d" % number


# ── the look ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("poll", [True, False])
async def test_the_look_sees_bytes_and_ends_and_nothing_else(monkeypatch, poll):
    """Nothing there: no. A byte, an end, a closed socket, no socket: yes."""
    if not poll:
        monkeypatch.delattr(look.select, "poll")
    import socket

    class Transport:
        def __init__(self, sock):
            self.sock = sock

        def get_extra_info(self, _):
            return self.sock

    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert not has_arrived(Transport(ours))
        theirs.send(b"x")
        assert has_arrived(Transport(ours))
        ours.recv(1)
        assert not has_arrived(Transport(ours))
        theirs.close()
        assert has_arrived(Transport(ours))
        ours.close()
        assert has_arrived(Transport(ours))
    assert has_arrived(Transport(None))


async def test_a_broken_servers_connection_is_closed_before_anybody_can_take_it(serve, ask, tools):
    """When the end of its page comes late, another request must not be cut off with it."""
    page = tools.reply(b"no luck", status="500 Internal Server Error")

    async def script(peer):
        while (raw := await peer.request()) is not None:
            bad = raw.endswith(b"bad")
            peer.send(page[:-3] if bad else tools.reply(b"good"))
            await tools.turns(5)
            peer.send(page[-3:] if bad else b"")

    asker, others = await ask(await serve(script)), []
    for _ in range(20):
        bad = asyncio.create_task(asker.send(b"bad"))
        while not bad.done():
            if asker.idle:
                others.append(asyncio.create_task(asker.send(b"good")))
            await asyncio.sleep(0)
        assert (await bad).status == 500
        assert [(await other).body for other in others] == [b"good"] * len(others)
        if getattr(asker.transport, "_lean", True):  # the general client may lend it out first
            assert others == []
        others.clear()
