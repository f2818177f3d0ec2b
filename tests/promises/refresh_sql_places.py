"""Databases in which one refresh after another finds the members, and yesterday's balances.

The parent of all processes speaks to them without a loop and without a thread.
"""

import contextlib
import os
import shutil
import sqlite3
from itertools import count

from attrs import evolve

from tests.promises.refresh_run import CANARY
from tests.promises.refresh_sql_run import members, run

_NUMBERS = count()
YESTERDAY = "2026-11-25T03:00:00.000+00:00"
#: Some had other points yesterday, some were not asked about.
_CHANGED = """
    UPDATE {table} SET active_balance = '7' WHERE {key} LIKE '%3%';
    UPDATE {table} SET looked_up_at = '{then}', changed_at = '{then}' WHERE status <> 'failed';
    DELETE FROM {table} WHERE {key} LIKE '%9%';
"""
_MEMBERS = "CREATE TABLE members (id {int} PRIMARY KEY, email text, segment text)"


def _changed(table, key):
    key = f"CAST({key} AS text)"
    return _CHANGED.format(table=table, key=key, then=YESTERDAY).strip().split(";\n")


class SqlitePlace:
    """A file for each case, in `above`."""

    def __init__(self, above):
        self._above = above

    def job(self, job):
        """Prepare yesterday, by a refresh; `job`, with a DSN."""
        path = self._above / "yesterday.db"
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            database.execute(_MEMBERS.format(int="integer"))
            database.executemany("INSERT INTO members VALUES (?, ?, ?)", members(job))
        first = evolve(job, dsn=f"sqlite:///{path}", run_id="yesterday", files=False, faults=0.0)
        _refreshed(first)
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            for statement in _changed("balances", job.key or "member"):
                database.execute(statement)
        return job

    @contextlib.contextmanager
    def case(self, job, above):
        """`job`, in a database of its own."""
        path = above / "case.db"
        shutil.copyfile(self._above / "yesterday.db", path)
        yield evolve(job, dsn=f"sqlite:///{path}")

    def _fetched(self, job, query):
        path = job.dsn.removeprefix("sqlite:///")
        with contextlib.closing(sqlite3.connect(path)) as database:
            return database.execute(query).fetchall()

    def table(self, job):
        """All rows."""
        return self._fetched(job, "SELECT * FROM balances ORDER BY 1, 2, 3, 4, 5, 6")

    def state(self, job):
        """What lies in the table of states."""
        return self._fetched(job, "SELECT run_id, kind, content, known FROM altcraft_balance_state")


class PostgresPlace:
    """A schema for each case."""

    def __init__(self, dsn):
        self._dsn = dsn

    def _connected(self):
        import psycopg

        return psycopg.connect(self._dsn, autocommit=True)

    def _do(self, *statements):
        with self._connected() as connection:
            for statement in statements:
                connection.execute(statement)

    def job(self, job):
        """Prepare yesterday, by a refresh; `job`, with a DSN."""
        schema = f"yesterday_{next(_NUMBERS)}"
        self._do("DROP TABLE IF EXISTS members", _MEMBERS.format(int="bigint"))
        with self._connected() as connection, connection.cursor() as cursor:
            cursor.executemany("INSERT INTO members VALUES (%s, %s, %s)", list(members(job)))
        self._do(f"DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}")
        first = evolve(job, dsn=self._dsn, schema=schema, run_id="yesterday", files=False)
        _refreshed(evolve(first, faults=0.0))
        self._do(*_changed(f"{schema}.balances", job.key or "member"))
        self._yesterday = schema
        return evolve(job, dsn=self._dsn)

    @contextlib.contextmanager
    def case(self, job, above):
        """`job`, in a schema of its own."""
        schema = f"case_{above.name.replace('-', '_')}".lower()
        self._do(
            f"DROP SCHEMA IF EXISTS {schema} CASCADE",
            f"CREATE SCHEMA {schema}",
            *(
                f"CREATE TABLE {schema}.{name} (LIKE {self._yesterday}.{name} INCLUDING ALL);"
                f"INSERT INTO {schema}.{name} SELECT * FROM {self._yesterday}.{name}"
                for name in ("balances", "altcraft_balance_state")
            ),
        )
        yield evolve(job, schema=schema)
        self._do(f"DROP SCHEMA {schema} CASCADE")

    def _fetched(self, job, query):
        with self._connected() as connection:
            return connection.execute(query).fetchall()

    def table(self, job):
        """All rows."""
        return self._fetched(job, f"SELECT * FROM {job.table} ORDER BY 1, 2, 3, 4, 5, 6")

    def state(self, job):
        """What lies in the table of states."""
        name = f"{job.schema}.altcraft_balance_state"
        return self._fetched(job, f"SELECT run_id, kind, content, known FROM {name}")


def place_for(dsn, above):
    """The place that `dsn` names; "": SQLite files."""
    return PostgresPlace(dsn) if dsn else SqlitePlace(above)


def breaches_after_crash(there, job):
    """What is wrong with the table of states at any time: an address in it but in what was read."""
    for _, kind, content, known in there.state(job):
        held = bytes(content) + bytes(known or b"")
        if kind != "piece" and CANARY.encode() in held:
            yield f"a {kind} in the table of states holds an address"


def breaches_at_end(there, job, whole):
    """What is wrong with the tables when the run has finished; `whole` is an unkilled run's."""
    left = sorted({(run_id, kind) for run_id, kind, *_ in there.state(job) if kind != "end"})
    if left:
        yield f"left in the table of states: {left}"
    rows = there.table(job)
    if rows != whole:
        pairs = (pair for pair in zip(rows, whole, strict=False) if pair[0] != pair[1])
        first = str(next(pairs, ""))[:600]
        yield f"the table differs: {len(rows)} rows for {len(whole)}, such as {first}"


def _refreshed(job):
    """Do `job` here: what it imports and compiles is there for the forks."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    assert run(None, job, nowhere).is_finished
    os.close(nowhere)
