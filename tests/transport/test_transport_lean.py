"""The way past aiohttp's general client: when it is taken, and what it leaves behind."""

import asyncio

import aiohttp
import pytest

from altcraft_balance.transport import lean
from altcraft_balance.transport.aiohttp import AiohttpTransport
from altcraft_balance.transport.lean import lean_hooks_present
from altcraft_balance.transport.port import SendFailed

pytestmark = pytest.mark.parametrize("lane", ["aiohttp"])


@pytest.fixture
def posted(monkeypatch):
    """How often the general client was asked."""
    calls, post = [], aiohttp.ClientSession.post
    monkeypatch.setattr(
        aiohttp.ClientSession, "post", lambda *a, **k: calls.append(1) or post(*a, **k)
    )
    return calls


async def test_a_request_goes_past_the_general_client(serve, ask, posted):
    """On a new connection, and on a pooled one."""
    asker = await ask(await serve())
    assert not (await asker.send()).reused
    assert (await asker.send()).reused
    assert not (await asker.send(fresh=True)).reused
    assert posted == []


@pytest.mark.parametrize("how", ["proxy", "trust_env"])
async def test_what_only_the_general_client_can_is_left_to_it(serve, ask, posted, how):
    """A proxy, and the environment."""
    server = await serve()
    asker = await ask(server, **({"proxy": server.url} if how == "proxy" else {"trust_env": True}))
    await asker.send()
    assert posted == [1]


async def test_both_ways_write_the_same_request(serve, ask, monkeypatch):
    """The same headers with the same values, and the same body."""
    server = await serve()
    await (await ask(server)).send(b"member")
    monkeypatch.setattr(AiohttpTransport, "_lean_way", lambda _: None)
    await (await ask(server)).send(b"member")
    heads = [raw.partition(b"\r\n\r\n") for raw in server.requests]
    lines = [head.split(b"\r\n") for head, _, _ in heads]
    assert lines[0][:2] == lines[1][:2]  # the request line, and the host
    assert sorted(lines[0]) == sorted(lines[1])
    assert [body for *_, body in heads] == [b"member"] * 2


async def test_no_task_is_made_for_a_request(serve, ask):
    """The body is written where the connection was taken."""
    asker = await ask(await serve())
    await asker.send()
    loop, made = asyncio.get_running_loop(), []
    loop.set_task_factory(lambda _, work, **options: made.append(work) or asyncio.Task(work))
    try:
        await asker.send()
    finally:
        loop.set_task_factory(None)
    assert made == []


@pytest.mark.parametrize(("size", "kept"), [(10, 1), (16_000_000, 0)])
async def test_a_connection_with_the_rest_of_a_request_is_not_kept(serve, ask, tools, size, kept):
    """A server that answers before it has read all has most of a large request still to come."""

    async def script(peer):
        while b"\r\n\r\n" not in peer.received:
            await peer._receive()
        peer.send(tools.reply(b"early", status="413 Too Large"))
        await asyncio.Event().wait()

    server = await serve(script, window=4096)
    asker = await ask(server)
    assert (await asker.send(bytes(size))).body == b"early"
    idle = asker.idle
    server.peers[0].abort()  # or closing would wait for the rest of the request to leave
    assert idle == kept


@pytest.mark.parametrize(
    ("owner", "name", "other"),
    [
        (aiohttp.BaseConnector, "connect", lambda self, req, traces: None),
        (lean.ResponseHandler, "read", lambda self, size: None),
        (lean.ResponseHandler, "set_response_params", lambda self, timer: None),
        (aiohttp.ClientRequest, "connection_key", "a text"),
    ],
)
async def test_an_aiohttp_that_has_changed_is_asked_the_general_way(
    monkeypatch, serve, ask, posted, owner, name, other
):
    """What is not documented is looked at before it is used."""
    with monkeypatch.context() as changed:
        changed.setattr(owner, name, other)
        assert not lean_hooks_present()
    assert lean_hooks_present()
    monkeypatch.setattr("altcraft_balance.transport.aiohttp.lean_hooks_present", lambda: False)
    asker = await ask(await serve())
    assert (await asker.send()).body == b"balance of me"
    assert posted == [1]


async def test_a_cancel_closes_the_connection_in_flight_and_no_other(serve, ask, tools):
    """The others are kept, and nothing stays taken."""

    async def script(peer):
        if (raw := await peer.request()) is not None and not raw.endswith(b"slow"):
            peer.send(tools.reply(b"quick"))
        await peer.gone()

    server = await serve(script)
    asker = await ask(server)
    slow = asyncio.create_task(asker.send(b"slow"))
    await server.requested(1)
    await asker.send(b"quick")
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    assert (asker.idle, asker.taken) == (1, 0)
    await server.peers[0].gone()


async def test_a_cancel_as_the_connection_comes_leaves_none(serve, ask, tools):
    """It is closed, though nothing was written on it."""
    server = await serve()
    asker = await ask(server)
    task = asyncio.create_task(asker.send())
    while not asker.news:  # noqa: ASYNC110 - each turn of the loop may bring it
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (asker.idle, asker.taken) == (0, 0)


async def test_interim_replies_without_an_end_are_given_up(serve, ask):
    """A hundred are passed over; a server that sends nothing else is not heard out."""

    async def script(peer):
        await peer.request()
        await peer.send_all(b"HTTP/1.1 102 Processing\r\n\r\n" * count + answer)
        await peer.gone()

    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright"
    asker, count = await ask(await serve(script)), 100
    assert (await asker.send()).body == b"right"
    count = 1000
    with pytest.raises(SendFailed, match="breaks HTTP"):
        await asker.send(fresh=True)
    assert asker.taken == 0
