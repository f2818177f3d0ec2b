"""What is said of a database, and what is not: neither rows nor passwords, wherever they stand."""

import errno
import logging
import os
import re
import stat
import traceback

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.csv_file import CsvSink, CsvSource
from altcraft_balance.refresh.sql.database import Database
from altcraft_balance.refresh.sql.link import Link
from altcraft_balance.refresh.sql.sink import SqlSink
from altcraft_balance.refresh.sql.source import SqlSource
from altcraft_balance.refresh.sql.trouble import LockIsHeld, is_passing, named, telling
from altcraft_balance.refresh.state import disk
from altcraft_balance.refresh.state.lock import Lock
from altcraft_balance.secret import Secret
from tests.refresh.databases import Sqlite, sink, source
from tests.refresh.runs import Platform, envelope, members_csv, refreshed


def with_locals(error):
    """All that a traceback shows that shows locals, but for those of the test."""
    error.__traceback__ = error.__traceback__.tb_next
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(shown.format())


async def test_numbers_of_members_are_not_logged(database, caplog):
    """A phone may be a number; every logger at DEBUG."""
    database.do("CREATE TABLE members (id bigint, phone bigint)")
    database.do("INSERT INTO members VALUES (700100, 79995550000)")
    names = [*logging.root.manager.loggerDict, "aiosqlite", "asyncpg", "sqlalchemy.engine"]
    for name in (None, *names):
        caplog.set_level(logging.DEBUG, logger=name)
    asking = source(database, "SELECT * FROM members")
    platform = Platform()
    platform.always = envelope(0, total_balance=1, active_balance=1)
    for table, key in (("a", None), ("b", "id"), ("c", "phone")):
        into = sink(database, table, key=key)
        await refreshed(asking, into, platform, by="phone", keep=["id", "phone"])
        (row,) = database.fetch(f"SELECT * FROM {table}")
        assert (row["id"], row["phone"]) == (700100, 79995550000)
    for text in ("700100", "79995550000"):
        assert text not in caplog.text


@pytest.mark.server
@pytest.mark.parametrize(
    "query",
    [
        "select email::int as email from members",
        "select email, 1 / (id - 1) as x from members order by id",
    ],
)
async def test_a_traceback_with_its_locals_shows_no_value(postgres, tmp_path, query):
    """PostgreSQL quotes what it cannot read; frames of context managers have that error."""
    postgres.do("CREATE TABLE members (id bigint, email text)")
    postgres.do("INSERT INTO members VALUES (7, 'canary7@x.example'), (1, 'canary1@x.example')")
    with pytest.raises(ConfigurationError) as caught:
        await refreshed(source(postgres, query), CsvSink(tmp_path / "o.csv"))
    assert "@x.example" not in with_locals(caught.value)


