"""The fast lane's idle connections: how long they are kept, and which one is taken."""

import asyncio
import math
from types import SimpleNamespace

import pytest

from altcraft_balance.transport.direct_headers import ReplyHeaders
from altcraft_balance.transport.port import SendFailed
from tests.transport.lanes import only_direct
from tests.transport.strays import STRAY

pytestmark = [
    only_direct,
    pytest.mark.filterwarnings("ignore::async_solipsism.ResolutionWarning"),
]


def answering(*lines, pause_s=0.0):
    """A script that answers every request, and counts the connections in `script.ended`."""

    async def script(reader, writer):
        try:
            while True:
                await reader.readexactly(int((await reader.readuntil(b"\r\n\r\n")).split()[-1]))
                await asyncio.sleep(pause_s)
                writer.write(head)
        except (asyncio.IncompleteReadError, ConnectionError):
            script.ended.append(asyncio.get_running_loop().time())

    head = "\r\n".join(["HTTP/1.1 200 OK", *lines, "Content-Length: 0", "", ""]).encode()
    script.ended = []
    return script


def now():
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize(
    ("lines", "idle_s"),
    [
        ([], 15),
        (["Keep-Alive: timeout=5"], 4),
        (["keep-alive: max=100, Timeout=3"], 2),
        (["Keep-Alive: timeout=2.5"], 15),
        (["Keep-Alive: timeout="], 15),
        (["Keep-Alive: timeout=999999999999999999999"], 15),
        (["Keep-Alive: max=7"], 15),
    ],
)
def test_an_idle_connection_is_closed_in_time(simulated, lines, idle_s):
    """After fifteen seconds, or a second before the server would close it."""
    script = answering(*lines)

    async def test(asker):
        await asker.open()
        await asker.send()
        began = now()
        await asyncio.sleep(idle_s - 0.01)
        assert asker.idle == 1
        await asyncio.sleep(0.02)
        assert asker.idle == 0
        assert script.ended == [pytest.approx(began + idle_s, abs=0.01)]
        assert asker.news == ["connected"]

    simulated(script, test)


@pytest.mark.parametrize("timeout", [0, 1])
def test_a_connection_that_the_server_keeps_for_no_time_is_not_kept(simulated, timeout):
    """``timeout=1`` may be over before the next request arrives."""

    async def test(asker):
        await asker.open()
        for _ in range(3):
            assert not (await asker.send()).reused
        assert asker.idle == 0

    simulated(answering(f"Keep-Alive: timeout={timeout}"), test)


def test_a_warm_connection_is_closed_in_time(simulated):
    """One that was never used is no exception."""

    async def test(asker):
        await asker.open(warm=2)
        await asyncio.sleep(14.9)
        assert asker.idle == 2
        await asyncio.sleep(0.2)
        assert asker.idle == 0

    simulated(answering(), test)


def test_use_keeps_a_connection_open(simulated):
    """Its rest counts from its last reply."""

    async def test(asker):
        await asker.open()
        for number in range(20):
            assert (await asker.send(limit_s=60)).reused is (number > 0)
            await asyncio.sleep(14)

    simulated(answering(), test)


def test_a_long_limit_does_not_put_off_the_end_of_a_rest(simulated):
    """The one timer is set anew when the rest ends before the request's limit would have."""

    async def test(asker):
        await asker.open()
        await asker.send(limit_s=1000)
        await asyncio.sleep(15.1)
        assert asker.idle == 0

    simulated(answering(), test)


def test_a_short_limit_on_an_idle_connection_ends_in_time(simulated):
    """The one timer is set anew when the limit ends before the connection's rest would have."""

    async def silence(reader, writer):
        await reader.read(-1)

    async def test(asker):
        await asker.open(warm=1)
        began = now()
        with pytest.raises(SendFailed, match="no whole reply") as caught:
            await asker.send(limit_s=0.5)
        assert caught.value.reused
        assert now() - began == pytest.approx(0.5, abs=1e-6)

    simulated(silence, test)


