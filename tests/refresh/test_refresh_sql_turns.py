"""Whose run it is: one process has it at a time, a new one begins anew, an old one is not lost."""

import asyncio

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh import spooled
from altcraft_balance.refresh.files.csv_file import CsvSink
from altcraft_balance.refresh.sql.checkpoint import SqlCheckpoint
from altcraft_balance.refresh.sql.spool import SqlSpool
from altcraft_balance.refresh.sql.state import SqlState
from tests.refresh.databases import balances, sink, source, states, with_members
from tests.refresh.runs import Platform, refreshed

ROWS = 2_500  # of which the source gives 1,000 at once


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    monkeypatch.setattr(spooled, "PIECE_ROWS", 500)


@pytest.fixture
def begun(database):
    """A database with members."""
    return with_members(database, 300)


class Killed(Exception):
    """The process is gone."""


def killed_at(monkeypatch, cls, method, number=1):
    """The process dies when that method is called for the `number`-th time."""
    genuine, calls = getattr(cls, method), []

    async def call(self, *arguments):
        calls.append(1)
        if len(calls) == number:
            raise Killed
        return await genuine(self, *arguments)

    monkeypatch.setattr(cls, method, call)


async def nothing(self):
    """Done."""


async def broken_off(monkeypatch, begun, platform=None, *, after=3, **arguments):
    """A night that was killed when some blocks were committed."""
    with monkeypatch.context() as patch:
        killed_at(patch, SqlCheckpoint, "commit", after)
        with pytest.raises(Killed):
            await refreshed(source(begun), sink(begun), platform, **arguments)


async def test_a_source_in_the_table_s_own_database_is_read_whole(database):
    """SQLite lets nobody write while another connection reads."""
    with_members(database, ROWS)
    summary = await refreshed(source(database), sink(database, patience_s=1))
    assert summary.statuses["found"] == ROWS
    assert len(balances(database)) == ROWS


@pytest.mark.server
@pytest.mark.parametrize("at", ["spool", "commit"])
async def test_who_lost_the_run_with_the_connection_writes_nothing_more(postgres, monkeypatch, at):
    """Another process has done it meanwhile, with the members as they were then."""
    with_members(postgres, ROWS if at == "spool" else 600)
    cls, method = (SqlSpool, "add") if at == "spool" else (SqlCheckpoint, "commit")
    genuine, calls = getattr(cls, method), []

    async def call(self, *arguments):
        calls.append(1)
        if len(calls) == 2:
            monkeypatch.setattr(cls, method, genuine)
            postgres.end_sessions()
            postgres.do("DELETE FROM members WHERE id < 10")
            other = await refreshed(source(postgres), sink(postgres), run_id="night")
            assert other.state == "finished"
        return await genuine(self, *arguments)

    monkeypatch.setattr(cls, method, call)
    with pytest.raises(ConfigurationError, match="another process went on with this run"):
        await refreshed(source(postgres), sink(postgres, patience_s=5), run_id="night")
    assert [row["kind"] for row in states(postgres)] == ["end"]


async def test_a_fresh_run_reads_the_members_anew(begun, monkeypatch):
    """Also when its first process was killed before it read them."""
    await broken_off(monkeypatch, begun)
    begun.do("DELETE FROM members WHERE id = 5")
    begun.do("INSERT INTO members VALUES (1000, 'm1000@example.com')")
    with monkeypatch.context() as patch:
        killed_at(patch, SqlSpool, "begin")
        patch.setattr(SqlState, "drop", nothing)  # a process that is killed cleans nothing up
        with pytest.raises(Killed):
            await refreshed(source(begun), sink(begun), fresh=True)
    platform = Platform()
    await refreshed(source(begun), sink(begun), platform)
    assert "m1000@example.com" in platform.members
    assert "m5@example.com" not in platform.members


async def test_a_new_run_takes_over_from_one_that_was_given_up_and_says_so(begun, monkeypatch):
    """Nobody's answer is lost with it: they are in the table."""
    await broken_off(monkeypatch, begun, run_id="monday")
    table, told = sink(begun), []
    table.tell = told.append
    await refreshed(source(begun), table, run_id="tuesday")
    assert any("the unfinished run monday of balances is given up" in word for word in told)
    assert [(row["run_id"], row["kind"]) for row in states(begun)] == [("tuesday", "end")]


async def test_one_that_is_refused_takes_over_from_nobody(begun, monkeypatch, tmp_path):
    """A mistake costs no night."""
    await broken_off(monkeypatch, begun, run_id="monday")
    before = states(begun)
    with pytest.raises(ConfigurationError, match="there is no folder"):
        await refreshed(
            source(begun), [sink(begun), CsvSink(tmp_path / "no" / "out.csv")], run_id="tuesday"
        )
    assert [row for row in states(begun) if row["run_id"] == "monday"] == before


async def test_changes_of_an_unfinished_night_are_not_given_up(begun, monkeypatch, tmp_path):
    """They are in no finished file, and the table has forgotten what was before."""
    changes = {"changes_to": CsvSink(tmp_path / "monday.csv"), "run_id": "monday"}
    await broken_off(monkeypatch, begun, **changes)
    with pytest.raises(ConfigurationError, match=r"unfinished run monday of balances has changes"):
        await refreshed(source(begun), sink(begun), run_id="tuesday")
    await refreshed(source(begun), sink(begun), **changes)
    await refreshed(source(begun), sink(begun), run_id="tuesday")
    assert len((tmp_path / "monday.csv").read_text().splitlines()) == 301


async def test_two_loops_of_one_process_are_two(begun):
    """A run that is under way is refused to everybody else."""
    platform = Platform()
    platform.held["m7@example.com"] = asyncio.Event()
    first = asyncio.create_task(refreshed(source(begun), sink(begun), platform))
    while not platform.asked:  # noqa: ASYNC110 - a platform sets no event
        await asyncio.sleep(0.01)
    with pytest.raises(ConfigurationError, match="another process is refreshing"):
        await refreshed(source(begun), sink(begun))
    platform.held["m7@example.com"].set()
    assert (await first).state == "finished"
