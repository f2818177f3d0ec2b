"""A run that is told to stop ends within a second after its grace, whatever a database does."""

import asyncio
import sqlite3
import time

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.csv_file import CsvSink, CsvSource
from altcraft_balance.refresh.port import RowSink
from altcraft_balance.refresh.sql.database import Database
from altcraft_balance.refresh.sql.link import Link
from altcraft_balance.refresh.sql.sink import SqlSink
from altcraft_balance.refresh.sql.source import SqlSource
from tests.refresh.databases import Sqlite, sink, source, with_members
from tests.refresh.runs import Platform, members_csv, refreshed

GRACE_S = 0.3


#: PostgreSQL's: who you are is fine, its version, its key, ready for a query.
GREETING = (
    b"R\0\0\0\x08\0\0\0\0"
    b"S\0\0\0\x18server_version\x0016.0\0"
    b"K\0\0\0\x0c\0\0\0\x01\0\0\0\x01"
    b"Z\0\0\0\x05I"
)


@pytest.fixture(params=[b"", GREETING], ids=["nothing", "a greeting"])
async def silent(request):
    """The DSN of a host that takes connections, and says nothing, or no more than a greeting."""
    taken = []

    async def take(reader, writer):
        taken.append(writer)
        if request.param:
            await reader.read(100)  # asks for TLS
            writer.write(b"N")
            await reader.read(1_000)
            writer.write(request.param)
            await reader.read(1_000)  # the first query
        came.set()

    came = asyncio.Event()
    server = await asyncio.start_server(take, "127.0.0.1", 0)
    yield f"postgresql://nobody@127.0.0.1:{server.sockets[0].getsockname()[1]}/x", came
    for writer in taken:
        writer.close()
    server.close()
    await server.wait_closed()


class Held(Platform):
    """Tells when the `at`-th is asked about, and answers all others."""

    def __init__(self, at):
        super().__init__()
        self.held[f"m{at}@example.com"] = asyncio.Event()
        self.is_there = asyncio.Event()

    async def send(self, *arguments, **named):
        if len(self.asked) > 5:
            self.is_there.set()
        return await super().send(*arguments, **named)


async def ends(is_there, asking, into, platform=None, *, later_s=0.0, **arguments):
    """Stop a run when it is where it should be; what it came to, in time."""
    stop = asyncio.Event()
    running = asyncio.create_task(
        refreshed(asking, into, platform, stop=stop, grace_s=GRACE_S, **arguments)
    )
    async with asyncio.timeout(10):
        await is_there.wait()
    await asyncio.sleep(later_s)
    assert not running.done()
    stop.set()
    began = time.monotonic()
    await asyncio.wait([running])
    assert time.monotonic() - began < GRACE_S + 1
    return running.exception() or running.result().state


async def test_while_the_source_is_connected_to(silent, tmp_path):
    """The host is there, and nobody answers: nothing has begun."""
    dsn, came = silent
    came_to = await ends(came, SqlSource("select 1 as email", dsn), CsvSink(tmp_path / "o.csv"))
    assert came_to == "stopped"
    assert list(tmp_path.iterdir()) == []


async def test_while_the_sink_is_connected_to(silent, tmp_path):
    """Likewise; the run could not begin."""
    dsn, came = silent
    rows = CsvSource(members_csv(tmp_path / "in.csv", 3))
    assert isinstance(await ends(came, rows, SqlSink("b", dsn)), ConnectionError)


async def test_a_hurry_before_the_connection_counts(silent):
    """A sink may be told to hurry before it is open."""
    dsn, _ = silent
    link = Link(Database(dsn, "a test"), 60, lambda connection: asyncio.sleep(0))
    link.hurry(0.1)
    began = time.monotonic()
    with pytest.raises(ConnectionError, match="cannot be reached"):
        await link.open()
    assert time.monotonic() - began < 1


async def test_who_is_in_a_hurry_takes_a_short_leave(sqlite, monkeypatch):
    """Of a connection that does not let itself be closed."""
    from sqlalchemy.ext.asyncio import AsyncConnection

    link = Link(Database(sqlite.dsn, "a test"), 60, lambda connection: asyncio.sleep(0))
    await link.open()
    close = AsyncConnection.close

    async def close_never(connection):
        try:
            await asyncio.Event().wait()
        finally:
            await close(connection)

    monkeypatch.setattr(AsyncConnection, "close", close_never)
    link.hurry(0.0)
    began = time.monotonic()
    await link.close()
    assert time.monotonic() - began < 0.4


