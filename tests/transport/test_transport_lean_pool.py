"""The default transport's idle connections: how long they are kept, and which one is taken."""

import asyncio
from types import SimpleNamespace

import pytest

from altcraft_balance.transport.lean_pool import LeanPool
from tests.transport.lanes import only_aiohttp
from tests.transport.test_transport_direct_pool import answering, now

pytestmark = [
    only_aiohttp,
    pytest.mark.filterwarnings("ignore::async_solipsism.ResolutionWarning"),
]


def test_an_idle_connection_is_closed_after_fifteen_seconds(simulated):
    """Each at its own time, and one that was used meanwhile later."""
    script = answering()

    async def test(asker):
        await asker.open()
        began = now()
        await asyncio.gather(asker.send(), asker.send())
        await asyncio.sleep(10)
        await asker.send()
        await asyncio.sleep(20)
        assert asker.idle == 0
        assert [round(when - began) for when in script.ended] == [15, 25]

    simulated(script, test)


def test_one_timer_serves_all(simulated):
    """None is made for a request on a connection that lay in the pool."""

    async def test(asker):
        await asker.open()
        await asker.send()
        loop, made = asyncio.get_running_loop(), []
        real = loop.call_at
        loop.call_at = lambda *given, **more: made.append(given) or real(*given, **more)
        for _ in range(10):
            await asker.send()
        assert [given for given in made if "_end_rests" in repr(given)] == []

    simulated(answering(), test)


async def test_a_connection_that_the_server_closed_is_passed_over_in_silence(serve, ask, tools):
    """That is the end of its keep-alive, and no stray."""
    server = await serve()
    asker = await ask(server)
    await asker.send()
    server.peers[0].close()
    await tools.turns()
    assert not (await asker.send()).reused
    assert asker.news == ["connected", "connected"]


async def test_closing_closes_what_lies_there_and_what_would_come(serve, ask):
    """A reply that ends as the transport is closed leaves no connection behind."""
    server = await serve()
    asker = await ask(server)
    await asyncio.gather(asker.send(), asker.send())
    pool = asker.transport._lean.pool
    late = pool.take()
    pool.close()
    pool.lay_in(late)
    assert asker.idle == asker.taken == 0
    await asyncio.gather(*(peer.gone() for peer in server.peers))


def test_a_loop_that_fires_early_closes_what_is_due(lane):  # only the default's pool
    """Loops do, by up to their clock's resolution: else the timer would be set again and again."""
    made, closed = [], []
    loop = SimpleNamespace(
        time=lambda: 100.0, call_at=lambda when, *rest: made.append((when, *rest))
    )
    protocol = SimpleNamespace(may_be_kept=lambda: True, begin_anew=lambda: None)
    pool = LeanPool(loop, lambda _: None)
    pool.lay_in(SimpleNamespace(protocol=protocol, close=lambda: closed.append(1)))
    loop.time = lambda: 114.9999
    ((when, fire, *given),) = made
    fire(*given)
    assert (when, closed, len(made)) == (115.0, [1], 1)
