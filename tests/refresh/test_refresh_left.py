"""What is read or waited for is left as soon as it is needed no more."""

import asyncio

import pytest

from altcraft_balance.refresh.port import RowSink, SourceInfo
from altcraft_balance.refresh.rows.selection import FirstRows, Sample
from tests.refresh.runs import refreshed


class Query:
    """A live source of numbered members, which knows whether it is being read."""

    def __init__(self):
        self.is_open = False

    async def describe(self):
        return SourceInfo(name="numbers", columns=("email",), fingerprint="numbers", is_live=True)

    async def rows(self, skip):
        self.is_open = True
        try:
            for number in range(skip, 1_000):
                yield [f"m{number}@example.com"]
        finally:
            self.is_open = False


@pytest.mark.parametrize("part", [FirstRows(Query(), 3), Sample(Query(), 0.01)])
async def test_a_part_closes_its_source(part):
    """At its end and when it is left: a query's connection is open as long."""
    rows = part.rows(0)
    assert [row async for row in rows]
    assert not part.is_open
    rows = part.rows(0)
    await anext(rows)
    assert part.is_open
    await rows.aclose()
    assert not part.is_open


class Waiting(RowSink):
    """A sink that waits for its database when it is opened, until it is told to hurry."""

    def __init__(self, stop):
        self.stop, self.told = stop, asyncio.Event()
        self.seconds = []

    async def open(self, opening):
        self.stop.set()
        async with asyncio.timeout(10):
            await self.told.wait()

    def hurry(self, seconds):
        self.seconds.append(seconds)
        self.told.set()

    async def write(self, rows):
        """Nobody is asked about."""

    async def sync(self):
        """Nothing was written."""


async def test_a_stop_hurries_sinks_before_anybody_is_asked():
    """A database may be away when the run begins to read or to write."""
    stop = asyncio.Event()
    sink = Waiting(stop)
    summary = await refreshed(Query(), sink, stop=stop, grace_s=3)
    assert (summary.state, summary.rows) == ("stopped", 0)
    assert sink.seconds[0] == 3
