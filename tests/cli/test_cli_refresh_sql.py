"""`refresh` from a query and into a table, of SQLite and of PostgreSQL."""

import json
import os
import signal
import socket
import sqlite3
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from altcraft_balance.models import ByEmail
from tests.cli.refreshing import (
    address,
    assert_right,
    json_lines,
    one_sentence,
    rows_of,
    write_members,
)

pytest.importorskip("sqlalchemy")
pytest.importorskip("aiosqlite")

BY = ("--by", "email")
QUERY = "select id, email from members order by id"
FROM = ("--from-sql", QUERY, "--from-dsn", "sqlite:///m.db")
TO = ("--to-sql", "balances", "--to-dsn", "sqlite:///b.db")
MEMBERS = 20


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder in which the command runs, with a database of members."""
    monkeypatch.chdir(tmp_path)
    with closing(sqlite3.connect("m.db")) as database:
        database.execute("CREATE TABLE members (id INTEGER, email TEXT)")
        rows = [(number, address(number)) for number in range(MEMBERS)]
        database.executemany("INSERT INTO members VALUES (?, ?)", rows)
        database.commit()
    return tmp_path


def _table(path="b.db", name="balances"):
    """The rows of a table of balances, by member."""
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        found = database.execute(f"SELECT * FROM {name} ORDER BY rowid").fetchall()
    return [dict(row) for row in found]


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_query_becomes_a_file(command, server, folder):
    """As a file of members would; the state lies beside the output."""
    ended = command("refresh", *FROM, *BY, "--out", "o.csv")
    assert ended.code == 0, ended.err
    assert_right(rows_of(folder / "o.csv"), server, MEMBERS)
    assert "the query on sqlite:///m.db: 20 rows were read, and lie in " in ended.err
    assert _names(folder) == [".altcraft-balance", "m.db", "o.csv"]


def test_a_query_goes_to_standard_output(command, child, server, folder):
    """Rows alone are on it, and nothing is left."""
    process = child("refresh", *FROM, *BY, "--out", "-", "--limit", "3")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert [line.split(",")[0] for line in out.splitlines()] == ["member", *map(address, range(3))]
    assert _names(folder) == ["m.db"]


def test_a_query_becomes_a_table_of_its_database(command, server, folder):
    """Without --to-dsn; the state is there as well, and the folder gets nothing."""
    ended = command("refresh", *FROM, *BY, "--to-sql", "balances", "--key", "id")
    assert ended.code == 0, ended.err
    assert "Output    sqlite:///m.db, table balances" in ended.out
    rows = _table("m.db")
    assert [row["id"] for row in rows] == list(range(MEMBERS))
    for row in rows:
        truth = server.balance_of(ByEmail(row["member"]), loyalty_program_id=123)
        assert float(row["total_balance"]) == float(truth.total_balance)
    assert _names(folder) == ["m.db"]


def test_a_file_becomes_a_table_and_a_repeat_sends_nothing(command, server, folder):
    """A file has the same rows as before, which a query need not."""
    write_members(folder / "m.csv", MEMBERS)
    arguments = ("refresh", "m.csv", *BY, *TO)
    assert command(*arguments).code == 0
    ended = command(*arguments)
    assert (ended.code, server.requests) == (0, MEMBERS)
    assert " has finished before, on 20" in ended.out
    assert "sqlite:///b.db, table balances has its rows; to ask anew, add --fresh, or" in ended.out
    assert command(*arguments, "--fresh").code == 0
    assert server.requests == 2 * MEMBERS
    assert len(_table()) == MEMBERS


def test_a_second_night_of_a_query_asks_anew(command, server, folder):
    """Unless its run has a name, and has finished."""
    for _ in range(2):
        assert command("refresh", *FROM, *BY, *TO).code == 0
    assert server.requests == 2 * MEMBERS
    named = ("refresh", *FROM, *BY, *TO, "--run-id", "monday")
    assert command(*named).code == 0
    assert "the run monday has finished before" in command(*named).out
    assert server.requests == 3 * MEMBERS


def test_a_table_and_a_file_get_the_same(command, server, folder):
    """Both are whole, and what changed is in the changes: nothing on the second night."""
    places = (*TO, "--out", "o.csv", "--changes-to", "c.csv", "--overwrite")
    assert command("refresh", *FROM, *BY, *places).code == 0
    assert_right(rows_of(folder / "o.csv"), server, MEMBERS)
    assert len(_table()) == MEMBERS
    server.set_balance(ByEmail(address(7)), total_balance=1)
    assert command("refresh", *FROM, *BY, *places).code == 0
    (changed,) = rows_of(folder / "c.csv")
    assert (changed["member"], changed["active_balance"]) == (address(7), "1")
    assert not (folder / ".altcraft-balance").exists()


def test_an_earlier_output_is_compared_with(command, server, folder):
    """Without a table; only who differs is in the changes."""
    assert command("refresh", *FROM, *BY, "--out", "monday.csv").code == 0
    server.set_balance(ByEmail(address(7)), total_balance=1)
    changes = ("--changes-to", "c.csv", "--previous", "monday.csv")
    ended = command("refresh", *FROM, *BY, "--out", "tuesday.csv", *changes)
    assert ended.code == 0, ended.err
    assert [row["member"] for row in rows_of(folder / "c.csv")] == [address(7)]


def test_errors_of_a_query_are_a_file(command, server, folder):
    """With the query's columns: the input of another run."""
    server.remove(ByEmail(address(3)))
    ended = command("refresh", *FROM, *BY, *TO, "--errors-to", "e.csv", "--max-failed", "1")
    assert ended.code == 0, ended.err
    assert rows_of(folder / "e.csv") == [{"id": "3", "email": address(3)}]


