"""Answers that come before the request's body is written."""

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
