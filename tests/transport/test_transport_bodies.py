"""Replies on the wire: whole, cut, damaged, endless, or not HTTP at all."""

import asyncio
import gzip
import tracemalloc
import zlib

import pytest

from altcraft_balance.errors import ConnectionFailed, UnexpectedReply
from altcraft_balance.transport.port import RawReply, SendFailed
from tests.hostile.replies import chunked, head

TEXT = b'{"error":0,"data":{"total_balance":"1200.50","active_balance":"1000"}}'
CAP = 65_536


@pytest.fixture
def reply_with(serve, ask):
    """What a transport makes of these pieces, sent one after another; then the end, or not."""

    async def reply_with(*pieces, end=None, tools=None, **settings):
        async def script(peer):
            await peer.request()
            for number, piece in enumerate(pieces):
                if number:
                    await tools.turns()
                try:
                    await peer.send_all(piece)
                except OSError:  # the client has had enough
                    return
            if end is not None:
                getattr(peer, end)()
            await peer.gone()

        server = await serve(script)
        asker = await ask(server, **settings)
        reply_with.asker, reply_with.server = asker, server
        try:
            return await asker.send()
        except SendFailed as failed:
            assert asker.taken == 0
            return failed.error

    return reply_with


# ── whole replies ────────────────────────────────────────────────────────────────────────────

PACKED = {
    "identity": TEXT,
    "gzip": gzip.compress(TEXT, mtime=0),
    "deflate": zlib.compress(TEXT),
}


@pytest.mark.parametrize("encoding", PACKED)
@pytest.mark.parametrize("framing", ["length", "chunked", "close", "1.0 close", "1.0 keep-alive"])
async def test_a_whole_reply_comes_out(reply_with, tools, encoding, framing):
    """Whatever its framing and encoding are, the body is the same."""
    body = PACKED[encoding]
    code = f"Content-Encoding: {encoding}"
    length = f"Content-Length: {len(body)}"
    pieces, end = {
        "length": ([head(code, length), body], None),
        "chunked": ([head(code, "Transfer-Encoding: chunked"), chunked(body)], None),
        "close": ([head(code), body], "close"),
        "1.0 close": ([head(code, version="1.0"), body], "close"),
        "1.0 keep-alive": (
            [head(code, length, "Connection: keep-alive", version="1.0"), body],
            None,
        ),
    }[framing]
    answer = await reply_with(*pieces, end=end, tools=tools)
    assert (answer.status, answer.body) == (200, TEXT)
    assert reply_with.asker.idle == (end is None)


async def test_an_http_1_0_server_gets_a_new_connection_each_time(serve, ask, tools):
    """A server that does not keep connections is asked over new ones, without failures."""

    async def script(peer):
        await peer.request()
        peer.send(tools.reply(b"old", version="1.0"))
        peer.close()

    server = await serve(script)
    asker = await ask(server)
    for _ in range(3):
        answer = await asker.send()
        assert (answer.body, answer.reused) == (b"old", False)
    assert len(server.peers) == 3


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_a_reply_without_a_body_is_whole(reply_with, status):
    """Replies that have no body by their status leave a clean connection."""
    answer = await reply_with(head(status=status))
    assert answer.body == b""
    assert reply_with.asker.idle == 1


@pytest.mark.parametrize("apart", [True, False])
async def test_interim_replies_are_passed_over(reply_with, tools, apart):
    """100, 102 and 103 come before the answer and are not the answer."""
    pieces = [
        head(status="100 Continue"),
        head(status="102 Processing"),
        head("Link: </x>", status="103 Early Hints"),
        tools.reply(TEXT),
    ]
    answer = await reply_with(*(pieces if apart else [b"".join(pieces)]), tools=tools)
    assert (answer.status, answer.body) == (200, TEXT)
    assert reply_with.asker.idle == 1


async def test_a_switch_of_protocols_is_a_reply_and_an_end(reply_with):
    """101, which nobody asked for, comes out as it is; its connection is not kept."""
    asyncio.get_running_loop().set_debug(True)  # aiohttp warns of what was left open
    lines = ("Upgrade: websocket", "Connection: upgrade")
    answer = await reply_with(head(*lines, status="101 Switching Protocols") + b"junk")
    assert (answer.status, answer.body) == (101, b"")
    assert reply_with.asker.idle == reply_with.asker.taken == 0
    await reply_with.server.peers[0].gone()


