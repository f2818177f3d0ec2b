"""Every misbehaviour is done on the wire as its line in FAULTS says."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest

from altcraft_balance.sandbox import FAULTS, Sandbox
from altcraft_balance.sandbox.connection import Connection
from altcraft_balance.sandbox.faults import Draw
from altcraft_balance.sandbox.misbehaviour import MISBEHAVIOURS


@pytest.fixture
async def faulty(connect):
    """Starts a sandbox on which one fault always happens, and connects to it."""
    sandboxes = []

    async def start(name, **settings):
        sandbox = Sandbox(faults={name: 1.0}, slow_s=0.01, **settings)
        await sandbox.start()
        sandboxes.append(sandbox)
        return sandbox, await connect(sandbox)

    yield start
    for sandbox in sandboxes:
        await sandbox.stop()


def right(reply):
    return json.loads(reply.body)["error"] == 0


def test_every_fault_is_done():
    """Each fault that is listed can happen, and none besides."""
    assert set(MISBEHAVIOURS) == set(FAULTS)


async def test_latency(faulty, fields):
    """A late reply is right, and counts as such."""
    sandbox, wire = await faulty("latency")
    before = asyncio.get_running_loop().time()
    assert right(await wire.ask(fields))
    assert asyncio.get_running_loop().time() - before >= 0.009
    assert sandbox.counts == {"latency": 1, "ok": 1}


async def test_reset_before(faulty, fields):
    """A reset in place of the reply is a TCP reset, not an end of stream."""
    sandbox, wire = await faulty("reset_before")
    wire.send(fields)
    with pytest.raises(ConnectionResetError):
        await wire.reader.read()
    assert sandbox.counts == {"reset_before": 1}


@pytest.mark.parametrize("seed", range(5))
async def test_reset_inside(faulty, fields, seed):
    """Some bytes of the right reply come before the reset, and never all."""
    sandbox, wire = await faulty("reset_inside", seed=seed)
    wire.send(fields)
    got = b""
    try:
        while byte := await wire.reader.read(1):
            got += byte
    except ConnectionResetError:
        ended = "reset"
    else:
        ended = "end of stream"
    assert ended == "reset"
    assert b"HTTP/1.1 200 OK".startswith(got[:15])
    assert not got.endswith(b"}}")
    assert sandbox.counts == {"reset_inside": 1}


async def test_reset_is_either(connect, fields):
    """`reset` happens before or inside the reply, and counts under its own name."""
    async with Sandbox(faults="reset=1") as sandbox:
        for _ in range(20):
            wire = await connect(sandbox)
            wire.send(fields)
            with pytest.raises(ConnectionResetError):
                await wire.reader.read()
        assert sandbox.counts == {"reset": 20}


PAGES = [
    ("status429", 429, "text/plain", b"429 Too Many Requests\n"),
    ("status500", 500, "text/plain", b"500 Internal Server Error\n"),
    ("status503", 503, "text/html", b"<!DOCTYPE html>"),
    ("html", 200, "text/html", b"<!DOCTYPE html>"),
    ("empty", 200, "application/json", b""),
    ("app_error_200", 200, "application/json", b'{"error":500,"error_text":"Internal error"}'),
    ("app_error_4xx", 400, "application/json", b'{"error":400,"error_text":"Incorrect request"}'),
]


@pytest.mark.parametrize(("name", "status", "content_type", "start"), PAGES)
async def test_pages(faulty, fields, name, status, content_type, start):
    """In place of the reply comes another whole one, and the connection goes on."""
    sandbox, wire = await faulty(name, retry_after_s=7)
    for _ in range(2):
        reply = await wire.ask(fields)
        assert (reply.status, reply.headers["Content-Type"]) == (status, content_type)
        assert reply.body.startswith(start)
        assert bool(start) == bool(reply.body)
        retry_after = "7" if status in (429, 503) else None
        assert reply.headers.get("Retry-After") == retry_after
    assert sandbox.counts == {name: 2}


async def test_truncated(faulty, fields):
    """A truncated reply announces more than it has, and then the connection ends."""
    sandbox, wire = await faulty("truncated")
    wire.send(fields)
    with pytest.raises(asyncio.IncompleteReadError) as caught:
        await wire.receive()
    assert caught.value.partial.endswith(b"}}")
    assert sandbox.counts == {"truncated": 1}


async def test_wrong_content_type(faulty, fields):
    """The right body stands under a type that is not its own; both other types occur."""
    sandbox, wire = await faulty("wrong_content_type")
    replies = [await wire.ask(fields) for _ in range(20)]
    assert all(right(reply) for reply in replies)
    assert {reply.headers["Content-Type"] for reply in replies} == {
        "text/plain",
        "application/xml",
    }
    assert sandbox.counts == {"ok": 20, "wrong_content_type": 20}


async def test_other_format(faulty, fields, xml):
    """The right answer comes in the format that is not due, labelled as what it is."""
    _, wire = await faulty("other_format")
    reply = await wire.ask(fields)
    assert reply.body.startswith(b"<xml><error>0</error>")
    assert reply.headers["Content-Type"] == "application/xml"
    assert right(await wire.ask(xml, content_type="application/xml"))


async def test_stray(faulty, fields):
    """A second, wrong reply comes on the idle connection, and the connection goes on."""
    sandbox, wire = await faulty("stray")
    assert right(await wire.ask(fields))
    stray = json.loads((await wire.receive()).body)
    assert stray["data"] == {"total_balance": "666.66", "active_balance": "666.66"}
    assert sandbox.counts == {"ok": 1, "stray": 1}
    assert right(await wire.ask(fields))


@pytest.fixture
def timers(monkeypatch):
    """The timers of what is meant for idle connections; none of them is due today."""
    set_timers = []
    when_idle = Connection.when_idle

    def recorded(connection, delay_s, act):
        when_idle(connection, delay_s + 86_400, act)
        set_timers.append(connection._later)

    monkeypatch.setattr(Connection, "when_idle", recorded)
    return set_timers


@pytest.mark.parametrize("name", ["stray", "idle_close", "late_408"])
async def test_busy_connections_are_spared(faulty, fields, until, timers, name):
    """A request that has begun to arrive calls off what was meant for the idle connection."""
    sandbox, wire = await faulty(name)
    assert right(await wire.ask(fields))
    body = json.dumps(fields).encode()
    wire.writer.write(b"POST /api/v1.1/loyalty/account/balance HTTP/1.1\r\nHost: s\r\n")
    await until(timers[0].cancelled)
    assert sandbox.counts == {"ok": 1}
    wire.writer.write(b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
    wire.writer.write(body)
    assert right(await wire.receive())
    assert len(timers) == 2


async def test_timers_end_with_the_connection(faulty, fields, until, timers):
    """A client that leaves takes the timers with it."""
    _, wire = await faulty("stray")
    await wire.ask(fields)
    wire.writer.close()
    await until(timers[0].cancelled)


async def test_unread_bytes_count_as_arrived(faulty, fields, until, monkeypatch):
    """Bytes that the loop has not read yet keep the stray away as well."""
    looks = []

    def has_unread(connection):
        looks.append(connection)
        return True

    monkeypatch.setattr(Connection, "has_unread", has_unread)
    sandbox, wire = await faulty("stray")
    await wire.ask(fields)
    await until(lambda: looks)
    assert sandbox.counts == {"ok": 1}


async def test_has_unread(sandbox, connect, until, monkeypatch):
    """The kernel's buffer is looked at: bytes are seen before the loop has read them."""
    opened = []
    made = Connection.connection_made

    def connection_made(connection, transport):
        made(connection, transport)
        opened.append(connection)

    monkeypatch.setattr(Connection, "connection_made", connection_made)
    wire = await connect(sandbox)
    await until(lambda: opened)
    assert not opened[0].has_unread()
    wire.writer.write(b"P")  # goes to the kernel at once; nobody has read it yet
    assert opened[0].has_unread()


