"""One connection never carries a stranger's answer."""

import asyncio
import sys

import pytest

from altcraft_balance.transport.look import has_arrived
from altcraft_balance.transport.port import SendFailed
from tests.transport.lanes import only_aiohttp
from tests.transport.strays import (
    STRAY,
    Scripted,
    each_cut,
    was_asked_once_on_a_new_connection,
)

# ── the first look ───────────────────────────────────────────────────────────────────────────


@each_cut
async def test_a_stray_in_the_kernels_buffer_is_seen_when_a_connection_is_taken(warmed_up, stray):
    """Bytes that nobody has read yet make a connection unfit, and cost only a new one."""
    server, asker = await warmed_up()
    server.peers[0].send(stray)
    answer = await asker.send(b"second")
    assert (answer.body, answer.reused) == (b"balance of second", False)
    assert asker.news == ["connected", "dropped_when_taken", "connected"]
    assert was_asked_once_on_a_new_connection(server, b"second")


@each_cut
async def test_a_stray_that_was_read_while_idle_is_remembered(warmed_up, tools, stray):
    """Bytes that aiohttp has read and parsed on an idle connection are not forgotten."""
    server, asker = await warmed_up()
    server.peers[0].send(stray)
    await tools.turns()
    answer = await asker.send(b"second")
    assert (answer.body, answer.reused) == (b"balance of second", False)
    assert asker.news.count("dropped_when_written") == 0
    assert was_asked_once_on_a_new_connection(server, b"second")


async def test_the_first_look_decides_when_a_connection_is_taken(warmed_up):
    """What the look says at the taking is obeyed, before the request is made."""
    look = Scripted(False, True)
    server, asker = await warmed_up(look=look)
    assert (await asker.send(b"second")).body == b"balance of second"
    assert look.calls == 3  # the new ones are looked at as well
    assert asker.news == ["connected", "dropped_when_taken", "connected"]
    assert was_asked_once_on_a_new_connection(server, b"second")


async def test_a_stray_on_a_warm_connection_is_seen(serve, ask, tools):
    """A connection that was opened ahead and never used is looked at as well."""
    server = await serve()
    asker = await ask(server, warm=2)
    (await server.peer(0)).send(STRAY)
    (await server.peer(1)).send(STRAY)
    await tools.turns()
    answer = await asker.send()
    assert (answer.body, answer.reused) == (b"balance of me", False)
    assert [len(peer.requests) for peer in server.peers] == [0, 0, 1]
    assert asker.news[2:] == ["dropped_when_taken", "dropped_when_taken", "connected"]


async def test_a_stray_in_the_kernels_buffer_of_a_warm_connection_is_seen(serve, ask):
    """So is one whose stray has not been read."""
    server = await serve()
    asker = await ask(server, warm=1)
    (await server.peer(0)).send(STRAY)
    answer = await asker.send()
    assert (answer.body, answer.reused) == (b"balance of me", False)
    assert asker.news == ["connected", "dropped_when_taken", "connected"]


async def test_dirty_connections_are_passed_over_until_a_clean_one(serve, ask):
    """One dirty connection does not spoil the pool: the next idle one is taken."""
    server = await serve()
    asker = await ask(server, warm=3)
    for number in range(3):
        await server.peer(number)
    server.peers[0].send(STRAY)
    server.peers[1].send(STRAY)
    answer = await asker.send()
    assert (answer.body, answer.reused) == (b"balance of me", True)
    assert len(server.peers) == 3
    assert asker.news[3:] == ["dropped_when_taken"] * 2


# ── behind the last reply ────────────────────────────────────────────────────────────────────


def begins_with(first, stray, rest, tools):
    """A script: `first` and `stray` in one piece, and `rest` as soon as something is asked."""

    async def script(peer):
        await peer.request()
        peer.send(first + stray)
        if await peer.request():
            peer.send(rest)

    return script


async def test_a_second_reply_in_the_same_piece_ends_the_connection(serve, ask, tools):
    """A reply and another one behind it in one segment: the connection is not used again."""
    server = await serve(begins_with(tools.reply(b"first"), STRAY, b"", tools))
    asker = await ask(server)
    assert (await asker.send(b"first")).body == b"first"
    server.script = server.answer
    assert (await asker.send(b"second")).body == b"balance of second"
    assert was_asked_once_on_a_new_connection(server, b"second")


