"""`refresh` and `status` with a PostgreSQL of our own, which goes away and comes back."""

import json
import logging
import signal
import time

import pytest

from tests.cli.refreshing import json_lines, one_sentence

pytest.importorskip("sqlalchemy")
pytest.importorskip("asyncpg")
psycopg = pytest.importorskip("psycopg")
pytestmark = pytest.mark.server

MEMBERS = 1_500
QUERY = "select n as id, 'member' || n || '@example.com' as email from generate_series(1, {}) n"
BY = ("--by", "email")
FROM = ("--from-dsn-env", "MY_DSN", *BY, "--key", "id")


@pytest.fixture
def postgres(one_postgres, tmp_path, monkeypatch):
    """One that answers and has no table; its URL has a password, which it does not look at."""
    one_postgres.start()
    with psycopg.connect(one_postgres.url, autocommit=True) as connection:
        # Others' too: it is the whole suite's server, and `status` looks into every schema.
        theirs = "nspname !~ '^pg_' AND nspname <> 'information_schema'"
        for (schema,) in connection.execute(f"SELECT nspname FROM pg_namespace WHERE {theirs}"):
            connection.execute(f'DROP SCHEMA "{schema}" CASCADE')
        connection.execute("CREATE SCHEMA public")
    monkeypatch.setenv("MY_DSN", one_postgres.url.replace("postgres@", "postgres:canary@"))
    monkeypatch.chdir(tmp_path)
    return one_postgres


def _rows(postgres, table="balances"):
    with psycopg.connect(postgres.url) as connection:
        return connection.execute(f"SELECT id, status FROM {table} ORDER BY id").fetchall()


def _wait_for(condition, process, limit_s=30):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.fixture
def start(child, serve, monkeypatch, postgres):
    """Start a refresh against a slow server, and wait until some are asked."""
    with serve(latency_s=0.05) as server:
        monkeypatch.setenv("ALTCRAFT_BASE_URL", server.url)
        monkeypatch.setenv("ALTCRAFT_TOKEN", "sandbox-token")
        monkeypatch.setenv("ALTCRAFT_LOYALTY_PROGRAM_ID", "123")

        def started(*arguments):
            query = QUERY.format(MEMBERS)
            table = ("--to-sql", "balances", "--progress", "plain", *arguments)
            process = child("refresh", "--from-sql", query, *FROM, *table)
            before = server.requests
            # More than may be asked before a block is committed.
            _wait_for(lambda: server.requests > before + 700, process)
            return process

        yield started


def test_passwords_and_members_are_shown_nowhere(command, server, postgres, tmp_path, caplog):
    """Neither in a log at DEBUG, nor in what is said, nor in the summary, nor in errors."""
    caplog.set_level(logging.DEBUG)
    query = ("--from-sql", QUERY.format(20), *FROM)
    for table, code in (("balances", 0), ("nowhere.balances", 2)):
        summary = ("--summary", "s.json", "--progress", "json")
        ended = command("refresh", *query, "--to-sql", table, *summary)
        assert ended.code == code, ended.err
        seen = f"{ended}{(tmp_path / 's.json').read_text()}{caplog.text}"
        assert "canary" not in seen
        assert "@example.com" not in seen
    assert json_lines(ended.err) == []
    assert 'schema "nowhere" does not exist' in ended.err
    assert _rows(postgres) == [(number, "found") for number in range(1, 21)]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("selekt 1", 'syntax error at or near "selekt"'),
        ("select * from members", 'relation "members" does not exist'),
        ("create table m (a int)", "the query must be one that reads, and gives rows"),
        (
            "select n as id, (1 / (n - 5000))::text as email from generate_series(1, 9000) n",
            ": DivisionByZeroError 22012",
        ),
    ],
)
def test_what_the_database_refuses_is_one_sentence(command, server, postgres, query, words):
    """Its own first line, which speaks of the query alone."""
    said = one_sentence(command("refresh", "--from-sql", query, *FROM, "--to-sql", "balances"))
    assert words in said
    assert "canary" not in said