@pytest.mark.server
async def test_nor_when_rows_are_written(postgres, tmp_path):
    """A trigger may say whatever it likes."""
    rows = CsvSource(members_csv(tmp_path / "in.csv", 3))
    await refreshed(rows, sink(postgres), run_id="first")
    postgres.do(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION 'no: %', NEW.member; END $$;"
        "CREATE TRIGGER refuses BEFORE INSERT OR UPDATE ON balances"
        " FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    with pytest.raises(ConfigurationError) as caught:
        await refreshed(rows, sink(postgres), run_id="second")
    assert "example.com" not in with_locals(caught.value)


def test_what_was_caught_holds_nothing_any_more():
    """Nor does what it came of."""
    exc = pytest.importorskip("sqlalchemy.exc")
    first = ValueError("canary 1")
    origin = LookupError("canary 2")
    origin.detail, origin.__cause__ = "canary 3", first
    error = exc.DBAPIError("INSERT canary 4", {"a": "canary 5"}, origin)
    with pytest.raises(ConfigurationError), telling("here"):
        raise error
    for one in (error, origin, first):
        assert "canary" not in f"{one} {one!r} {vars(one)}"
        assert (one.__traceback__, one.__cause__, one.__context__) == (None, None, None)


@pytest.mark.parametrize("name", ["InternalClientError", "ConnectionDoesNotExistError"])
def test_a_session_that_ended_is_a_connection_that_was_lost(name):
    """Whoever says so, SQLAlchemy or the driver."""
    asyncpg, exc = pytest.importorskip("asyncpg"), pytest.importorskip("sqlalchemy.exc")
    error = getattr(asyncpg, name)("connection was closed in the middle of operation")
    for one in (error, exc.DBAPIError("SELECT 1", None, error)):
        assert is_passing(one)
        assert named(one) == "the connection was lost"


async def test_a_lock_that_another_has_is_said_to_be_held(sqlite):
    """The sentence is shown as it was built; the database is not away."""
    told = []

    async def take(connection):
        raise LockIsHeld("the lock of the table Balances is held by another session")

    database = Database(sqlite.dsn, "a test")
    link = Link(database, 0.0, take, told.append)
    with pytest.raises(ConnectionError) as caught:
        await link.do(lambda connection: None)
    sentence = f"{database.shown}: the lock of the table Balances is held by another session"
    assert told == [f"{sentence}; it is waited for, 0 s at most"]
    assert caught.value.strerror == sentence


# ── a dsn ────────────────────────────────────────────────────────────────────────────────────────

UNQUOTED = "the dsn has an '@', ':' or '/' that must be percent-encoded (%40, %3A, %2F)"


@pytest.mark.parametrize(
    "rest",
    [
        "app:p@canary/w:rd@127.0.0.1/crm",
        "app:p@canary@127.0.0.1/crm",
        "app:p/canary@127.0.0.1/crm",
        "app:p@canary:w@127.0.0.1/crm",
        "app:p@canary?w@127.0.0.1/crm",
        "app@127.0.0.1/canary:crm",
        "app@127.0.0.1/canary/crm",
        "app@127.0.0.1/crm?password=p@canary",
    ],
)
@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg", "mysql"])
def test_a_password_that_is_not_encoded_is_refused(scheme, rest, caplog):
    """Nothing of it is taken for a host, and shown."""
    caplog.set_level(logging.DEBUG)
    for make in (lambda dsn: SqlSource("select 1", dsn), lambda dsn: SqlSink("b", dsn)):
        with pytest.raises(ConfigurationError, match=f"^{re.escape(UNQUOTED)}$") as caught:
            make(Secret(f"{scheme}://{rest}"))
        frames = with_locals(caught.value.with_traceback(caught.tb.tb_next))
        assert "canary" not in frames + caplog.text


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://app:p%40ss%2Fw%3Ard@127.0.0.1/crm",
        "postgresql://app@[::1]:5432/crm",
        "postgresql://app@/crm?host=/run/postgresql",
        "sqlite:////tmp/a@b:c/d.db",
    ],
)
def test_one_that_is_encoded_is_taken(dsn):
    """And what stands where an '@', ':' or '/' may."""
    assert "w" not in Database(dsn, "a test").shown.partition("://")[2]


def test_the_place_in_the_query_tells_databases_apart():
    """A password does not."""
    base = "postgresql://app@/crm"
    dsns = [base, *(f"{base}?{query}" for query in ("host=/a", "host=/b", "host=/a&port=1"))]
    prints = {Database(dsn, "a test").fingerprint("q") for dsn in dsns}
    assert len(prints) == 4
    with_password = Database(f"{base}?host=/a&password=p", "a test").fingerprint("q")
    assert with_password in prints


def test_what_could_not_be_made_has_a_repr():
    """Debuggers show it."""
    made = Database.__new__(Database)
    with pytest.raises(ConfigurationError):
        made.__init__("nothing", "a test")
    assert repr(made) == "Database()"


async def test_a_lock_that_cannot_be_removed_ends_no_run(tmp_path, monkeypatch):
    """A disk that fails at the very end: all is there, and the next run gets the lock."""
    database = Sqlite(tmp_path / "balances.db")
    asking = CsvSource(members_csv(tmp_path / "in.csv", 3))
    remove = disk.remove

    def failing(path):
        if path.name.endswith(".lock"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        remove(path)

    with monkeypatch.context() as patch:
        patch.setattr(disk, "remove", failing)
        assert (await refreshed(asking, sink(database), run_id="a")).state == "finished"
    assert (await refreshed(asking, sink(database), run_id="b")).state == "finished"
    assert {path.name for path in tmp_path.iterdir()} == {"in.csv", "balances.db"}


async def test_a_lock_that_cannot_be_noted_is_let_go(tmp_path, monkeypatch):
    """A full disk is said, and when there is room the same call goes on."""
    database = Sqlite(tmp_path / "balances.db")
    asking = CsvSource(members_csv(tmp_path / "in.csv", 3))

    def full(lock, text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Lock, "note", full)
        with pytest.raises(OSError, match="cannot be written: no space left"):
            await refreshed(asking, sink(database))
    assert (await refreshed(asking, sink(database))).state == "finished"


async def test_a_new_database_is_its_owners(tmp_path):
    """Addresses and balances are in it."""
    database = Sqlite(tmp_path / "balances.db")
    await refreshed(CsvSource(members_csv(tmp_path / "in.csv", 3)), sink(database))
    assert stat.S_IMODE(database.path.stat().st_mode) == 0o600
