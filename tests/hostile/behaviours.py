"""What a server may do wrong, as scripts for `RawServer`.

Each is `script(peer)`, or makes one. They play one connection; a client that comes again meets the
same. A server whose client has had enough just ends.
"""

import asyncio
import functools
import zlib

from tests.hostile.replies import chunked, head, reply

BALANCE = b'{"error":0,"data":{"total_balance":"1200.50","active_balance":"1000"}}'
#: Of somebody else: what no client may ever give out.
FOREIGN = b'{"error":0,"data":{"total_balance":"666","active_balance":"666"}}'


def ends_quietly(script):
    """`script`, which the client may leave at any moment."""

    @functools.wraps(script)
    async def quiet(peer):
        try:
            await script(peer)
        except OSError:
            return

    return quiet


def answers(whole=None, *, end=None):
    """Each request gets these bytes; then perhaps an end: "close", "abort" or "half_close"."""

    @ends_quietly
    async def script(peer):
        while await peer.request() is not None:
            await peer.send_all(reply(BALANCE) if whole is None else whole)
            if end is not None:
                getattr(peer, end)()
                await peer.gone()
                return

    return script


def cut(whole, at, *, end="close"):
    """The reply ends, or is reset, behind that many bytes."""
    return answers(whole[:at], end=end)


# ── out of turn ──────────────────────────────────────────────────────────────────────────────


@ends_quietly
async def stray_before_the_question(peer):
    """A reply that nobody asked for lies there before the first request."""
    await peer.send_all(reply(FOREIGN))
    await answers()(peer)


@ends_quietly
async def stray_behind_the_answer(peer):
    """One more reply comes with the answer."""
    while await peer.request() is not None:
        await peer.send_all(reply(BALANCE) + reply(FOREIGN))


@ends_quietly
async def late_408(peer):
    """The answer, and then what servers say of a connection that has been idle too long."""
    await peer.request()
    await peer.send_all(reply(BALANCE))
    await peer.send_all(reply(b"", "Connection: close", status="408 Request Timeout"))
    peer.close()


@ends_quietly
async def early_reply(peer):
    """The answer is given before the request has been read, and the connection closed."""
    await peer._receive()
    await peer.send_all(reply(BALANCE))
    peer.close()


# ── without end ──────────────────────────────────────────────────────────────────────────────


def endless(first, step):
    """`first`, and then `step` again and again; without a step, `first` to each request."""
    if not step:
        return answers(first)

    @ends_quietly
    async def script(peer):
        await peer.request()
        await peer.send_all(first)
        while True:
            await peer.send_all(step)

    return script


def drips(whole):
    """A byte in each turn of the loop."""

    @ends_quietly
    async def script(peer):
        while await peer.request() is not None:
            for byte in whole:
                await peer.send_all(bytes([byte]))
                await asyncio.sleep(0)

    return script


def gzip_bomb(mebibytes):
    """A gzip stream of so many MiB of zeros, made of one piece that repeats."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    piece = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\x02\xff" + piece * mebibytes


def gzip_members(count):
    """As many empty gzip members."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return packer.flush() * count


@functools.cache
def body_bombs():
    """Bodies that cost more than they should, by name: what comes first, and what repeats."""
    packed, chunks = "Content-Encoding: gzip", "Transfer-Encoding: chunked"
    small, large, many = gzip_bomb(60), gzip_bomb(2048), gzip_members(3000)
    return {
        "gzip, 60 KiB to 60 MiB": (head(packed, f"Content-Length: {len(small)}") + small, b""),
        "gzip to 2 GiB": (head(packed, f"Content-Length: {len(large)}") + large, b""),
        "gzip without end": (head(packed) + small, small[10:]),
        "gzip in chunks": (head(packed, chunks) + chunked(small, 4096), b""),
        "many members": (head(packed, f"Content-Length: {len(many)}") + many, b""),
        "endless chunks": (head(chunks), b"8000\r\n" + bytes(0x8000) + b"\r\n"),
        "endless small chunks": (head(chunks), (b"10\r\n" + bytes(16) + b"\r\n") * 1500),
        "endless body": (head(), bytes(0x8000)),
        "a petabyte said": (head(f"Content-Length: {10**15}"), bytes(0x8000)),
    }


