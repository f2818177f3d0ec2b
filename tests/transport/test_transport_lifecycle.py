"""Opening, cancelling and closing: whatever happens, nothing is left."""

import asyncio
import gc

import pytest

from altcraft_balance.errors import ConnectionFailed
from altcraft_balance.transport.port import SendFailed
from tests.watches.leftovers import descriptors


@pytest.fixture
async def debug():
    """aiohttp and asyncio warn of what was left open only while the loop is debugged."""
    asyncio.get_running_loop().set_debug(True)


# ── opening ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("count", [0, 1, 7])
async def test_warm_connections_are_open_before_anything_is_sent(serve, ask, tools, count):
    """`open(warm=n)` makes n connections at once, and requests use them."""
    server = await serve()
    asker = await ask(server, warm=count)
    await tools.turns()
    assert (len(server.peers), asker.idle, asker.taken) == (count, count, 0)
    assert asker.news == ["connected"] * count
    answers = await asyncio.gather(*(asker.send(b"%d" % n) for n in range(count)))
    assert all(answer.reused for answer in answers)
    assert len(server.peers) == count


async def test_a_warm_connection_that_fails_leaves_nothing_open(debug, stack, tools):
    """If one of them cannot be made, opening fails and the others are closed."""
    async with tools.RawServer() as server:
        made = 0

        async def connect(factory, host, port, **_):
            nonlocal made
            made += 1
            if made == 3:
                raise ConnectionRefusedError(111, "Connection refused")
            return await asyncio.get_running_loop().create_connection(factory, host, port)

        asker = tools.Asker(server.url, connect=connect)
        with pytest.raises(SendFailed, match="Connection refused") as caught:
            await asker.open(warm=4)
        assert isinstance(caught.value.error, ConnectionFailed)
        assert (caught.value.error.maybe_sent, caught.value.reused) == (False, False)
        for number in range(3):
            await (await server.peer(number)).gone()
        assert asker.closed


async def test_opening_can_be_cancelled(debug, stack, tools):
    """A cancel while one connection hangs closes those that stand."""
    async with tools.RawServer() as server:
        hangs, made = asyncio.Event(), 0

        async def connect(factory, host, port, **_):
            nonlocal made
            made += 1
            if made == 3:
                hangs.set()
                await asyncio.Event().wait()
            return await asyncio.get_running_loop().create_connection(factory, host, port)

        asker = tools.Asker(server.url, connect=connect)
        task = asyncio.create_task(asker.open(warm=3))
        await hangs.wait()
        await server.peer(1)
        await tools.turns()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del task
        gc.collect()
        for number in range(2):
            await (await server.peer(number)).gone()


async def test_the_connection_that_was_used_last_is_taken_first(serve, ask):
    """So that those which are not needed come to rest."""
    server = await serve()
    asker = await ask(server)
    await asyncio.gather(*(asker.send() for _ in range(3)))
    for _ in range(5):
        await asker.send()
    assert sorted(len(peer.requests) for peer in server.peers) == [1, 1, 6]


# ── cancelling ───────────────────────────────────────────────────────────────────────────────

WHOLE = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nright\r\n0\r\n\r\n"


@pytest.mark.parametrize("start", ["new", "pooled", "dirty"])
@pytest.mark.parametrize("length", [10, 300_000])
async def test_a_cancel_at_any_turn_of_the_loop_leaves_nothing(
    debug, serve, ask, tools, start, length, size
):
    """A request that is cancelled after any number of turns leaves no connection half used."""
    body, ended = bytes(length), 0
    for count in range(0, 40, size(1, quick=2) if length == 10 else 5):

        async def script(peer):
            while await peer.request():
                for cut in range(0, len(WHOLE), 20):
                    peer.send(WHOLE[cut : cut + 20])
                    await asyncio.sleep(0)

        server = await serve(script, window=4096)
        asker = await ask(server)
        if start != "new":
            await asker.send()
        if start == "dirty":
            server.peers[0].send(b"HTTP/1.1 200 OK\r\n")
        task = asyncio.create_task(asker.send(body))
        await tools.turns(count)
        task.cancel()
        try:
            assert (await task).body == b"right"
            ended += 1
        except asyncio.CancelledError:
            await tools.turns(2)
        assert asker.taken == 0
        assert (await asker.send(b"next")).body == b"right"
        await asker.aclose()
    assert length > 10 or ended


