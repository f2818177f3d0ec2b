"""Sources that swallow a cancel end with the stream all the same, at their next item."""

import asyncio
import contextlib

import pytest

from altcraft_balance.errors import AuthenticationError, ClientClosed
from tests.batch.sources import read, read_on
from tests.session.fakes import Slow, api, make_client, member, members, ok, opened


class Swallows:
    """An endless source that hears of no cancel: as with `asyncio.wait_for` on Python 3.11."""

    def __init__(self):
        self.taken = 0

    def __aiter__(self):
        return self

    async def __anext__(self):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.01)
        self.taken += 1
        return member(self.taken - 1)


async def test_it_ends_when_the_client_closes(wire):
    """What it gave when it was cancelled is unsent."""
    source = Swallows()
    client = make_client(wire, concurrency=3)
    await client.open()
    reading = asyncio.create_task(read(client, source))
    await asyncio.sleep(0.5)
    async with asyncio.timeout(60):
        await client.aclose()
        outcomes, error = await reading
    assert isinstance(error, ClientClosed)
    assert len(outcomes) + len(error.unsent) == source.taken


async def test_it_ends_with_a_fatal_answer(wire):
    """However much of it was read ahead."""
    source = Swallows()
    wire.answer = lambda sent: Slow(1, api(401) if sent.number == 5 else ok())
    async with asyncio.timeout(60), opened(wire, concurrency=2) as client:
        outcomes, error = await read(client, source)
    assert isinstance(error, AuthenticationError)
    assert len(outcomes) + len(error.unsent) == source.taken


@pytest.mark.parametrize("read_first", [0, 1, 20])
async def test_it_ends_when_the_reader_leaves(wire, read_first):
    """The cancel of the task that reads it is not heard, but nothing more is taken."""
    source = Swallows()
    async with asyncio.timeout(60), opened(wire, concurrency=2) as client:
        async with client.stream_balances(source) as stream:
            for _ in range(read_first):
                await anext(stream)
        taken = source.taken
        await asyncio.sleep(1)
    assert source.taken == taken


async def test_a_reader_that_is_cancelled_leaves(wire):
    """Also while nobody has room for another outcome."""
    source = Swallows()
    async with asyncio.timeout(600), opened(wire, concurrency=2) as client:

        async def reader():
            async with client.stream_balances(source) as stream:
                await asyncio.Event().wait()
                await read_on(stream)

        reading = asyncio.create_task(reader())
        await asyncio.sleep(60)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await client.get_balance(members(1)[0])
