"""What goes by aiohttp's general client, as with a proxy, keeps the same promises.

That client writes a request one turn of the loop after it took the connection, so here a second
look is needed, at the writing.
"""

import pytest

from altcraft_balance.transport.aiohttp import AiohttpTransport
from tests.transport.strays import Scripted, each_cut, was_asked_once_on_a_new_connection
from tests.transport.test_transport_early import *  # noqa: F403
from tests.transport.test_transport_failures import *  # noqa: F403
from tests.transport.test_transport_guard import *  # noqa: F403
from tests.transport.test_transport_reuse import *  # noqa: F403

# It is no promise of this way: what it does between look and write is what the second look is for.
del test_between_the_look_and_the_write_the_loop_does_not_turn  # noqa: F821


@pytest.fixture(autouse=True)
def the_other_way_is_shut(monkeypatch):
    """Also where a test names its lane itself."""
    monkeypatch.setattr(AiohttpTransport, "_lean_way", lambda _: None)


@pytest.fixture
def lane():
    """aiohttp's alone."""
    return "aiohttp"


@each_cut
async def test_a_stray_between_taking_and_writing_is_seen(warmed_up, stray):
    """What comes after the first look is seen by the second, and nothing was written."""
    look = Scripted(False, False)
    server, asker = await warmed_up(look=look)
    server.peers[0].send(stray)
    answer = await asker.send(b"second")
    assert (answer.body, answer.reused) == (b"balance of second", False)
    assert asker.news == ["connected", "dropped_when_written", "connected"]
    assert look.calls == 4  # the new connections are looked at as well
    await server.peers[0].gone()
    assert server.peers[0].received == b""
    assert was_asked_once_on_a_new_connection(server, b"second")


async def test_the_second_look_decides_when_the_first_byte_is_written(warmed_up):
    """What the look says at the writing is obeyed."""
    server, asker = await warmed_up(look=Scripted(False, False, True))
    answer = await asker.send(b"second")
    assert (answer.body, answer.reused) == (b"balance of second", False)
    assert asker.news == ["connected", "dropped_when_written", "connected"]
    await server.peers[0].gone()
    assert server.peers[0].received == b""
    assert was_asked_once_on_a_new_connection(server, b"second")


async def test_a_connection_that_ends_between_taking_and_writing_costs_nothing(warmed_up):
    """The other end hangs up after the first look: a new connection, no failure."""
    server, asker = await warmed_up(look=Scripted(False, False))
    server.peers[0].close()
    answer = await asker.send(b"second")
    assert (answer.body, answer.reused) == (b"balance of second", False)
    assert asker.news == ["connected", "dropped_when_written", "connected"]


async def test_a_reset_between_taking_and_writing_costs_nothing(warmed_up):
    """So does one that is reset then."""
    server, asker = await warmed_up(look=Scripted(False, False))
    server.peers[0].abort()
    assert (await asker.send(b"second")).body == b"balance of second"
    assert asker.news == ["connected", "dropped_when_written", "connected"]


async def test_after_a_refusal_the_pool_is_left_alone(serve, ask):
    """A request whose connection was dropped at the writing goes to a new one, not an idle one."""
    server = await serve()
    asker = await ask(server, warm=2, look=Scripted(False, False, False, True))
    answer = await asker.send()
    assert (answer.body, answer.reused) == (b"balance of me", False)
    assert asker.news == ["connected"] * 2 + ["dropped_when_written", "connected"]