HEAD_BOMBS = {
    "endless headers": (b"HTTP/1.1 200 OK\r\n", b"X-Pad: 0123456789\r\n" * 200),
    "an endless header": (b"HTTP/1.1 200 OK\r\nX-Pad: ", b"a" * 4096),
    "an endless status line": (b"HTTP/1.1 200 ", b"a" * 4096),
    "endless interim replies": (b"", head(status="100 Continue") * 200),
    "an endless chunk extension": (head("Transfer-Encoding: chunked") + b"1;", b"a" * 4096),
    "endless chunks of a byte": (head("Transfer-Encoding: chunked"), b"1\r\n{\r\n" * 700),
    "endless chunk extensions": (
        head("Transfer-Encoding: chunked"),
        b"1;aaaaaaaa\r\n{\r\n" * 300,
    ),
    "endless trailers": (
        head("Transfer-Encoding: chunked") + b"1\r\n{\r\n0\r\n",
        b"X-Pad: 0123456789\r\n" * 200,
    ),
}


# ── smuggled framing ─────────────────────────────────────────────────────────────────────────

_SIZE = len(BALANCE)
_LENGTH = f"Content-Length: {_SIZE}"
_CHUNKS = "Transfer-Encoding: chunked"
#: Framings of which two readers may think differently. Each holds a foreign reply that a client
#: which reads it the other way would take for the next answer.
SMUGGLED = {
    "two lengths": head(_LENGTH, "Content-Length: 5") + BALANCE,
    "two lengths in a line": head(f"{_LENGTH}, 5") + BALANCE,
    "length and chunks": head(_LENGTH, _CHUNKS) + chunked(BALANCE) + reply(FOREIGN),
    "chunks and length": head(_CHUNKS, _LENGTH) + chunked(BALANCE) + reply(FOREIGN),
    "chunks twice": head("Transfer-Encoding: chunked, chunked") + chunked(chunked(BALANCE)),
    "chunks not last": head("Transfer-Encoding: chunked, gzip") + chunked(BALANCE),
    "a negative length": head(f"Content-Length: -{_SIZE}") + BALANCE,
    "a length with a sign": head(f"Content-Length: +{_SIZE}") + BALANCE,
    "a length in hex": head(f"Content-Length: 0x{_SIZE:x}") + BALANCE,
    "a length of 2^64 and more": head(f"Content-Length: {2**64 + _SIZE}") + BALANCE,
    "a blank before the colon": head(f"Content-Length : {_SIZE}") + BALANCE + reply(FOREIGN),
    "a chunk size that is none": head(_CHUNKS) + b"zz\r\n" + BALANCE + b"\r\n0\r\n\r\n",
    "a negative chunk size": head(_CHUNKS) + b"-1\r\n" + BALANCE + b"\r\n0\r\n\r\n",
    "a chunk size of 2^64 and more": (
        head(_CHUNKS) + b"%x\r\n" % (2**64 + _SIZE) + BALANCE + b"\r\n0\r\n\r\n"
    ),
    "a chunk longer than it says": head(_CHUNKS) + b"5\r\n" + BALANCE + b"\r\n0\r\n\r\n",
    "obs-fold": head("X-Long: a", f" {_LENGTH}", "Content-Length: 5") + BALANCE,
    "a folded length": head(f"Content-Length:\r\n {_SIZE}") + BALANCE,
    "bare line feeds": head(_LENGTH).replace(b"\r\n", b"\n") + BALANCE,
    "a bare line feed hides a header": head(f"X-Long: a\n{_LENGTH}", "Content-Length: 5") + BALANCE,
    "a bare carriage return": head(f"X-Long: a\r{_LENGTH}") + BALANCE,
    "a NUL in a header": head("X-Long: a\0b", _LENGTH) + BALANCE,
}


# ── elsewhere ────────────────────────────────────────────────────────────────────────────────


def redirects(status, location):
    """Every request is told to go elsewhere, in all the ways there are."""
    page = f'<meta http-equiv="refresh" content="0; url={location}">'.encode()
    lines = (f"Location: {location}", f"Refresh: 0; url={location}", "Content-Type: text/html")
    return answers(reply(page, *lines, status=f"{status} Elsewhere"))


@ends_quietly
async def plain_text(peer):
    """Plain HTTP to whoever speaks first, as a server on the wrong port does."""
    await peer._receive()
    await peer.send_all(reply(BALANCE))
    await peer.gone()


async def silent(peer):
    """Nothing at all, not even a handshake."""
    await peer.gone()