def test_a_connection_is_not_kept_for_ever(simulated):
    """After five minutes it is closed behind a reply, so that a name that moved is noticed."""

    async def test(asker):
        await asker.open()
        reused = []
        for _ in range(45):
            reused.append((await asker.send()).reused)
            await asyncio.sleep(10)
        return [number for number, was in enumerate(reused) if not was]

    first, second = simulated(answering(), test)
    assert first == 0
    assert 30 <= second <= 32


def test_one_timer_serves_requests_and_rests(simulated):
    """A hundred exchanges cost a handful of timers."""

    async def test(asker):
        await asker.open()
        loop, made = asyncio.get_running_loop(), []
        real = loop.call_at
        loop.call_at = lambda when, *rest, **more: (
            made.append(when) if "_fire" in repr(rest) else None,
            real(when, *rest, **more),
        )[1]
        for _ in range(10):
            await asyncio.gather(*(asker.send() for _ in range(10)))
        assert len(made) <= 2

    simulated(answering(), test)


def test_connections_that_rest_side_by_side_end_together(simulated):
    """A second's worth of them costs a few timers, each of which looks at all."""

    async def test(asker):
        await asker.open()

        async def later(number):
            await asyncio.sleep(number * 0.005)
            await asker.send(limit_s=60)

        await asyncio.gather(*(later(number) for number in range(200)))
        assert asker.idle == 200
        loop, made = asyncio.get_running_loop(), []
        real = loop.call_at
        loop.call_at = lambda when, *rest, **more: (
            made.append(when) if "_fire" in repr(rest) else None,
            real(when, *rest, **more),
        )[1]
        await asyncio.sleep(16)
        assert asker.idle == 0
        assert len(made) <= 22

    simulated(answering(pause_s=2.0), test)


async def test_connections_that_end_are_not_searched_for(ask, serve):
    """With thousands of them, each would be compared with all that came before it."""

    class Compared:
        count, seasoned, retires_at, when = 0, True, math.inf, 0.0
        reader = SimpleNamespace(headers=ReplyHeaders({}), reused=True)

        def __eq__(self, other):
            Compared.count += 1
            return self is other

        __hash__ = object.__hash__

    pool = (await ask(await serve())).transport._pool
    resting = [Compared() for _ in range(100)]
    for one in resting:
        pool.lay_in(one)
    assert len(pool) == 100
    for one in resting[::-1]:
        pool.forget(one)
    assert len(pool) == Compared.count == 0


async def test_a_connection_on_which_something_comes_is_closed_at_once(serve, ask, tools):
    """Not only when it would be taken: it holds no descriptor until then."""
    server = await serve()
    asker = await ask(server, warm=1)
    (await server.peer(0)).send(STRAY)
    await server.peers[0].gone()
    assert asker.idle == 0
    assert asker.news == ["connected", "dropped_when_taken"]


async def test_a_connection_that_the_server_closed_is_forgotten_in_silence(serve, ask, tools):
    """That is the end of its keep-alive, and no stray."""
    server = await serve()
    asker = await ask(server, warm=1)
    (await server.peer(0)).close()
    await tools.turns()
    assert asker.idle == 0
    assert asker.news == ["connected"]


async def test_a_half_closed_server_is_not_asked_again(serve, ask, tools):
    """One that has said that it says no more gets no further request."""
    import socket

    async def script(peer):
        body = (await peer.request()).partition(b"\r\n\r\n")[2]
        peer.send(tools.reply(tools.balance_of(body)))
        peer.sock.shutdown(socket.SHUT_WR)
        assert await peer.request() is None

    server = await serve(script)
    asker = await ask(server)
    for number in range(3):
        answer = await asker.send(b"%d" % number)
        assert (answer.body, answer.reused) == (b"balance of %d" % number, False)
