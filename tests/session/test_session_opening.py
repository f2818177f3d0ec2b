"""Opening a client, and who may use it."""

import asyncio
import os

import pytest

from altcraft_balance.errors import (
    ClientClosed,
    ConfigurationError,
    ConnectionFailed,
)
from altcraft_balance.secret import Secret
from altcraft_balance.transport.port import SendFailed
from tests.session.fakes import (
    Wire,
    make_client,
    member,
    opened,
    used,
)

# ── who may use it ───────────────────────────────────────────────────────────────────────────


async def test_a_client_that_was_not_opened_says_how_to_open_it(wire):
    """One sentence, with the way out."""
    assert "not open: use 'async with'" in await used(make_client(wire))


async def test_a_closed_client_says_so(wire):
    """It does not open again by itself."""
    async with opened(wire) as client:
        pass
    assert "is closed: make a new" in await used(client)


async def test_a_client_opens_once(wire):
    """Neither twice at once nor again after its end."""
    client = make_client(wire)
    async with client:
        with pytest.raises(ClientClosed, match="opens once"):
            await client.open()
    with pytest.raises(ClientClosed, match="opens once"):
        await client.open()


async def test_a_client_that_was_closed_unopened_stays_closed(wire):
    """Closing is safe at any time, any number of times."""
    client = make_client(wire)
    await client.aclose()
    await client.aclose()
    assert "is closed" in await used(client)
    assert wire.closed == 0


async def test_a_client_belongs_to_its_process(wire, monkeypatch):
    """After a fork the child gets a sentence, and not the parent's connections."""
    async with opened(wire) as client:
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: -1)
            assert "another process: open one in each" in await used(client)
        await client.get_balance(member(0))
    assert len(wire.sent) == 1


def test_a_forked_child_is_refused():
    """With a real fork."""

    async def ask(client):
        try:
            await client.get_balance(member(0))
        except ClientClosed as error:
            return str(error)

    async def main():
        async with make_client(Wire()) as client:
            await client.get_balance(member(0))
            child = os.fork()
            if child:
                return os.waitpid(child, 0)[1]  # noqa: ASYNC222 - it ends at once
            coroutine = ask(client)
            try:
                coroutine.send(None)
            except StopIteration as end:
                os._exit(0 if "another process" in end.value else 1)
            os._exit(2)

    assert asyncio.run(main()) == 0


def test_a_client_belongs_to_its_loop():
    """Another loop gets a sentence, as does code without one."""

    async def main():
        async with make_client(Wire()) as client:
            sentences = []

            def elsewhere():
                sentences.append(asyncio.run(used(client)))
                with pytest.raises(ClientClosed) as caught:
                    client.stream_balances([])
                sentences.append(str(caught.value))

            await asyncio.to_thread(elsewhere)
            return sentences

    sentences = asyncio.run(main())
    assert len(sentences) == 2
    assert all("another event loop: open one on each" in sentence for sentence in sentences)


def test_a_client_may_be_made_anywhere():
    """Nothing is bound to a loop before it is opened."""
    client = make_client(wire := Wire())

    async def main():
        async with client:
            await client.get_balance(member(0))

    asyncio.run(main())
    assert len(wire.sent) == 1


# ── opening ──────────────────────────────────────────────────────────────────────────────────


async def test_open_asks_for_warm_connections(wire):
    """As many as it was told, and none by default."""
    client = make_client(wire)
    await client.open(warm=3)
    assert wire.warmed == 3
    await client.aclose()
    async with opened(other := Wire()):
        assert other.warmed == 0


async def test_a_warm_connection_that_fails_is_our_error(wire):
    """The transport's exception does not escape, and the client is closed."""
    wire.open_error = SendFailed(ConnectionFailed("nobody listens"))
    client = make_client(wire)
    with pytest.raises(ConnectionFailed, match="nobody listens") as caught:
        await client.open(warm=1)
    assert caught.value.__context__ is None
    assert client.health().state == "closed"
    assert "is closed" in await used(client)
    await client.aclose()


async def test_a_token_that_is_not_to_be_had_fails_the_opening(wire):
    """Before anything is connected."""
    client = make_client(wire, token=Secret.from_env("ALTCRAFT_NOT_SET_ANYWHERE"))
    with pytest.raises(ConfigurationError, match="ALTCRAFT_NOT_SET_ANYWHERE"):
        await client.open()
    assert wire.warmed is None
    assert "is closed" in await used(client)


async def test_a_cancelled_opening_leaves_a_closed_client(wire):
    """Nothing half open."""
    client = make_client(wire)
    opening = asyncio.create_task(client.open())
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert client.health().state == "closed"


@pytest.mark.parametrize("warm", [-1, "many", True, 1.5])
async def test_a_number_of_warm_connections_that_is_none_is_refused(wire, warm):
    """Before anything is opened."""
    with pytest.raises(ConfigurationError, match="warm must be"):
        await make_client(wire).open(warm=warm)