async def test_a_cancelled_request_never_answers_the_next(serve, ask, tools):
    """The reply to a request that was given up reaches nobody."""
    replies = asyncio.Event()

    async def script(peer):
        while (raw := await peer.request()) is not None:
            await replies.wait()
            try:
                peer.send(tools.reply(tools.balance_of(raw.partition(b"\r\n\r\n")[2])))
            except OSError:
                return

    server = await serve(script)
    asker = await ask(server)
    for number in range(5):
        replies.clear()
        task = asyncio.create_task(asker.send(b"late %d" % number))
        await server.requested(2 * number + 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        replies.set()
        body = b"now %d" % number
        assert (await asker.send(body)).body == tools.balance_of(body)


async def test_hundreds_of_cancels_leave_no_descriptor(debug, serve, ask, tools):
    """Connections of cancelled requests are closed, not collected."""
    server = await serve()
    asker = await ask(server)
    await asker.send()
    gc.collect()
    before = len(descriptors()) - 2 * len(server.peers)
    for start in range(0, 300, 20):
        tasks = [asyncio.create_task(asker.send()) for _ in range(20)]
        await tools.turns(start % 17)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await tools.turns(3)
        for peer in server.peers[:-20]:
            peer.close()
    assert asker.taken == 0
    await asker.aclose()
    for peer in server.peers:
        peer.close()
    await tools.turns()
    gc.collect()
    assert len(descriptors()) <= before


# ── closing ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stage", ["connecting", "silent", "in the head", "in the body"])
async def test_closing_fails_what_is_on_the_wire_at_once(debug, serve, ask, tools, stage):
    """Requests under way get a ConnectionFailed within a few turns, not at their limits."""
    text = {"silent": b"", "in the head": b"HTTP/1.1 200 OK\r\nX", "connecting": b""}.get(
        stage, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"
    )

    async def script(peer):
        await peer.request()
        peer.send(text)
        await peer.gone()

    async def connect(*_, **__):
        await asyncio.Event().wait()

    server = await serve(script)
    asker = await ask(server, connect=connect if stage == "connecting" else None)
    tasks = [asyncio.create_task(asker.send(limit_s=1000)) for _ in range(5)]
    if stage != "connecting":
        await server.requested(5)
    await tools.turns()
    await asker.aclose()
    await tools.turns(3)
    assert all(task.done() for task in tasks)
    for task in tasks:
        with pytest.raises(SendFailed, match="the client was closed meanwhile") as caught:
            await task
        assert isinstance(caught.value.error, ConnectionFailed)
        assert caught.value.error.maybe_sent is (stage != "connecting")
    for peer in server.peers:
        await peer.gone()


async def test_a_foreign_cancel_while_closing_is_a_cancel(serve, ask, tools):
    """Closing does not eat the cancel of somebody else."""

    async def script(peer):
        await peer.gone()

    asker = await ask(await serve(script))
    task = asyncio.create_task(asker.send())
    await tools.turns(20)
    task.cancel()
    await asker.aclose()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_after_the_end_nothing_is_sent(serve, ask):
    """A request after closing fails like those that closing ended, and sets no timer."""
    server = await serve()
    asker = await ask(server)
    await asker.send()
    await asker.aclose()
    await asker.transport.aclose()
    with pytest.raises(SendFailed, match="the client was closed") as caught:
        await asker.send()
    assert isinstance(caught.value.error, ConnectionFailed)
    assert not caught.value.error.maybe_sent
    assert asker.sweep._timer is None
    assert len(server.requests) == 1
