"""Sources that remember how they were read, and readers that bring a stream's end home."""

import asyncio

import pytest

from tests.session.fakes import member, number_of


class Source:
    """An iterator, plain or not, that remembers how far it was read and whether it was closed.

    Args:
        items: what it gives.
        fails_at: raises at this index, and would go on after it, as `map` does.
    """

    def __init__(self, items, fails_at=None, error=None):
        self.items, self.fails_at, self.error = items, fails_at, error or ValueError("bad row")
        self.taken, self.closed = 0, False

    def __iter__(self):
        return self

    def __next__(self):
        if self.taken == len(self.items):
            raise StopIteration
        index, self.taken = self.taken, self.taken + 1
        if index == self.fails_at:
            raise self.error
        return self.items[index]

    def close(self):
        self.closed = True


class AsyncSource:
    """The same, asynchronous, with a turn of the loop before each item."""

    def __init__(self, items, fails_at=None, error=None):
        self.plain = Source(items, fails_at, error)
        self.pulls = 0

    def __aiter__(self):
        return self

    async def __anext__(self):
        self.pulls += 1
        assert self.pulls == 1, "the source was pulled by two at once"
        try:
            await asyncio.sleep(0)
            return next(self.plain)
        except StopIteration:
            raise StopAsyncIteration from None
        finally:
            self.pulls -= 1

    @property
    def taken(self):
        return self.plain.taken

    @property
    def closed(self):
        return self.plain.closed

    async def aclose(self):
        self.plain.close()


class Counted:
    """An endless source, plain or async, that knows how much of it was taken."""

    def __init__(self):
        self.taken, self.inside = 0, 0

    def plain(self):
        while True:
            self.taken += 1
            yield member(self.taken - 1)

    async def slow(self):
        for item in self.plain():
            await asyncio.sleep(0.001)
            yield item


SOURCES = pytest.mark.parametrize("make_source", [Source, AsyncSource])
ORDERS = pytest.mark.parametrize("ordered", [False, True], ids=["as they come", "ordered"])


async def read(client, source, **options):
    """All outcomes, and the error that ended the stream."""
    async with client.stream_balances(source, **options) as stream:
        return await read_on(stream)


async def read_on(stream):
    """What is left of a stream, and the error that ended it."""
    outcomes, error = [], None
    try:
        async for outcome in stream:
            outcomes.append(outcome)
    except Exception as caught:
        error = caught
    assert not stream._workers
    # After its end a stream gives nothing more, and raises nothing again.
    assert [outcome async for outcome in stream] == []
    return outcomes, error


def accounted(source, outcomes, error):
    """Each item that was taken is an outcome or unsent, once; the unsent ones are in order."""
    unsent = [number_of(query) for query in error.unsent]
    assert unsent == sorted(unsent)
    ended = [outcome.index for outcome in outcomes]
    assert sorted(ended + unsent) == list(range(source.taken))
    return set(unsent)
