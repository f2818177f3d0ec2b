"""An output's bytes depend on its rows alone, not on how they came."""

import pytest

from altcraft_balance.refresh.desk import Desk
from altcraft_balance.refresh.outputs import Asked, Output
from altcraft_balance.refresh.port import Opening, RowSink


class Recorder(RowSink):
    """A sink that remembers what it was given between syncs."""

    def __init__(self, chunk_rows=1):
        self.chunk_rows = chunk_rows
        self.chunks, self._rows, self.calls = [], [], []

    def open(self, opening):
        self.calls.append("open")

    def write(self, rows):
        self._rows += rows

    def sync(self):
        self.chunks.append(self._rows)
        self._rows = []
        return len(self.chunks)

    def finish(self):
        self.calls.append("finish")

    def close(self):
        self.calls.append("close")

    def discard(self):
        self.calls.append("discard")


class AsyncRecorder(Recorder):
    async def write(self, rows):
        super().write(rows)

    async def sync(self):
        return super().sync()


@pytest.fixture
def desk():
    desk = Desk()
    yield desk
    desk.close()


def rows(first, last):
    return [Asked(number, [number], [["a"]]) for number in range(first, last)]


async def opened(desk, sink, *, mark=0, token=None):
    output = Output(desk, sink, lambda row: [] if row.number % 10 == 9 else [row.cells])
    await output.open(Opening(run_id="r", columns=(), token=token), mark)
    return output


@pytest.mark.parametrize("size", [1, 3, 7, 10, 25, 100])
async def test_chunks_end_at_the_same_rows_however_they_come(desk, size):
    """A sink is synced after every tenth row of the source, whatever blocks rows come in."""
    sink = Recorder(chunk_rows=10)
    output = await opened(desk, sink)
    for start in range(0, 45, size):
        await output.take(rows(start, min(start + size, 45)))
    assert (output.mark, output.token) == (40, 4)
    await output.sync()
    assert [[cells[0] for cells in chunk] for chunk in sink.chunks] == [
        [n for n in range(start, min(start + 10, 45)) if n % 10 != 9] for start in range(0, 45, 10)
    ]
    assert (output.mark, output.token) == (45, 5)


async def test_a_sink_that_may_be_cut_anywhere_is_synced_with_each_block(desk):
    """Without chunks all rows of a block are durable at its end."""
    sink = Recorder()
    output = await opened(desk, sink)
    await output.take(rows(0, 7))
    await output.take(rows(7, 8))
    assert (output.mark, len(sink.chunks)) == (8, 2)


async def test_rows_that_it_has_are_left_out(desk):
    """A run that goes on gives it from an earlier row on than it needs."""
    sink = Recorder(chunk_rows=10)
    output = await opened(desk, sink, mark=20, token=2)
    await output.take(rows(10, 20))
    await output.take(rows(15, 31))
    assert [cells[0] for cells in sink.chunks[0]] == list(range(20, 29))
    assert output.mark == 30


async def test_nothing_new_is_not_synced_twice(desk):
    """An empty output is synced once, so that it has its header; then only what is new is."""
    sink = Recorder()
    output = await opened(desk, sink)
    await output.sync()
    await output.sync()
    assert (len(sink.chunks), output.token) == (1, 1)


@pytest.mark.parametrize("kind", [Recorder, AsyncRecorder])
async def test_sinks_may_be_asynchronous(desk, kind):
    """Plain ones are called in the desk's thread, the others on the loop."""
    sink = kind(chunk_rows=2)
    output = await opened(desk, sink)
    assert output.is_on_loop == (kind is AsyncRecorder)
    await output.take(rows(0, 4))
    await output.finish()
    await output.discard()
    await output.close()
    assert (len(sink.chunks), sink.calls) == (2, ["open", "finish", "discard", "close"])