# ── cuts ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("end", ["close", "abort"])
@pytest.mark.parametrize("encoding", PACKED)
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_every_cut_of_a_reply_with_a_length_is_noticed(
    reply_with, tools, encoding, framing, end
):
    """A reply that ends anywhere before its end is a failed connection that may be repeated."""
    body, code = PACKED[encoding], f"Content-Encoding: {encoding}"
    if framing == "length":
        whole = head(code, f"Content-Length: {len(body)}") + body
    else:
        whole = head(code, "Transfer-Encoding: chunked") + chunked(body, 40)
    for cut in range(0, len(whole), 1 if end == "close" else 7):
        error = await reply_with(whole[:cut], end=end, tools=tools)
        assert isinstance(error, ConnectionFailed), cut
        assert (error.transient, error.maybe_sent) == (True, True)


@pytest.mark.parametrize("encoding", PACKED)
async def test_a_cut_without_a_length_gives_no_other_text(reply_with, tools, encoding):
    """Without a length a cut is seen in the encoding; a cut plain text is a part of the text.

    JSON and XML tell that part from the whole, which is the codec's business.
    """
    whole = head(f"Content-Encoding: {encoding}") + PACKED[encoding]
    for cut in range(len(whole)):
        answer = await reply_with(whole[:cut], end="close", tools=tools)
        if isinstance(answer, RawReply):
            # A head that is cut inside is taken for whole by aiohttp's parser.
            assert TEXT.startswith(answer.body)
            assert answer.body != TEXT
        else:
            assert isinstance(answer, ConnectionFailed), cut


async def test_a_reset_in_a_reply_without_a_length_is_noticed(reply_with, tools):
    """A connection that breaks is not one that ends."""
    error = await reply_with(head() + TEXT, b"", end="abort", tools=tools)
    assert isinstance(error, ConnectionFailed)


# ── damage ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "pieces",
    {
        "not HTTP": [b"SSH-2.0-OpenSSH_9.2\r\n"],
        "binary": [bytes(range(256)) * 4],
        "version": [b"HTTP/9.9 200 OK\r\n\r\n"],
        "status": [b"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n"],
        "two lengths": [head("Content-Length: 3", "Content-Length: 4") + b"abcd"],
        "odd length": [head("Content-Length: -3") + b"abc"],
        "length and chunked": [
            head("Content-Length: 3", "Transfer-Encoding: chunked") + chunked(b"abc")
        ],
        "a header without a name": [head(": x", "Content-Length: 0")],
        "chunk": [head("Transfer-Encoding: chunked") + b"zz\r\nabc\r\n"],
        "a later chunk": [head("Transfer-Encoding: chunked") + b"3\r\nabc\r\n", b"zz\r\n"],
        "a chunk that is longer": [
            head("Transfer-Encoding: chunked") + b"3\r\nabc\r\n",
            b"3\r\nabcdef\r\n",
        ],
        "huge header": [head("X: " + "a" * 20_000, "Content-Length: 0")],
        "huge headers": [head(*(f"X-{n}: {n}" for n in range(1000)), "Content-Length: 0")],
        "huge status line": [b"HTTP/1.1 200 " + b"a" * 20_000 + b"\r\nContent-Length: 0\r\n\r\n"],
        "NUL in a header": [head("X: a\0b", "Content-Length: 0")],
        "garbage behind the body": [head("Content-Length: 3") + b"abcdef"],
    }.items(),
    ids=lambda item: item[0],
)
async def test_broken_http_is_a_failed_connection(reply_with, tools, pieces):
    """What breaks HTTP is said at once, may be repeated, and leaves no connection."""
    error = await reply_with(*pieces[1], tools=tools)
    assert isinstance(error, ConnectionFailed)
    assert (error.transient, error.maybe_sent) == (True, True)
    assert reply_with.server.host in str(error)
    assert "http://" not in str(error)
    assert reply_with.asker.idle == 0


@pytest.mark.parametrize(
    ("encoding", "body", "word"),
    [
        ("gzip", TEXT, "damaged"),
        ("gzip", gzip.compress(TEXT, mtime=0)[:-1], "cut short"),
        ("gzip", b"", "cut short"),
        ("deflate", b"\x78\x9c" + TEXT, "damaged"),
        ("br", TEXT, "'br'"),
    ],
)
async def test_a_body_that_cannot_be_decoded(reply_with, encoding, body, word):
    """It is a failed connection with the reason, which may be repeated."""
    error = await reply_with(
        head(f"Content-Encoding: {encoding}", f"Content-Length: {len(body)}") + body
    )
    assert isinstance(error, ConnectionFailed)
    assert word in str(error)
    assert (error.transient, error.maybe_sent) == (True, True)