async def test_a_cancel_ends_a_connection_that_is_waited_for(silent, tmp_path):
    """At once."""
    dsn, came = silent
    running = asyncio.create_task(
        refreshed(SqlSource("select 1 as email", dsn), CsvSink(tmp_path / "o.csv"))
    )
    await came.wait()
    began = time.monotonic()
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert time.monotonic() - began < 1


@pytest.fixture
def other(sqlite):
    """Another connection to the file."""
    with_members(sqlite, 600)
    other = sqlite3.connect(sqlite.path, isolation_level=None)
    yield other
    other.close()


async def test_while_another_writes_to_the_file_of_the_sink(sqlite, other, tmp_path):
    """Its transaction is never over."""
    rows, platform = CsvSource(members_csv(tmp_path / "in.csv", 600)), Held(599)
    sinks = sink(sqlite, patience_s=60)
    told = asyncio.Event()
    sinks.tell = lambda text: told.set()

    async def hold():
        await platform.is_there.wait()
        other.execute("BEGIN IMMEDIATE")

    holding = asyncio.create_task(hold())
    came_to = await ends(told, rows, sinks, platform)
    await holding
    assert isinstance(came_to, ConnectionError)
    assert "is away: database is locked" in str(came_to)
    other.execute("ROLLBACK")
    assert (await refreshed(rows, sink(sqlite))).is_finished


async def test_while_another_writes_before_the_table_is_there(sqlite, other, tmp_path):
    """Nothing has begun."""
    other.execute("BEGIN IMMEDIATE")
    rows, sinks = CsvSource(members_csv(tmp_path / "in.csv", 3)), sink(sqlite, patience_s=60)
    told = asyncio.Event()
    sinks.tell = lambda text: told.set()
    assert isinstance(await ends(told, rows, sinks), ConnectionError)


async def test_while_another_has_the_file_of_the_source(sqlite, other, tmp_path):
    """Alone, so that nobody can read it."""
    other.execute("BEGIN EXCLUSIVE")
    begun = asyncio.Event()
    begun.set()
    came_to = await ends(begun, source(sqlite), CsvSink(tmp_path / "o.csv"), later_s=0.7)
    assert came_to == "stopped"


async def test_a_source_waits_for_who_writes(sqlite, other, tmp_path):
    """For longer than the driver does."""
    other.execute("BEGIN EXCLUSIVE")
    running = asyncio.create_task(refreshed(source(sqlite), CsvSink(tmp_path / "o.csv")))
    await asyncio.sleep(0.8)
    assert not running.done()
    other.execute("ROLLBACK")
    assert (await running).rows == 600


class Stuck(RowSink):
    """Takes nothing, ever."""

    async def write(self, rows):
        await asyncio.Event().wait()


async def test_while_an_async_sink_is_stuck(tmp_path):
    """What it did not take is asked again."""
    rows, platform = CsvSource(members_csv(tmp_path / "in.csv", 600)), Held(599)
    assert await ends(platform.is_there, rows, Stuck(), platform, later_s=0.1) == "stopped"


@pytest.mark.server
async def test_while_the_server_is_frozen_and_read_from(postgres_server, postgres, tmp_path):
    """It takes no request to cancel either."""
    with_members(postgres, 3)
    query = "select email, cast(pg_sleep(30) as text) as s from members"
    running = source(postgres, query)
    begun = asyncio.Event()

    async def freeze():
        while not any(s["state"] == "active" for s in await asyncio.to_thread(postgres.sessions)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await asyncio.to_thread(postgres_server.freeze)
        begun.set()

    freezing = asyncio.create_task(freeze())
    try:
        came_to = await ends(begun, running, CsvSink(tmp_path / "o.csv"))
        await freezing
    finally:
        await asyncio.to_thread(postgres_server.thaw)
    assert came_to == "stopped"


async def test_a_link_to_the_file_is_the_file(sqlite, tmp_path):
    """Two runs on it are refused by whatever name it goes."""
    link = Sqlite(tmp_path / "link.db")
    with_members(sqlite, 3)
    link.path.symlink_to(sqlite.path)
    platform, rows = Platform(), CsvSource(members_csv(tmp_path / "in.csv", 3))
    platform.held["m2@example.com"] = asyncio.Event()
    one = asyncio.create_task(refreshed(rows, sink(sqlite), platform))
    while len(platform.asked) < 3:  # noqa: ASYNC110 - a platform sets no event
        await asyncio.sleep(0.01)
    with pytest.raises(ConfigurationError, match="another process is refreshing"):
        await refreshed(rows, sink(link))
    platform.held["m2@example.com"].set()
    assert (await one).is_finished