def test_a_dry_run_reads_the_query_alone(command, server, folder):
    """It needs no token, makes no database, and counts what is asked for."""
    variables = {"ALTCRAFT_TOKEN": ""}
    ended = command("refresh", *FROM, *BY, *TO, "--dry-run", "--limit", "10", **variables)
    assert (ended.code, ended.err) == (0, "")
    assert "Rows       10" in ended.out
    assert ended.out.endswith("Nothing was sent.\n")
    assert (
        command("refresh", *FROM, *BY, *TO, "--dry-run", "--sample", "0.5", **variables).code == 0
    )
    assert (server.connections, _names(folder)) == (0, ["m.db"])


def test_the_summary_tells_of_the_table(command, server, folder):
    """Of source and sink what people may see."""
    command("refresh", *FROM, *BY, *TO, "--summary", "s.json", "--progress", "json")
    said = json.loads((folder / "s.json").read_text())
    assert (said["state"], said["rows"], said["total"]) == ("finished", MEMBERS, MEMBERS)
    assert said["source"] == "the query on sqlite:///m.db"
    assert said["output"] == "sqlite:///b.db, table balances"
    assert said["settings"]["output"][2] == {"table": said["output"], "key": None}


def test_progress_for_programs_has_the_notice(command, server, folder):
    """How large what was read is; and with `off` nobody is told."""
    ended = command("refresh", *FROM, *BY, *TO, "--progress", "json")
    notice, *others = json_lines(ended.err)
    assert "20 rows were read" in notice["notice"]
    assert others[-1]["state"] == "finished"
    assert command("refresh", *FROM, *BY, *TO, "--progress", "off").err == ""


def test_a_state_of_ones_own_is_refused(command, server, folder):
    """It lies in the database."""
    ended = command("refresh", *FROM, *BY, *TO, "--state", "s")
    assert ended.err == "Error: --state cannot be given: it lies in the sink's database\n"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_the_way_is_guessed_on_a_terminal(child, server, folder, monkeypatch):
    """By the query's columns; what was looked into to guess is read all the same."""
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = os.openpty()
    process = child("refresh", *FROM, *TO, stdin=theirs, stderr=theirs)
    os.close(theirs)
    process.wait(60)
    told = os.read(ours, 100_000).decode()
    os.close(ours)
    assert process.returncode == 0, told
    assert "taking column 'email' as the member's e-mail: --by email" in told
    assert len(_table()) == MEMBERS


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_a_query_is_left_while_it_runs(child, server, folder, arguments):
    """SQLite's thread too, which knows nothing of the loop; nothing is left behind."""
    for_ever = (
        "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n"
    )
    source = ("--from-sql", for_ever, "--from-dsn", "sqlite:///m.db")
    process = child("refresh", *source, *BY, "--out", "o.csv", *arguments)
    _wait_for_descriptor(process, folder / "m.db")
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 75, err
    assert time.monotonic() - began < 20  # the grace of ten, and room for a busy machine
    assert err.splitlines()[-1].startswith("Error: stopped")
    assert "Traceback" not in err
    assert _names(folder) == ["m.db"]


def test_a_database_that_is_away_is_75(command, server, folder, tmp_path):
    """At the very start, of the source and of the sink; the summary says why."""
    pytest.importorskip("asyncpg")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    away = {"DSN": f"postgresql://app:canary@127.0.0.1:{port}/main"}
    for places in (
        ("--from-sql", QUERY, "--from-dsn-env", "DSN", "--out", "o.csv"),
        (*FROM, "--to-sql", "balances", "--to-dsn-env", "DSN"),
    ):
        ended = command("refresh", *places, *BY, "--summary", "s.json", **away)
        said = one_sentence(ended, 75)
        assert said.startswith(f"postgresql://app@127.0.0.1:{port}/main cannot be reached: ")
        assert said.endswith("; run the same command again when it is back")
        summary = json.loads((folder / "s.json").read_text())
        assert (summary["state"], summary["reason"]) == ("broken", said.partition("; run")[0])
    assert server.requests == 0


def _wait_for_descriptor(process, path):
    """Until the process has `path` open: the query begins in the next moment."""
    descriptors, end = Path(f"/proc/{process.pid}/fd"), time.monotonic() + 30
    while not any(_leads_to(link, path) for link in descriptors.iterdir()):
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.01)


def _leads_to(link, path):
    with suppress(FileNotFoundError):
        return link.readlink() == path
    return False