async def test_idle_close(faulty, fields):
    """An idle connection ends without a word."""
    sandbox, wire = await faulty("idle_close")
    reply = await wire.ask(fields)
    assert right(reply)
    assert "Connection" not in reply.headers
    assert await wire.reader.read() == b""
    assert sandbox.counts == {"ok": 1, "idle_close": 1}


async def test_late_408(faulty, fields):
    """An idle connection gets an unasked 408 that announces its end, and ends."""
    sandbox, wire = await faulty("late_408")
    assert right(await wire.ask(fields))
    reply = await wire.receive()
    assert (reply.status, reply.headers["Connection"]) == (408, "close")
    assert await wire.reader.read() == b""
    assert sandbox.counts == {"ok": 1, "late_408": 1}


async def test_a_closing_connection_has_no_afterwards(faulty, fields):
    """After a reply that ends the connection nothing more comes."""
    sandbox, wire = await faulty("stray")
    assert right(await wire.ask(fields, Connection="close"))
    assert await wire.reader.read() == b""
    assert sandbox.counts == {"ok": 1}


def test_draws_follow_the_seed():
    """The same seed gives the same faults at the given rates, and details don't disturb it."""
    rates = {"reset": 0.1, "empty": 0.3, "html": 0.0}
    one, two, other = Draw(rates, 1), Draw(rates, 1), Draw(rates, 2)
    first = []
    for _ in range(10_000):
        first.append(one())
        one.chance.random()
    assert first == [two() for _ in range(10_000)]
    assert first != [other() for _ in range(10_000)]
    counts = Counter(first)
    assert counts.keys() == {"reset", "empty", None}
    assert abs(counts["reset"] - 1000) < 150
    assert abs(counts["empty"] - 3000) < 250


async def test_faults_mix(connect, fields):
    """Of many requests each meets one fault at most, and all are accounted for."""
    async with Sandbox(faults="status500=0.2, empty=0.3", seed=3) as sandbox:
        wire = await connect(sandbox)
        for _ in range(200):
            await wire.ask(fields)
        assert sandbox.counts.total() == 200
        assert set(sandbox.counts) == {"ok", "status500", "empty"}
