"""The connect limit and the attempt limit, on a virtual clock."""

import asyncio

import pytest

from altcraft_balance.errors import AttemptTimeout
from altcraft_balance.transport.port import SendFailed

pytestmark = pytest.mark.filterwarnings("ignore::async_solipsism.ResolutionWarning")

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"


async def silence(reader, writer):
    await reader.read(-1)


async def never(*_, **__):
    await asyncio.get_running_loop().create_future()


async def dripping(data, writer):
    for byte in data:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.1)


async def drip_head(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    await dripping(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1000, writer)


async def drip_body(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD)
    await dripping(bytes(1000), writer)


async def drip_interim(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    while True:
        await dripping(b"HTTP/1.1 100 Continue\r\n\r\n", writer)


async def timed(asker, limit_s, *, fresh=False):
    began = asyncio.get_running_loop().time()
    with pytest.raises(SendFailed) as caught:
        await asker.send(limit_s=limit_s, fresh=fresh)
    return asyncio.get_running_loop().time() - began, caught.value


@pytest.mark.parametrize("script", [silence, drip_head, drip_body, drip_interim])
@pytest.mark.parametrize("limit_s", [0.05, 1.25, 5.01, 7.3])
def test_the_attempt_limit_is_exact(simulated, script, limit_s):
    """However the server drips, an attempt ends at its limit, also beyond five seconds."""

    async def test(asker):
        await asker.open()
        took_s, failed = await timed(asker, limit_s)
        assert took_s == pytest.approx(limit_s, abs=1e-6)
        assert isinstance(failed.error, AttemptTimeout)
        assert (failed.error.transient, failed.error.maybe_sent) == (True, True)
        assert str(failed.error) == f"no whole reply from 127.0.0.1:8080 within {limit_s:.3g} s"
        assert asker.taken == asker.idle == 0

    simulated(script, test)


@pytest.mark.parametrize("connect_s", [0.05, 3, 6.7])
def test_the_connect_limit_is_exact(simulated, connect_s):
    """A connection that does not come is given up at its limit; nothing was sent."""

    async def test(asker):
        await asker.open()
        took_s, failed = await timed(asker, 100)
        assert took_s == pytest.approx(connect_s, abs=1e-6)
        assert isinstance(failed.error, AttemptTimeout)
        assert (failed.error.transient, failed.error.maybe_sent) == (True, False)
        assert str(failed.error) == f"no connection to 127.0.0.1:8080 within {connect_s:g} s"
        assert not failed.reused
        assert asker.taken == 0

    simulated(silence, test, connect=never, connect_s=connect_s)


def test_the_attempt_limit_counts_the_connecting(simulated):
    """An attempt whose limit is shorter than the connect limit ends at its own."""

    async def test(asker):
        await asker.open()
        took_s, failed = await timed(asker, 2.5)
        assert took_s == pytest.approx(2.5, abs=1e-6)
        assert not failed.error.maybe_sent

    simulated(silence, test, connect=never)


def test_equal_limits_end_once(simulated):
    """Connect and attempt limit at the same moment: one failure, and the task is well."""

    async def test(asker):
        await asker.open()
        took_s, failed = await timed(asker, 3)
        assert took_s == pytest.approx(3, abs=1e-6)
        assert isinstance(failed.error, AttemptTimeout)
        assert asyncio.current_task().cancelling() == 0

    simulated(silence, test, connect=never)


def test_warm_connections_obey_the_connect_limit(simulated):
    """Opening ahead fails at the connect limit with the same sentence."""

    async def test(asker):
        with pytest.raises(SendFailed, match=r"no connection to .* within 3 s") as caught:
            await asker.open(warm=3)
        assert isinstance(caught.value.error, AttemptTimeout)
        assert asyncio.get_running_loop().time() == pytest.approx(3, abs=1e-6)

    simulated(silence, test, connect=never)


def test_a_limit_of_one_leaves_the_others_alone(simulated):
    """Attempts side by side with different limits each end at their own."""

    async def test(asker):
        await asker.open()
        limits = [0.5, 9.25, 3.125, 6.5]
        ends = await asyncio.gather(*(timed(asker, limit) for limit in limits))
        assert [took_s for took_s, _ in ends] == pytest.approx(limits, abs=1e-6)

    simulated(silence, test)


def test_a_foreign_cancel_at_the_limit_goes_through(simulated):
    """A cancel in the very turn in which the limit is up is a cancel."""

    async def test(asker):
        await asker.open()
        task = asyncio.create_task(asker.send(limit_s=2))
        asyncio.get_running_loop().call_at(2, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asker.taken == 0

    simulated(silence, test)


def test_a_reply_in_time_is_not_lost(simulated):
    """A reply whose last byte comes just before the limit counts."""

    async def script(reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab")
        await asyncio.sleep(1.99)
        writer.write(b"c")

    async def test(asker):
        await asker.open()
        return (await asker.send(limit_s=2)).body

    async def waits(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await script(reader, writer)

    assert simulated(waits, test) == b"abc"