def test_a_database_that_does_not_let_us_in_is_one_sentence(command, server, postgres, monkeypatch):
    """It will not tomorrow either: exit 2."""
    url = postgres.url.replace("postgres@", "nobody:canary@")
    arguments = ("--from-sql", "select 1", *FROM, "--to-sql", "balances")
    said = one_sentence(command("refresh", *arguments, MY_DSN=url))
    assert 'role "nobody" does not exist' in said
    assert "canary" not in said


def test_a_database_that_comes_back_is_waited_for(start, postgres):
    """The user sees that it is away and that it is back, and what was lost by it."""
    process = start("--summary", "s.json")
    postgres.stop()
    assert _line_with(process, " is away: ").endswith("; it is waited for, 600 s at most\n")
    postgres.start()
    assert _line_with(process, " is back").startswith("postgresql://postgres@127.0.0.1:")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "finished" in out
    assert _rows(postgres) == [(number, "found") for number in range(1, MEMBERS + 1)]


def _line_with(process, words):
    while words not in (line := process.stderr.readline()):
        assert line, "it has ended"
    return line


def test_patience_ends_and_the_same_command_goes_on(start, postgres):
    """Exit 75, and no row is asked about that was committed."""
    process = start("--sink-patience", "1s")
    postgres.stop()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 75, err
    assert err.splitlines()[-1].startswith("Error: postgresql://postgres@127.0.0.1:")
    assert err.endswith("; run the same command again when it is back\n")
    postgres.start()
    out, err = start("--sink-patience", "1s").communicate(timeout=60)
    assert "in 2 processes" in out, err
    assert len(_rows(postgres)) == MEMBERS


@pytest.mark.slow
def test_a_signal_ends_the_waiting(start, postgres):
    """Within the grace, whatever the patience."""
    process = start()
    postgres.stop()
    _line_with(process, " is away: ")
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 75, err
    assert time.monotonic() - began < 20  # the grace of ten, and room for a busy machine
    assert "Traceback" not in err


def _runs(postgres, text):
    """Whether a query with this in it runs now, beside this one."""
    wanted = f"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%{text}%'"
    with psycopg.connect(postgres.url) as connection:
        return connection.execute(wanted).fetchone()[0] > 1


def test_a_query_is_left_while_it_runs(child, server, postgres):
    """Nothing was asked, and nothing is left in the database."""
    sleep = "select pg_sleep(600)::text as email"
    places = ("--from-dsn-env", "MY_DSN", "--out", "o.csv")
    process = child("refresh", "--from-sql", sleep, *places, *BY)
    _wait_for(lambda: _runs(postgres, "sleep(600)"), process)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 75, err
    assert time.monotonic() - began < 20  # the grace of ten, and room for a busy machine
    assert err.endswith("Error: stopped before anything was asked\n")
    assert not _runs(postgres, "sleep(600)")


def test_a_database_that_goes_while_it_is_read_is_75(child, server, postgres):
    """The query is run anew by the same command."""
    slow = "select n || '@example.com' as email, pg_sleep(0.001) from generate_series(1, 100000) n"
    places = ("--from-dsn-env", "MY_DSN", "--out", "o.csv")
    process = child("refresh", "--from-sql", slow, *places, *BY)
    _wait_for(lambda: _runs(postgres, "sleep(0.001)"), process)
    postgres.stop()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 75, err
    assert err.startswith("Error: postgresql://postgres@127.0.0.1:")
    assert "cannot be reached: " in err
    assert server.requests == 0


def test_status_shows_the_runs_of_a_database(start, command, postgres):
    """Under way, unfinished and finished, in whatever schema; looking takes no lock."""

    def seen():
        ended = command("status", "--dsn-env", "MY_DSN", "--json")
        assert (ended.code, ended.err) == (0, "")
        return [(run["run_id"], run["state"]) for run in json.loads(ended.out)["runs"]]

    assert seen() == []
    process = start("--run-id", "nightly")
    assert seen() == [("nightly", "under way")]
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    assert seen() == [("nightly", "unfinished")]
    _, err = start("--run-id", "nightly").communicate(timeout=60)
    assert seen() == [("nightly", "finished")], err
    shown = command("status", "--dsn-env", "MY_DSN").out
    assert "Rows      1,500 of 1,500" in shown
    assert "canary" not in shown
