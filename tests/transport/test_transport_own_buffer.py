"""A connection is read into a buffer that stays, where the loop would make one for each read."""

import asyncio
import gc
import tracemalloc

import pytest

from altcraft_balance.transport.own_buffer import (
    PIECE_BYTES,
    OwnBuffer,
    read_into_own_buffer,
    wants_own_buffer,
)
from tests.hostile.server import RawServer
from tests.lanes import LANES
from tests.promises.hostile import client_of, outcome_of
from tests.transport.lanes import only_aiohttp

uvloop = pytest.importorskip("uvloop")

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright"


class Server(asyncio.Protocol):
    """Answers whatever comes with `REPLY`."""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(REPLY)


@pytest.fixture
def run(tools, authority):
    """Run `test(asker)` on a loop, over TLS or not."""

    def run(name, tls, test):
        async def main():
            server = await asyncio.get_running_loop().create_server(
                lambda: OwnBuffer(Server()),  # or the large objects were its own
                "127.0.0.1",
                0,
                ssl=authority.serving() if tls else None,
            )
            place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            url = f"https://{place}" if tls else f"http://{place}"
            asker = await tools.Asker(url, ca_file=authority.file if tls else None).open()
            try:
                return await test(asker)
            finally:
                await asker.aclose()
                server.close()

        with asyncio.Runner(loop_factory=LOOPS[name]) as runner:
            return runner.run(main())

    return run


@only_aiohttp
@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("name", LOOPS)
def test_no_read_makes_a_large_object(run, name, tls):
    """Every loop's own way is one of 256 KiB, except over uvloop's plain connections."""

    async def test(asker):
        await asker.send()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            for _ in range(20):
                assert (await asker.send()).reused
            return tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()

    assert run(name, tls, test) < 128 * 1024


@only_aiohttp
@pytest.mark.parametrize(
    ("name", "tls", "wanted"),
    [
        ("asyncio", False, True),
        ("asyncio", True, True),
        ("uvloop", False, False),
        ("uvloop", True, True),
    ],
)
def test_where_it_is_wanted(run, name, tls, wanted):
    """Uvloop's plain connections share a buffer, and would only be slower with one each."""

    async def test(asker):
        return wants_own_buffer(asyncio.get_running_loop(), tls=tls)

    assert run(name, tls, test) is wanted


def test_everything_is_passed_on():
    """The protocol behind it hears all that asyncio says, bytes in the order they came."""
    heard = []

    class Protocol(asyncio.Protocol):
        def __getattribute__(self, name):
            return lambda *given: heard.append((name, *given))

    buffer = OwnBuffer(Protocol())
    buffer.connection_made("a transport")
    for piece in (b"first", b"second"):
        buffer.get_buffer(-1)[: len(piece)] = piece
        buffer.buffer_updated(len(piece))
    assert len(buffer.get_buffer(-1)) == PIECE_BYTES
    buffer.pause_writing()
    buffer.resume_writing()
    buffer.eof_received()
    buffer.connection_lost(None)
    assert heard == [
        ("connection_made", "a transport"),
        ("data_received", b"first"),
        ("data_received", b"second"),
        ("pause_writing",),
        ("resume_writing",),
        ("eof_received",),
        ("connection_lost", None),
    ]


def test_a_transport_that_cannot_change_keeps_its_ways():
    """Such as one from memory, which has no reads to save."""
    read_into_own_buffer(asyncio.Transport(), asyncio.Protocol())


async def cut_short(peer):
    await peer.request()
    await peer.send_all(REPLY[:-1])
    peer.close()


@pytest.mark.parametrize("lane", LANES)
async def test_a_lost_connection_keeps_no_buffer(lane):
    """Even while nobody collects what an error's traceback holds."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        async with RawServer(cut_short) as server, client_of(lane, server.url) as client:
            errors = [await outcome_of(client) for _ in range(20)]
        taken = tracemalloc.take_snapshot().traces
        buffers = [trace for trace in taken if trace.size >= PIECE_BYTES]
    finally:
        tracemalloc.stop()
        gc.enable()
    assert {error.kind for error in errors} == {"connection_failed"}
    assert len(buffers) < 5
