"""Row 11: deadlines hold.

Whatever the server does, and at whatever stage, a call, an item and a run end at most 50 ms after
their deadline. aiohttp alone rounds limits above five seconds up to a whole second.

Time is virtual, except in the handshake, which the simulated network does not have. There plain
timers, from the same moment on, count how late a call is, so that a busy machine is late with both.
"""

import asyncio
import itertools
import random
import ssl
import time
from contextlib import asynccontextmanager, suppress

import aiohttp
import async_solipsism
import pytest

from altcraft_balance.errors import AltcraftBalanceError, DeadlineExceeded
from altcraft_balance.settings import Limits, RetryPolicy, Timeouts
from tests.lanes import LANES, client_over
from tests.promises import virtual

OVERRUN_S = 0.05
STEP_S = 0.005
MEMBERS = 4  # for two slots: some have to wait
SECONDS = (0.05, 0.73, 2.0, 5.01, 7.3)
SLOW_DNS = {"url": "http://altcraft.example", "allow_http": True, "connect": None}
SETTINGS = {"limits": Limits(concurrency=2), "retry": RetryPolicy(max_attempts=10_000)}


# ── what is slow ─────────────────────────────────────────────────────────────────────────────


async def silent(reader, writer):
    await reader.read(-1)


async def dripping(reader, writer):
    """A reply of a byte each 100 ms, to a request: who speaks before it is hung up on."""
    await reader.readuntil(b"}")
    await drip(writer, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b" " * 1000)


async def drip(writer, data):
    for byte in data:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.1)


async def dripping_tls(reader, writer):
    """A handshake of a byte each 100 ms: the head of a long record, and the record."""
    await drip(writer, b"\x16\x03\x03\x40\x00\x02" + bytes(16_383))


class SlowNames(async_solipsism.EventLoop):
    """A loop that never resolves a name."""

    async def getaddrinfo(self, *_, **__):
        await self.create_future()


@asynccontextmanager
async def listening(script, port):
    """A server that plays `script(reader, writer)` to whoever connects; its port."""
    tasks, writers = set(), []

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        writers.append(writer)
        with suppress(asyncio.CancelledError):  # which asyncio's streams would complain about
            await script(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)


# ── what has a deadline ──────────────────────────────────────────────────────────────────────


async def calls(client, seconds):
    """By how many seconds each of some single calls outran its deadline."""

    async def overrun(number):
        began = virtual.now()
        with pytest.raises(AltcraftBalanceError):
            await client.get_balance(virtual.member(number), deadline_s=seconds)
        return virtual.now() - began - seconds

    return await asyncio.gather(*map(overrun, range(MEMBERS)))


async def items(client, seconds):
    """The same of a batch's items, whose time begins when they are taken."""
    taken, overruns = {}, []

    def source():
        for number in range(MEMBERS):
            taken[number] = virtual.now()
            yield virtual.member(number)

    async with client.stream_balances(source(), item_deadline_s=seconds) as outcomes:
        async for outcome in outcomes:
            overruns.append(virtual.now() - taken[outcome.index] - seconds)
    assert len(overruns) == MEMBERS
    return overruns


async def runs(client, seconds):
    """The same of a whole run."""
    began, members = virtual.now(), map(virtual.member, itertools.count())
    try:
        async with client.stream_balances(members, run_deadline_s=seconds) as outcomes:
            async for outcome in outcomes:
                # Time stands still while anything runs: without this it would run for ever.
                assert outcome.index < 1000, "it fails its source's items without waiting"
    except DeadlineExceeded:
        return [virtual.now() - began - seconds]
    raise AssertionError("an endless run has ended")


@asynccontextmanager
async def both_slots_taken(client):
    """Two calls without a deadline are on the way, so that all others have to wait."""
    holders = [
        asyncio.create_task(client.get_balance(virtual.member(n), deadline_s=None)) for n in (8, 9)
    ]
    await asyncio.sleep(0.01)
    try:
        yield
    finally:
        for holder in holders:
            holder.cancel()
        await asyncio.gather(*holders, return_exceptions=True)


