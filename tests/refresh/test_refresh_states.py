"""What every state keeps for a run, and what it lets go: in a folder, in SQLite, in PostgreSQL."""

from functools import partial

import pytest

from altcraft_balance.refresh.desk import Desk
from altcraft_balance.refresh.state.folder import RunFolder
from tests.refresh.databases import sink

ANSWER = ["1.50", None, "points", 123, "found", None, None, None, 1, "2026-11-26T12:00:00+00:00"]


class States:
    """Opens states of runs, one at a time: what was open before is let go."""

    def __init__(self, opened):
        self._desk, self._opened, self._last = Desk(), opened, None

    async def open(self, run_id="night"):
        await self._let_go()
        self._last = await self._desk.call(self._opened, run_id)
        return OnDesk(self._desk, self._last)

    async def checkpoint(self, run_id="night"):
        return await (await self.open(run_id)).checkpoint()

    async def _let_go(self):
        if self._last is not None:
            await self._desk.call(self._last.let_go)
            self._last = None

    async def close(self):
        await self._let_go()
        self._desk.close()


class OnDesk:
    """A state, checkpoint or spool of either kind: each of its methods can be awaited."""

    def __init__(self, desk, thing):
        self._desk, self._thing = desk, thing

    def __getattr__(self, name):
        found = getattr(self._thing, name)
        return partial(self._desk.call, found) if callable(found) else found

    async def checkpoint(self):
        return OnDesk(self._desk, await self._desk.call(self._thing.checkpoint))

    async def spool(self):
        return OnDesk(self._desk, await self._desk.call(self._thing.spool))

    async def keep(self, numbers, *, below=0, **known):
        """Commit answers to the rows of these numbers."""
        await self.commit(known, [(number, [ANSWER]) for number in numbers], below)

    async def numbers(self, first=0, last=99):
        """The rows of which there are answers."""
        return sorted(await self.answers(first, last))


@pytest.fixture(params=["folder", "sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def kind(request):
    return request.param


@pytest.fixture
async def states(kind, request, tmp_path):
    """Where runs keep their state."""
    if kind == "folder":
        states = States(partial(RunFolder, tmp_path / "state"))
    else:
        database = request.getfixturevalue("sqlite" if kind == "sqlite" else "postgres")
        states = States(sink(database).run_state)
    yield states
    await states.close()


# -- checkpoints --


async def test_what_was_committed_is_known_to_the_next_process(states):
    """The last word on the run, and all answers, whose values keep their types."""
    checkpoint = await states.checkpoint()
    assert (await checkpoint.known(), await checkpoint.last_row()) == ({}, -1)
    assert await checkpoint.numbers() == []
    await checkpoint.keep([7, 3], rows=2)
    await checkpoint.keep([], rows=3)
    await checkpoint.close()
    checkpoint = await states.checkpoint()
    assert (await checkpoint.known(), await checkpoint.last_row()) == ({"rows": 3}, 7)
    assert await checkpoint.answers(3, 7) == {3: [ANSWER], 7: [ANSWER]}
    await checkpoint.close()


async def test_the_answers_of_a_span_are_those_from_its_first_row_to_its_last(states):
    """Both included, in whichever block they lie."""
    checkpoint = await states.checkpoint()
    await checkpoint.keep([2, 4, 3])
    await checkpoint.keep([5, 7])
    for first, last in ((2, 2), (4, 5), (7, 7), (3, 6), (0, 1), (8, 9), (6, 6)):
        wanted = {2, 3, 4, 5, 7} & set(range(first, last + 1))
        assert await checkpoint.numbers(first, last) == sorted(wanted)
    await checkpoint.close()


async def test_answers_that_are_in_the_output_go(states):
    """A block whose rows are all below is kept no longer; a word on the run is, if it is the last.

    What was said without an answer goes as well: its number is below every row's.
    """
    checkpoint = await states.checkpoint()
    await checkpoint.keep([0])
    await checkpoint.keep([2, 1], below=1)
    assert await checkpoint.numbers() == [1, 2]
    await checkpoint.keep([8, 9], below=2)
    assert await checkpoint.numbers() == [1, 2, 8, 9]
    await checkpoint.keep([3], below=8, n=4)
    assert await checkpoint.numbers() == [3, 8, 9]
    await checkpoint.keep([], below=10, n=5)
    assert await checkpoint.numbers() == []
    await checkpoint.close()
    checkpoint = await states.checkpoint()
    assert await checkpoint.known() == {"n": 5}
    await checkpoint.close()


async def test_a_commit_is_whole_or_not_at_all(states):
    """When one of its answers cannot be kept, nothing of it is."""
    checkpoint = await states.checkpoint()
    await checkpoint.keep([1], n=1)
    with pytest.raises(TypeError):
        await checkpoint.keep([2], below=2, n=object())
    assert (await checkpoint.known(), await checkpoint.numbers()) == ({"n": 1}, [1])
    await checkpoint.keep([], n=3)
    await checkpoint.close()
    checkpoint = await states.checkpoint()
    assert await checkpoint.known() == {"n": 3}
    await checkpoint.close()


# -- the run --


async def test_a_finished_run_keeps_only_that(states):
    """Whatever a crash has left beside it goes when somebody asks; another run knows of nothing."""
    state = await states.open()
    checkpoint = await state.checkpoint()
    await checkpoint.keep([1], n=1)
    await checkpoint.close()
    assert await state.finished() is None
    await state.finish({"rows": 3})
    checkpoint = await states.checkpoint()
    assert (await checkpoint.known(), await checkpoint.numbers()) == ({}, [])
    await checkpoint.keep([1], n=1)
    await checkpoint.close()
    state = await states.open()
    assert await state.finished() == {"rows": 3}
    await state.tidy()
    assert await state.finished() == {"rows": 3}
    checkpoint = await states.checkpoint()
    assert await checkpoint.known() == {}
    await checkpoint.close()
    assert await (await states.open("day")).finished() is None


@pytest.mark.parametrize("how", ["forget_end", "drop"])
async def test_a_run_may_begin_anew(states, how):
    """Its end can be forgotten, or all of it."""
    state = await states.open()
    await state.finish({"rows": 3})
    checkpoint = await state.checkpoint()
    await checkpoint.keep([1], n=1)
    await checkpoint.close()
    await getattr(state, how)()
    assert await state.finished() is None
    checkpoint = await states.checkpoint()
    assert await checkpoint.known() == ({} if how == "drop" else {"n": 1})
    await checkpoint.close()


async def test_it_keeps_the_rows_of_a_source_that_is_read_once(states):
    """Until the run has finished; what was not ended is nothing."""
    state = await states.open()
    spool = await state.spool()
    await spool.begin()
    await spool.add(b"one")
    await spool.close()
    spool = await (await states.open()).spool()
    assert await spool.facts() is None
    await spool.begin()
    await spool.add(b"two")
    await spool.finish({"rows": 1})
    await spool.close()
    state = await states.open()
    spool = await state.spool()
    assert await spool.facts() == {"rows": 1}
    assert [await spool.piece(number) for number in (0, 1)] == [b"two", None]
    await spool.close()
    await state.finish({})
    spool = await (await states.open()).spool()
    assert await spool.facts() is None
    await spool.close()


async def test_it_says_where_it_is(states, kind, tmp_path):
    """For the sentences of a run that cannot go on."""
    where = (await states.open()).where
    if kind == "folder":
        assert where == str(tmp_path / "state" / "night")
    else:
        assert where.endswith(", table altcraft_balance_state")
