"""One connection never carries a stranger's answer."""

import asyncio
import sys

import pytest

from altcraft_balance.transport import guard
from altcraft_balance.transport.guard import has_arrived, hooks_present
from altcraft_balance.transport.port import SendFailed

STRAY = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\nstray answer"
)
CUTS = {
    "one byte": STRAY[:1],
    "in the status line": STRAY[:12],
    "in the headers": STRAY[:30],
    "before the body": STRAY[:-12],
    "in the body": STRAY[:-5],
    "whole": STRAY,
    "two": STRAY * 2,
    "408": b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    "interim": b"HTTP/1.1 100 Continue\r\n\r\n",
    "no HTTP": b"\x00",
    "blank line": b"\r\n",
}
each_cut = pytest.mark.parametrize("stray", CUTS.values(), ids=CUTS)


class Scripted:
    """A look that gives these answers in turn, and then what is really there.

    An answer may be a function, called before the real look.
    """

    def __init__(self, *answers):
        self.answers, self.calls = list(answers), 0

    def __call__(self, transport):
        self.calls += 1
        answer = self.answers.pop(0) if self.answers else None
        if answer in {True, False}:
            return answer
        if answer is not None:
            answer()
        return has_arrived(transport)


@pytest.fixture
async def warmed_up(serve, ask):
    """A server and a transport with one pooled connection that has carried one exchange."""

    async def warmed_up(**options):
        server = await serve()
        asker = await ask(server, **options)
        assert not (await asker.send(b"first")).reused
        await asyncio.sleep(0)
        assert asker.idle == 1
        return server, asker

    return warmed_up


def was_asked_once_on_a_new_connection(server, body):
    """That the request went out exactly once, as the first one of the second connection."""
    old, new = server.peers
    return [raw.endswith(body) for raw in (*old.requests[1:], *new.requests)] == [True]


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
    look = Scripted(True)
    server, asker = await warmed_up(look=look)
    assert (await asker.send(b"second")).body == b"balance of second"
    assert look.calls == 1
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
async def test_a_start_of_a_second_reply_in_the_same_piece_is_seen(serve, ask, tools, read_behind):
    """However short the start of a further reply is, the connection is not used again."""
    for cut in range(1, len(STRAY)):
        server = await serve(begins_with(tools.reply(b"1st"), STRAY[:cut], STRAY[cut:], tools))
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


# ── the second look ──────────────────────────────────────────────────────────────────────────


@each_cut
async def test_a_stray_between_taking_and_writing_is_seen(warmed_up, stray):
    """What comes after the first look is seen by the second, and nothing was written."""
    look = Scripted(False)
    server, asker = await warmed_up(look=look)
    server.peers[0].send(stray)
    answer = await asker.send(b"second")
    assert (answer.body, answer.reused) == (b"balance of second", False)
    assert asker.news == ["connected", "dropped_when_written", "connected"]
    assert look.calls == 2
    await server.peers[0].gone()
    assert server.peers[0].received == b""
    assert was_asked_once_on_a_new_connection(server, b"second")


async def test_the_second_look_decides_when_the_first_byte_is_written(warmed_up):
    """What the look says at the writing is obeyed."""
    server, asker = await warmed_up(look=Scripted(False, True))
    answer = await asker.send(b"second")
    assert (answer.body, answer.reused) == (b"balance of second", False)
    assert asker.news == ["connected", "dropped_when_written", "connected"]
    await server.peers[0].gone()
    assert server.peers[0].received == b""
    assert was_asked_once_on_a_new_connection(server, b"second")


async def test_a_connection_that_ends_between_taking_and_writing_costs_nothing(warmed_up):
    """The other end hangs up after the first look: a new connection, no failure."""
    server, asker = await warmed_up(look=Scripted(False))
    server.peers[0].close()
    answer = await asker.send(b"second")
    assert (answer.body, answer.reused) == (b"balance of second", False)
    assert asker.news == ["connected", "dropped_when_written", "connected"]


async def test_a_reset_between_taking_and_writing_costs_nothing(warmed_up):
    """So does one that is reset then."""
    server, asker = await warmed_up(look=Scripted(False))
    server.peers[0].abort()
    assert (await asker.send(b"second")).body == b"balance of second"
    assert asker.news == ["connected", "dropped_when_written", "connected"]


async def test_after_a_refusal_the_pool_is_left_alone(serve, ask):
    """A request whose connection was dropped at the writing goes to a new one, not an idle one."""
    server = await serve()
    asker = await ask(server, warm=2, look=Scripted(False, True))
    answer = await asker.send()
    assert (answer.body, answer.reused) == (b"balance of me", False)
    assert asker.news == ["connected"] * 2 + ["dropped_when_written", "connected"]


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
        monkeypatch.delattr(guard.select, "poll")
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
