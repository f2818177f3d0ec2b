"""Row 19, of the command: bulk jobs, their state and their pages show neither token nor address.

In children, against a server that says back what it is told, in words that a terminal, rich and a
browser would obey. An output is data: its member column may hold the address, and nothing else.
"""

import contextlib
import sqlite3
import sys

import pytest

from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.refresh.files.csv_file import CsvSource
from altcraft_balance.refresh.job import refresh_balances
from altcraft_balance.refresh.sql.database import Database
from altcraft_balance.refresh.sql.sink import SqlSink
from tests.canaries import EMAIL, TOKEN, Watch
from tests.promises.canary_children import (
    Children,
    but_email,
    but_member,
    but_members_table,
    members_into,
)
from tests.promises.echoes import ECHOES, echoing

pytest.importorskip("typer")
pytest.importorskip("aiosqlite")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

FATAL = {"401", "403", "location"}
#: With answers between, so that the breaker stays closed.
HARMLESS = [
    told
    for name in ECHOES
    if name not in FATAL | {"silence", "429", "retry after"}
    for told in ("found", "found", "found", name)
]
BY = ("--by", "email")
MANY = ("--max-failed", "1000", "--max-attempts", "2", "--concurrency", "4")
FROM = ("--from-sql", "select id, email from members", "--from-dsn", "sqlite:///members.db")
TO = ("--to-sql", "balances", "--to-dsn", "sqlite:///balances.db")


#: Whose data lies in a column of its own.
DATA = {
    "o.csv": but_member,
    "o.csv.partial": but_member,
    "errors.csv": but_email,
    "errors.csv.partial": but_email,
    "balances.db": but_members_table,
}


@pytest.fixture
def watch():
    return Watch()


async def test_a_job_to_files_reveals_nothing(promise, size, watch, tmp_path):
    """Files, progress, summary, page, status, logs and `ps`; over both transports and formats."""
    stated = promise(19, "no secret, no address leaks: refresh to files")
    async with echoing(*HARMLESS) as url:
        children = Children(watch, tmp_path, url)
        members_into(children.folder, size(120, 2_000, quick=60))
        places = ("--out", "o.csv", "--errors-to", "errors.csv", "--summary", "summary.json")
        shown = ("--progress", "json", "--keep", "id")
        await children.run("refresh", "members.csv", *BY, *places, *shown, *MANY)
        lean = ("--no-member", "--transport", "direct", "--format", "xml", "--progress", "plain")
        await children.run("refresh", "members.csv", *BY, "--out", "o.jsonl", *lean, *MANY)
        await children.run("report", "summary.json", "--out", "page.html")
        await children.run("status")
        await children.run("refresh", "members.csv", *BY, "--column", "none", "--out", "p.csv")
    assert children.codes == [0, 0, 0, 0, 2]
    assert EMAIL in (children.folder / "o.csv").read_text("utf-8").replace('""', '"')
    page = (children.folder / "page.html").read_text("utf-8")
    assert "<script>alert" not in page
    assert not {"\x1b", "\x07"} & set(page)
    children.look_at_files({"members.csv", "members.db"}, DATA)
    ended(stated, watch, children)


async def test_a_job_to_a_table_reveals_nothing(promise, watch, tmp_path):
    """Tables, the state in their database, SQLAlchemy's own log, and what a database refuses."""
    stated = promise(19, "no secret, no address leaks: refresh to tables")
    async with echoing(*HARMLESS) as url:
        children = Children(watch, tmp_path, url)
        members_into(children.folder, 60)
        for _ in range(2):
            await children.run("refresh", *FROM, *BY, *TO, *MANY)
        refuse_rows(children.folder / "balances.db")
        await children.run("refresh", *FROM, *BY, *TO, "--fresh", *MANY)
        nowhere = ("--to-sql", "balances", "--to-dsn-env", "CANARY_DSN", "--sink-patience", "1s")
        await children.run("refresh", "members.csv", *BY, *nowhere, *MANY)
    assert children.codes == [0, 0, 2, 75]
    children.look_at_files({"members.csv", "members.db"}, DATA)
    ended(stated, watch, children)


def refuse_rows(path):
    """The table takes no row from now on."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        for act in ("UPDATE", "INSERT"):
            database.execute(
                f"CREATE TRIGGER no_{act} BEFORE {act} ON balances"
                " BEGIN SELECT raise(ABORT, 'not now'); END"
            )


async def test_what_a_database_refuses_is_not_shown(promise, watch, tmp_path):
    """In the error, its chain, its frames, and in what SQLAlchemy itself says of a row."""
    stated = promise(19, "no secret, no address leaks: SQLAlchemy's errors")
    place = f"sqlite:///{tmp_path / 'balances.db'}"
    members_into(tmp_path, 30)
    await refreshed_into(place, tmp_path)
    refuse_rows(tmp_path / "balances.db")
    with pytest.raises(AltcraftBalanceError) as caught:
        await refreshed_into(place, tmp_path)
    watch.look_at("error", caught.value)
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    async with Database(place, "dsn").engine().connect() as connection:
        with pytest.raises(DBAPIError) as theirs:
            await connection.execute(
                text("INSERT INTO balances (member) VALUES (:m)"), {"m": EMAIL}
            )
        watch.look("theirs", str(theirs.value), repr(theirs.value))
    stated.came(
        tried=watch.seen.total(), failed=len(watch.found), figure="2 errors", why=watch.found
    )


async def refreshed_into(place, folder):
    async with echoing("found") as url:
        settings = {"token": TOKEN, "loyalty_program_id": 123}
        async with BalanceClient(url, **settings) as client:
            await refresh_balances(
                CsvSource(folder / "members.csv"),
                SqlSink("balances", place),
                client,
                by="email",
                max_failed=100,
                fresh=True,
            )


async def test_what_a_refused_and_a_killed_job_leave_reveals_nothing(promise, watch, tmp_path):
    """The state holds how far it has come, and what is not yet whole only what an output may."""
    stated = promise(19, "no secret, no address leaks: refused and killed jobs")
    (tmp_path / "refused").mkdir()
    async with echoing("401") as url:
        refused = Children(watch, tmp_path / "refused", url)
        members_into(refused.folder, 60)
        await refused.run("refresh", "members.csv", *BY, "--out", "o.csv", *MANY)
        for further in ((), ("--json",)):
            shown = await refused.run("get", "--email", "friend@example.com", *further)
            assert "[bold red]pwned[/]" in shown  # which rich would have obeyed
    (tmp_path / "killed").mkdir()
    async with echoing(*["found"] * 800, *["silence"] * 800) as url:
        killed = Children(watch, tmp_path / "killed", url)
        members_into(killed.folder, 1000)

        def has_answers():  # in the state, before they are in the output
            logs = killed.folder.rglob("checkpoint.sqlite-wal")
            return any(log.stat().st_size > 100_000 for log in logs)

        places = ("--out", "o.csv", "--errors-to", "errors.csv")
        await killed.run("refresh", "members.csv", *BY, *places, *MANY, until=has_answers)
    assert (refused.codes, killed.codes) == ([77, 77, 77], [-9])
    for children in (refused, killed):
        children.look_at_files({"members.csv", "members.db"}, DATA)
    ended(stated, watch, refused, killed)


def ended(stated, watch, *runs):
    """State what came of it; each place has had something to look at."""
    assert all(watch.seen[place] for place in ("stdout", "stderr", "log", "ps")), watch.seen
    stated.came(
        tried=watch.seen.total(),
        failed=len(watch.found),
        figure=f"{sum(len(run.codes) for run in runs)} commands",
        why="\n".join(watch.found[:20]),
    )
