"""A database that goes away and comes back, while a run writes to it."""

import asyncio
import math
import re
import sqlite3
import threading
import time

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.csv_file import CsvSink
from altcraft_balance.refresh.sql import database as sql_database
from altcraft_balance.refresh.sql.locks import number_of
from tests.refresh import runs
from tests.refresh.databases import balances, sink, source, states, with_members
from tests.refresh.runs import Platform, points_of, rows_of

pytestmark = pytest.mark.server
ROWS = 900


async def refreshed(*arguments, **named):
    """The same, if it does not hang."""
    async with asyncio.timeout(60):
        return await runs.refreshed(*arguments, **named)


class Clocked(Platform):
    """Does something when it is asked for the `at`-th time, and answers a little later.

    With `every` it does so again after that many more, once it has done with the last time.
    """

    def __init__(self, at, does, *, every=0, pause_s=0.0):
        super().__init__()
        self._at, self._every, self._does, self._pause_s = at, every, does, pause_s
        self.doing, self._calls = None, 0

    async def send(self, body, headers, *, limit_s, fresh=False):
        self._calls += 1
        if self._calls >= self._at and (self.doing is None or self.doing.done()):
            self._at = self._calls + (self._every or math.inf)
            self.doing = asyncio.create_task(self._does())
        await asyncio.sleep(self._pause_s)
        return await super().send(body, headers, limit_s=limit_s, fresh=fresh)


def in_thread(*works):
    """What does plain `works` without holding up the loop."""

    async def do():
        for work in works:
            await asyncio.to_thread(work)

    return do


def pause(seconds):
    return lambda: time.sleep(seconds)


def whole(database, rows=ROWS):
    """Assert that everybody's balance is in the table."""
    found = balances(database)
    assert len(found) == rows
    for member, row in found.items():
        assert str(row["total_balance"]) == points_of(member)
        assert row["status"] == "found"


def restarting(server, away_s):
    return in_thread(server.stop, pause(away_s), server.start)


async def test_a_server_that_is_started_again_gets_all_rows(request, postgres_server, postgres):
    """The run waits, asks nobody twice, and ends whole; it says once that it waits."""
    with_members(postgres, ROWS)
    away_s = 20 if request.config.getoption("scale") == "full" else 1.5
    platform = Clocked(300, restarting(postgres_server, away_s), pause_s=0.001)
    summary = await refreshed(source(postgres), sink(postgres, patience_s=60), platform)
    await platform.doing
    assert summary.is_finished
    assert len(platform.asked) == ROWS
    whole(postgres)
    assert [row["kind"] for row in states(postgres)] == ["end"]


async def test_files_beside_the_table_do_not_show_it(postgres_server, postgres, tmp_path):
    """They are as those of a run that nobody interrupts, but for the times."""
    with_members(postgres, ROWS)
    platform = Clocked(300, restarting(postgres_server, 0.3), pause_s=0.001)
    out, changes = CsvSink(tmp_path / "out.csv"), CsvSink(tmp_path / "changes.csv")
    sinks = [out, sink(postgres, patience_s=60)]
    await refreshed(source(postgres), sinks, platform, changes_to=changes)
    await platform.doing
    members = [f"m{number}@example.com" for number in range(ROWS)]
    for name in ("out.csv", "changes.csv"):
        rows = rows_of(tmp_path / name)
        assert [row["member"] for row in rows] == members
        assert [row["total_balance"] for row in rows] == list(map(points_of, members))
    whole(postgres)


async def test_patience_has_an_end_and_the_same_call_goes_on(postgres_server, postgres):
    """It is a ConnectionError; what was committed is not asked again."""
    with_members(postgres, ROWS)
    platform = Clocked(600, in_thread(postgres_server.stop), pause_s=0.001)
    began = time.monotonic()
    with pytest.raises(ConnectionError, match=r"127.0.0.1:\d+/night_\d+ is away"):
        await refreshed(source(postgres), sink(postgres, patience_s=0.5), platform)
    assert time.monotonic() - began < 10
    await platform.doing
    asked_before = set(platform.members)
    with pytest.raises(ConnectionError, match="cannot be reached"):  # at once, now
        await refreshed(source(postgres), sink(postgres, patience_s=60), platform)
    postgres_server.start()
    committed = len(balances(postgres))
    platform = Platform()
    summary = await refreshed(source(postgres), sink(postgres), platform)
    assert summary.is_finished
    assert len(platform.asked) == ROWS - committed
    assert committed > 0
    assert asked_before | set(platform.members) == {f"m{n}@example.com" for n in range(ROWS)}
    whole(postgres)


async def test_sessions_that_are_ended_cost_nothing(postgres):
    """An administrator ends the session again and again, whatever it is doing.

    By the number of members asked and not by a clock, so that the run comes on between two of them
    on however slow a machine.
    """
    with_members(postgres, ROWS)
    ended = []
    end_all = in_thread(lambda: ended.append(postgres.end_sessions()))
    platform = Clocked(50, end_all, every=60, pause_s=0.008)
    await refreshed(source(postgres), sink(postgres, patience_s=30), platform)
    await platform.doing
    assert sum(ended) >= 3
    assert len(platform.asked) == ROWS
    whole(postgres)
    assert [row["kind"] for row in states(postgres)] == ["end"]


async def test_a_frozen_server_is_taken_for_one_that_is_away(
    postgres_server, postgres, monkeypatch
):
    """It says nothing, and then goes on: so does the run, over another connection."""
    monkeypatch.setattr(sql_database, "_COMMAND_S", 0.4)
    monkeypatch.setattr(sql_database, "_CONNECT_S", 0.4)
    with_members(postgres, ROWS)
    frozen = in_thread(postgres_server.freeze, pause(1.5), postgres_server.thaw)
    platform = Clocked(300, frozen, pause_s=0.001)
    await refreshed(source(postgres), sink(postgres, patience_s=60), platform)
    await platform.doing
    assert len(platform.asked) == ROWS
    whole(postgres)