@pytest.mark.parametrize("read_behind", [0, 10], ids=["at once", "later"])
@pytest.mark.parametrize("stray", [STRAY, b"\r\n" + STRAY], ids=["alone", "behind a blank line"])
async def test_a_start_of_a_second_reply_in_the_same_piece_is_seen(
    serve, ask, tools, read_behind, stray
):
    """However short the start of a further reply is, the connection is not used again."""
    for cut in range(1, len(stray)):
        server = await serve(begins_with(tools.reply(b"1st"), stray[:cut], stray[cut:], tools))
        asker = await ask(server)
        assert (await asker.send(b"first")).body == b"1st"
        server.script = server.answer
        await tools.turns(read_behind)
        assert (await asker.send(b"second")).body == b"balance of second", cut
        assert was_asked_once_on_a_new_connection(server, b"second"), cut


async def test_a_half_interim_reply_cannot_lead_a_stray_in(serve, ask, tools):
    """A stray whose first half came with the last reply is not taken for an answer.

    Without the look behind the last reply this one is: the parser that saw the first half is
    thrown away, and the second half begins with a blank line, which parsers pass over.
    """
    half = b"HTTP/1.1 100 Continue\r\n"
    server = await serve(begins_with(tools.reply(b"first"), half, b"\r\n" + STRAY, tools))
    asker = await ask(server)
    assert (await asker.send(b"first")).body == b"first"
    server.script = server.answer
    assert (await asker.send(b"second")).body == b"balance of second"


async def test_a_stray_behind_the_second_half_of_a_reply_is_seen(serve, ask, tools):
    """A reply in two pieces, the second with a stray at its end: not used again."""
    whole = tools.reply(b"first")

    for cut in (len(STRAY), 14, 1):

        async def script(peer, cut=cut):
            await peer.request()
            peer.send(whole[:-2])
            await tools.turns()
            peer.send(whole[-2:] + STRAY[:cut])
            if await peer.request():
                peer.send(STRAY[cut:])

        server = await serve(script)
        asker = await ask(server)
        assert (await asker.send(b"first")).body == b"first"
        server.script = server.answer
        assert (await asker.send(b"second")).body == b"balance of second"
        assert was_asked_once_on_a_new_connection(server, b"second")


@pytest.mark.parametrize("pieces", [1, 2])
async def test_a_chunked_reply_leaves_a_clean_connection(serve, ask, tools, pieces):
    """The look behind the last reply does not cost honest servers their connections."""
    whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nright\r\n0\r\n\r\n"

    async def script(peer):
        while await peer.request():
            cut = len(whole) // pieces
            peer.send(whole[:cut])
            if whole[cut:]:
                await tools.turns()
                peer.send(whole[cut:])

    server = await serve(script)
    asker = await ask(server)
    for _ in range(5):
        assert (await asker.send()).body == b"right"
    assert len(server.peers) == 1


# ── from the look to the write ───────────────────────────────────────────────────────────────


async def test_between_the_look_and_the_write_the_loop_does_not_turn(warmed_up):
    """What arrives after the look has arrived after the request, for all that anybody can tell."""
    looks, written = [], []

    def look(transport):
        looks.append(transport)
        if len(looks) == 2:  # the first is at the new connection
            turned, write = [], transport.write
            transport.write = lambda data: written.append(turned[:]) or write(data)
            asyncio.get_running_loop().call_soon(turned.append, "turned")
        return has_arrived(transport)

    _, asker = await warmed_up(look=look)
    assert (await asker.send(b"second")).reused
    assert len(looks) == 2
    assert written == [[]]


@only_aiohttp
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="later aiohttp writes in the same turn")
async def test_without_looks_a_stray_would_be_taken_for_the_answer(warmed_up):
    """The danger is real: with both looks blind, aiohttp hands the stray out."""
    server, asker = await warmed_up(look=lambda _: False)
    server.peers[0].send(STRAY)
    assert (await asker.send(b"second")).body == b"stray answer"


async def test_many_strays_at_random_moments_give_no_wrong_answer(serve, ask, tools):
    """Strays before, at and after the taking: each answer is the right one, each asked once."""

    async def script(peer):
        number = 0
        while (raw := await peer.request()) is not None:
            number += 1
            peer.send(tools.reply(tools.balance_of(raw.partition(b"\r\n\r\n")[2])))
            if number % 3 == 0:
                await tools.turns(number % 7)
                peer.send(STRAY)

    server = await serve(script)
    asker = await ask(server)

    async def one(number):
        body = b"member %d" % number
        try:
            return (await asker.send(body)).body == tools.balance_of(body)
        except SendFailed as failed:  # it came after the request was written, and broke HTTP
            return failed.reused

    for start in range(0, 300, 6):
        assert all(await asyncio.gather(*(one(start + more) for more in range(6))))
