"""The same on uvloop, where it is installed."""

import asyncio

import pytest

from altcraft_balance.transport.aiohttp import AiohttpTransport
from altcraft_balance.transport.sweep import Sweep
from tests.transport.lanes import only_aiohttp

uvloop = pytest.importorskip("uvloop")

STRAY = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nstray answer"


@pytest.fixture
def run(tools):
    """Run `test(server, asker)` on uvloop."""

    def run(test, *, warm=0, **options):
        async def main():
            async with tools.RawServer() as server:
                asker = tools.Asker(server.url, **options)
                await asker.open(warm=warm)
                try:
                    await test(server, asker)
                finally:
                    await asker.aclose()

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())

    return run


def test_requests_and_replies(run):
    """Requests are answered, and connections reused."""

    async def test(server, asker):
        for number in range(5):
            answer = await asker.send(b"%d" % number)
            assert (answer.body, answer.reused) == (b"balance of %d" % number, number > 0)
        assert len(server.peers) == 1

    run(test)


@pytest.mark.parametrize("cut", [1, 20, 45, len(STRAY)])
@pytest.mark.parametrize("warm", [0, 1])
@pytest.mark.parametrize("read", [0, 10])
def test_the_first_look(run, tools, cut, warm, read):
    """A stray on an idle connection, read or not, costs a connection and no answer."""

    async def test(server, asker):
        if not warm:
            await asker.send(b"first")
        (await server.peer(0)).send(STRAY[:cut])
        await tools.turns(read)
        answer = await asker.send(b"second")
        assert (answer.body, answer.reused) == (b"balance of second", False)
        assert server.requests[warm - 1 :][-1].endswith(b"second")
        assert len(server.peers) == 2

    run(test, warm=warm)


@only_aiohttp  # the other looks once, in the step that writes
@pytest.mark.parametrize("cut", [1, 20, 45, len(STRAY)])
def test_the_second_look(run, cut, monkeypatch):
    """A stray between taking and writing too, where aiohttp's general client is asked."""
    monkeypatch.setattr(AiohttpTransport, "_lean_way", lambda _: None)
    blind = [False, False]  # of the connection that is new, and of the taking

    def look(transport):
        from altcraft_balance.transport.look import has_arrived

        return blind.pop() if blind else has_arrived(transport)

    async def test(server, asker):
        await asker.send(b"first")
        server.peers[0].send(STRAY[:cut])
        answer = await asker.send(b"second")
        assert (answer.body, answer.reused) == (b"balance of second", False)
        assert asker.news == ["connected", "dropped_when_written", "connected"]
        assert len(server.peers[0].requests) == 1

    run(test, look=look)


def test_a_limit(run):
    """A limit ends an attempt."""
    from altcraft_balance.transport.port import SendFailed

    async def test(server, asker):
        server.script = lambda peer: peer.gone()
        with pytest.raises(SendFailed, match="no whole reply"):
            await asker.send(limit_s=0.05)

    run(test)


def test_closing(run, tools):
    """Closing ends what is under way."""
    from altcraft_balance.transport.port import SendFailed

    async def test(server, asker):
        server.script = lambda peer: peer.gone()
        task = asyncio.create_task(asker.send())
        await server.peer(0)
        await tools.turns(20)
        await asker.aclose()
        with pytest.raises(SendFailed, match="closed meanwhile"):
            await task

    run(test)


def test_limits_of_less_than_a_millisecond():
    """A timer that is due at once has no time of its own there; ours does not ask it."""

    async def main():
        sweep = Sweep(asyncio.get_running_loop())

        async def limited(seconds):
            with pytest.raises(TimeoutError), sweep.within(seconds):
                await asyncio.sleep(60)

        await asyncio.gather(*(limited(0.0004 - n / 1e5) for n in range(30)))
        sweep.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