# ── the cap ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize(
    "size", [CAP, CAP + 1, 2 * CAP - 1, 2 * CAP, 2 * CAP + 1, 200_000, 300_000]
)
async def test_the_cap_is_exact(serve, ask, tools, framing, size):
    """A body of the cap comes out; one byte more is refused; the next request is answered."""
    body = bytes(size)
    whole = {
        "length": head(f"Content-Length: {size}") + body,
        "chunked": head("Transfer-Encoding: chunked") + chunked(body, 10_000),
        "close": head() + body,
    }[framing]

    async def script(peer):
        await peer.request()
        try:
            await peer.send_all(whole)
        except OSError:
            return
        if framing == "close":
            peer.close()
        else:
            await server.answer(peer)

    server = await serve(script)
    asker = await ask(server)
    if size <= CAP:
        assert (await asker.send()).body == body
    else:
        with pytest.raises(SendFailed, match="larger than max_body_bytes") as caught:
            await asker.send()
        error = caught.value.error
        assert isinstance(error, UnexpectedReply)
        assert (error.transient, error.status, error.maybe_sent) == (False, 200, True)
    server.script = server.answer
    for _ in range(2):
        assert (await asker.send(b"next", limit_s=2)).body == b"balance of next"


@pytest.mark.parametrize(
    ("lines", "encode"),
    [
        (["Content-Encoding: gzip"], gzip.compress),
        (["Content-Encoding: deflate"], zlib.compress),
    ],
)
async def test_a_bomb_is_refused_and_costs_its_connection_nothing(reply_with, lines, encode):
    """A small body that grows beyond the cap is refused as one that was large on the wire."""
    bomb = encode(bytes(20 << 20))
    error = await reply_with(head(*lines, f"Content-Length: {len(bomb)}") + bomb)
    assert isinstance(error, UnexpectedReply)
    assert not error.transient


async def test_a_piece_beyond_the_cap_is_refused_though_no_more_comes(reply_with):
    """What is too large already is not waited for."""
    for start in (head("Transfer-Encoding: chunked") + b"20000\r\n", head()):
        error = await reply_with(start + bytes(CAP + 1))
        assert isinstance(error, UnexpectedReply)


@pytest.mark.parametrize("kind", ["endless chunks", "endless body", "long", "small chunks", "bomb"])
async def test_what_has_no_end_costs_no_more_than_the_cap(serve, ask, tools, thread_cpu, kind):
    """Endless bodies: refused at the cap, with at most 1 MiB more memory and 30 ms of CPU."""
    step = {
        "endless chunks": b"8000\r\n" + bytes(0x8000) + b"\r\n",
        "endless body": bytes(0x8000),
        "long": b"",
        "small chunks": (b"10\r\n" + bytes(16) + b"\r\n") * 1500,
        "bomb": gzip.compress(bytes(8 << 20)),
    }[kind]
    first = {
        "endless chunks": head("Transfer-Encoding: chunked"),
        "endless body": head(),
        "long": head(f"Content-Length: {10**15}"),
        "small chunks": head("Transfer-Encoding: chunked"),
        "bomb": head("Content-Encoding: gzip"),
    }[kind]

    async def script(peer):
        try:
            await peer.request()
            await peer.send_all(first)
            while step:
                await peer.send_all(step)
        except OSError:
            return
        await peer.gone()

    asker = await ask(await serve(script))

    async def refused():
        with pytest.raises(SendFailed, match="larger than max_body_bytes"):
            await asker.send(limit_s=5)

    await refused()  # what is imported and cached at first use is not the reply's cost
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        await refused()
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20
    with thread_cpu(limit_s=0.03):  # the server's part, in the same thread, included
        await refused()
    assert asker.taken == 0


PAGE = bytes(CAP + 1)


@pytest.mark.parametrize("status", ["302 Found", "401 No", "404 Not Found", "429 Slow", "503 Bad"])
@pytest.mark.parametrize(
    "page",
    [
        head("Retry-After: 7", f"Content-Length: {len(PAGE)}", status="{}") + PAGE,
        head("Retry-After: 7", "Content-Encoding: br", "Content-Length: 3", status="{}") + b"abc",
    ],
    ids=["too large", "unknown encoding"],
)
async def test_a_page_that_cannot_be_read_does_not_hide_its_status(reply_with, status, page):
    """Whether to stop, pause or repeat is in the status and headers, which are kept."""
    raw = await reply_with(page.replace(b"{}", status.encode()))
    assert isinstance(raw, RawReply)
    assert (raw.status, raw.body) == (int(status[:3]), b"")
    assert raw.headers.get("retry-after") == "7"
