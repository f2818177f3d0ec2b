"""Answers that come before the request's body is written."""

import asyncio
import socket

import pytest


async def test_the_answer_may_come_before_the_body_is_written(serve, ask, tools):
    """A server that refuses early is heard, and the half-written connection is not kept."""

    async def script(peer):
        while b"\r\n\r\n" not in peer.received:
            await peer._receive()
        peer.send(tools.reply(b"too much", "Connection: close", status="413 Too Large"))
        await peer.gone()

    server = await serve(script, window=4096)
    asker = await ask(server)
    answer = await asker.send(bytes(900_000))
    assert (answer.status, answer.body) == (413, b"too much")
    await tools.turns()
    assert asker.idle == asker.taken == 0


@pytest.mark.parametrize("window", [None, 4096])
async def test_an_early_answer_on_a_kept_connection(serve, ask, tools, window):
    """Even if the server would keep it: the next request gets its own answer."""

    async def script(peer):
        while b"\r\n\r\n" not in peer.received:
            await peer._receive()
        peer.send(tools.reply(b"early", status="413 Too Large"))
        await peer.request()
        await server.answer(peer)

    server = await serve(script, window=window)
    asker = await ask(server)
    assert (await asker.send(bytes(900_000))).body == b"early"
    server.script = server.answer
    assert (await asker.send(b"second")).body == b"balance of second"


async def connect_with_little_room(factory, host, port, **_):
    """A connection whose kernel takes a few KiB to send, so that asyncio keeps the rest."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, (host, port))
    return await loop.create_connection(factory, sock=sock)


async def test_a_connection_with_any_rest_of_its_request_is_not_kept(serve, ask, tools):
    """Also one that is too small for asyncio to call it much."""

    async def script(peer):
        while b"\r\n\r\n" not in peer.received:
            await peer._receive()
        peer.send(tools.reply(b"early", status="413 Too Large"))
        await asyncio.Event().wait()

    server = await serve(script, window=4096)
    asker = await ask(server, connect=connect_with_little_room)
    assert (await asker.send(bytes(60_000))).body == b"early"
    idle = asker.idle
    server.peers[0].abort()  # or closing would wait for the rest of the request to leave
    assert idle == 0