async def queued_calls(client, seconds):
    """The same of single calls that get no slot."""
    async with both_slots_taken(client):
        return await calls(client, seconds)


async def queued_items(client, seconds):
    """The same of a batch's items that get no slot."""
    async with both_slots_taken(client):
        return await items(client, seconds)


HAVE_DEADLINES = (calls, items, runs, queued_calls, queued_items)


def on_virtual_clock(of, seconds, *, script=silent, **settings):
    """The overruns `of` what has a deadline, past a server that plays `script`, or without DNS."""

    async def main():
        async with listening(script or silent, 8080):
            client, _ = virtual.make_client(**settings, **SETTINGS)
            async with client:
                return await of(client, seconds)

    slow_dns = script is None
    settings |= SLOW_DNS if slow_dns else {"url": "http://127.0.0.1:8080"}
    return virtual.run(main, SlowNames if slow_dns else async_solipsism.EventLoop)


def say(stated, overruns, *, exact):
    """State the row; with `exact` nothing may have ended early either, for another reason."""
    stated.came(
        tried=len(overruns),
        failed=sum(overrun > OVERRUN_S or (exact and overrun < -OVERRUN_S) for overrun in overruns),
        figure=f"largest overrun {max(0.0, *overruns) * 1000:.1f} ms",
        why=sorted(overruns),
    )


def deadlines(count):
    """The fixed ones, and random ones up to `count`."""
    rng = random.Random("deadlines")
    return [*SECONDS, *(round(rng.uniform(0.02, 20), 3) for _ in range(count - len(SECONDS)))]


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("attempt_s", [0.4, 100.0])
@pytest.mark.parametrize("what", ["silence", "a byte each 100 ms", "slow DNS"])
def test_no_deadline_is_overrun(promise, size, what, attempt_s, lane, monkeypatch):
    """Of a call, an item, a run; in one attempt, in one of many, between them, in the queue."""
    monkeypatch.setattr("aiohttp.connector.DefaultResolver", aiohttp.ThreadedResolver)
    stated = promise(11, f"deadlines hold: {what}, attempts of {attempt_s:g} s, {lane}")
    script = {"silence": silent, "a byte each 100 ms": dripping, "slow DNS": None}[what]
    limits = Timeouts(connect_s=attempt_s, attempt_s=attempt_s, deadline_s=None)
    overruns = []
    for of, seconds in itertools.product(HAVE_DEADLINES, deadlines(size(5, 200))):
        overruns += on_virtual_clock(of, seconds, script=script, timeouts=limits, lane=lane)
    say(stated, overruns, exact=attempt_s > max(SECONDS))


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("what", ["silence", "a byte each 100 ms"])
def test_no_deadline_is_overrun_in_the_handshake(promise, size, what, lane):
    """A server that never gets its handshake done holds nobody beyond the deadline."""
    stated = promise(11, f"deadlines hold: slow TLS, {what}, {lane}")
    script = silent if what == "silence" else dripping_tls
    settings = {
        "token": "sandbox-token",
        "loyalty_program_id": virtual.PROGRAM,
        "ssl_context": ssl.create_default_context(),
        "limits": Limits(concurrency=100),  # in a queue they would be told early
        "timeouts": Timeouts(connect_s=100, attempt_s=100),
    }

    async def overrun(client, seconds):
        loop, began, steps = asyncio.get_running_loop(), time.monotonic(), 0

        def step():
            nonlocal steps, timer
            steps += 1
            timer = loop.call_later(STEP_S, step)

        timer = loop.call_later(seconds, step)
        with pytest.raises(AltcraftBalanceError):
            await client.get_balance(virtual.member(1), deadline_s=seconds)
        timer.cancel()
        return min(time.monotonic() - began - seconds, max(0, steps - 1) * STEP_S)

    async def main():
        async with listening(script, 0) as port:
            url = f"https://127.0.0.1:{port}"
            async with client_over(lane, url, **settings) as client:
                seconds = [0.05 + number * size(0.02, 0.1) for number in range(size(20, 100))]
                return await asyncio.gather(*(overrun(client, each) for each in seconds))

    with asyncio.Runner(debug=False) as runner:
        say(stated, runner.run(main()), exact=True)