@pytest.mark.parametrize("trouble", ["stop", "freeze"])
@pytest.mark.parametrize("way", ["stop", "cancel"])
async def test_who_is_told_to_stop_waits_for_no_database(postgres_server, postgres, way, trouble):
    """The run ends in time, and goes on when the database is back."""
    with_members(postgres, ROWS)
    stop = asyncio.Event()
    platform = Clocked(400, in_thread(getattr(postgres_server, trouble)), pause_s=0.001)
    running = asyncio.create_task(
        refreshed(source(postgres), sink(postgres, patience_s=8), platform, stop=stop, grace_s=0.5)
    )
    await asyncio.sleep(0)
    while platform.doing is None:  # noqa: ASYNC110 - a platform sets no event
        await asyncio.sleep(0.01)
    await platform.doing
    await asyncio.sleep(0.7)  # by now it waits
    assert not running.done()
    began = time.monotonic()
    stop.set() if way == "stop" else running.cancel()
    await asyncio.wait([running])
    assert time.monotonic() - began < 1.5
    if way == "stop":
        assert isinstance(running.exception(), ConnectionError)
    else:
        assert running.cancelled()
    postgres_server.start()
    await refreshed(source(postgres), sink(postgres), Platform())
    whole(postgres)


@pytest.mark.parametrize("way", ["stop", "cancel"])
async def test_nor_does_one_that_has_not_asked_yet(postgres_server, postgres, monkeypatch, way):
    """The database goes away while the rows are spooled: they are told to stop then."""
    from altcraft_balance.refresh.sql.spool import SqlSpool

    with_members(postgres, ROWS)
    add, away = SqlSpool.add, asyncio.Event()

    async def add_later(spool, piece):
        await asyncio.to_thread(postgres_server.stop)
        away.set()
        await add(spool, piece)

    monkeypatch.setattr(SqlSpool, "add", add_later)
    stop = asyncio.Event()
    running = asyncio.create_task(
        refreshed(source(postgres), sink(postgres, patience_s=8), stop=stop, grace_s=0.5)
    )
    await away.wait()
    await asyncio.sleep(0.3)
    began = time.monotonic()
    stop.set() if way == "stop" else running.cancel()
    await asyncio.wait([running])
    assert time.monotonic() - began < 2.5
    monkeypatch.undo()
    postgres_server.start()
    await refreshed(source(postgres), sink(postgres), Platform())
    whole(postgres)


async def test_a_lock_that_another_session_took_meanwhile_is_waited_for(postgres):
    """The run goes on when it is given back."""
    import psycopg

    with_members(postgres, ROWS)
    lock = f"SELECT pg_advisory_lock({number_of('public', 'table balances')})"

    def take_it():
        with psycopg.connect(postgres.dsn, autocommit=True) as connection:
            pid = connection.info.backend_pid
            postgres.end_sessions(but=pid)
            connection.execute(lock)
            time.sleep(0.5)

    platform = Clocked(300, in_thread(take_it), pause_s=0.001)
    sinks, told = sink(postgres, patience_s=20), []
    sinks.tell = told.append
    await refreshed(source(postgres), sinks, platform)
    await platform.doing
    assert not [text for text in told if "refused" in text]
    if "lock" in told[0]:
        assert ": the lock of the table balances is held by another session; it is" in told[0]
    assert len(platform.asked) == ROWS
    whole(postgres)


async def test_two_at_once_are_one(database):
    """The others are refused in one sentence, and the one ends whole."""
    with_members(database, 40)
    platform = Platform()
    platform.held["m7@example.com"] = asyncio.Event()
    begun = [
        asyncio.create_task(
            refreshed(source(database), sink(database), platform, run_id=f"run-{number}")
        )
        for number in range(4)
    ]
    async with asyncio.timeout(10):
        while sum(task.done() for task in begun) < 3:
            await asyncio.wait(
                [task for task in begun if not task.done()], return_when=asyncio.FIRST_COMPLETED
            )
    platform.held["m7@example.com"].set()
    ended = await asyncio.gather(*begun, return_exceptions=True)
    refused = [end for end in ended if isinstance(end, ConfigurationError)]
    assert len(refused) == 3, ended
    for error in refused:
        assert re.fullmatch(
            r"another process is refreshing (the|a) table \S+ (of )?\S+", str(error)
        )
    whole(database, 40)
    await refreshed(source(database), sink(database))


@pytest.mark.parametrize("held_s", [0.5, 0.0])
async def test_another_writer_of_the_file_is_waited_for(sqlite, monkeypatch, held_s):
    """SQLite is locked for a while: longer than one try, or longer than the patience."""
    monkeypatch.setattr(sql_database, "_CONNECT_S", 0.1)
    with_members(sqlite, ROWS)
    other = sqlite3.connect(sqlite.path, isolation_level=None, check_same_thread=False)
    over = threading.Event()

    def hold():
        other.execute("BEGIN IMMEDIATE")
        over.wait(held_s or None)
        other.execute("ROLLBACK")

    platform = Clocked(400, in_thread(hold), pause_s=0.001)
    running = refreshed(source(sqlite), sink(sqlite, patience_s=5 if held_s else 0.3), platform)
    if not held_s:
        with pytest.raises(ConnectionError, match="is away: database is locked"):
            await running
        over.set()
        await platform.doing
        running = refreshed(source(sqlite), sink(sqlite))
    await running
    await platform.doing
    other.close()
    whole(sqlite)
