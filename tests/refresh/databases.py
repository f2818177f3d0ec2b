"""Real databases for refreshes, one for each test: SQLite files, and databases of a PostgreSQL."""

import contextlib
import itertools
import sqlite3
from pathlib import Path

from altcraft_balance.refresh.sql.sink import SqlSink
from altcraft_balance.refresh.sql.source import SqlSource

_NUMBERS = itertools.count()
TIMES = ("looked_up_at", "changed_at", "tried_at")
QUERY = "SELECT id, email FROM members ORDER BY id"


class Sqlite:
    """The file `path`."""

    kind = "sqlite"

    def __init__(self, path):
        self.path, self.dsn = Path(path), f"sqlite:///{path}"

    def fetch(self, query, *values):
        """The rows of a query, as dicts."""
        with contextlib.closing(sqlite3.connect(self.path)) as database, database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(query, values)]

    do = fetch

    def tables(self):
        """The names of all tables."""
        return {row["name"] for row in self.fetch("SELECT name FROM sqlite_master")}


class Postgres:
    """A database of its own in the server `server`."""

    kind = "postgresql"

    def __init__(self, server):
        self.name = f"night_{next(_NUMBERS)}"
        self._admin = server.url
        self._run(server.url, f"CREATE DATABASE {self.name}")
        self.dsn = f"{server.url.rpartition('/')[0]}/{self.name}"

    def _run(self, dsn, query, *values):
        import psycopg
        from psycopg.rows import dict_row

        with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def fetch(self, query, *values):
        """The rows of a query, as dicts."""
        return self._run(self.dsn, query.replace("?", "%s"), *values)

    do = fetch

    def sessions(self):
        """The sessions of others in it, by what they do."""
        return self._run(
            self._admin,
            "SELECT pid, state FROM pg_stat_activity WHERE datname = %s",
            self.name,
        )

    def end_sessions(self, but=0):
        """End all sessions in it but one; how many there were."""
        query = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = %s AND pid <> %s"
        )
        return len(self._run(self._admin, query, self.name, but))

    def tables(self):
        """The names of all tables."""
        query = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        return {row["table_name"] for row in self.fetch(query)}


def with_members(database, rows):
    """`database`, with a table of members m0@example.com and so on, of ids from 0."""
    database.do("CREATE TABLE members (id bigint PRIMARY KEY, email text)")
    values = ", ".join(f"({number}, 'm{number}@example.com')" for number in range(rows))
    if rows:
        database.do(f"INSERT INTO members VALUES {values}")
    return database


def source(database, query=QUERY):
    return SqlSource(query, database.dsn)


def sink(database, table="balances", **options):
    return SqlSink(table, database.dsn, **options)


def balances(database, table="balances"):
    """The rows of the table of balances, by member, program and currency."""
    rows = database.fetch(f"SELECT * FROM {table} ORDER BY loyalty_program_id, currency")
    key = "member" if rows and "member" in rows[0] else "id"
    return {row[key]: row for row in sorted(rows, key=lambda row: str(row[key]))}


def states(database):
    """Which kinds of rows the table of states has, by run."""
    return database.fetch(
        "SELECT run_id, kind, number FROM altcraft_balance_state ORDER BY 1, 2, 3"
    )


def timeless(rows):
    """`rows` without what time decides."""
    return {
        key: {name: value for name, value in row.items() if name not in TIMES}
        for key, row in rows.items()
    }
