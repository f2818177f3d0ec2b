"""Two nights of a table in PostgreSQL, past a platform in memory: rows a second, and remains.

    python benchmarks/sql.py --rows 200000

Starts a PostgreSQL of its own. On the second night 3 % of the balances are others. Prints as JSON
the rows written a second, and of the second night the dead rows, the updates within a page, the
bytes of write-ahead log, and how many changes there are.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from altcraft_balance.client import BalanceClient
from altcraft_balance.refresh.files.csv_file import CsvSink
from altcraft_balance.refresh.job import refresh_balances
from altcraft_balance.refresh.sql.sink import SqlSink
from altcraft_balance.refresh.sql.source import SqlSource
from altcraft_balance.settings import Limits
from altcraft_balance.transport.port import RawReply
from tests.servers import PostgresServer

QUERY = "SELECT id, email FROM members ORDER BY id"
MEMBERS = """
    CREATE TABLE members (id bigint PRIMARY KEY, email text);
    INSERT INTO members SELECT n, 'm' || n || '@example.com' FROM generate_series(1, {rows}) n;
"""
STATS = """
    SELECT n_dead_tup AS dead_rows, n_tup_upd AS updated, n_tup_hot_upd AS updated_in_page
    FROM pg_stat_user_tables WHERE relname = 'balances'
"""


class Platform:
    """Answers at once; on the second night three of a hundred have other points."""

    def __init__(self, night):
        self._night = night

    async def open(self, *, warm=0):
        pass

    async def aclose(self):
        pass

    async def send(self, body, headers, *, limit_s, fresh=False):
        number = int(json.loads(bytes(body))["email"].partition("@")[0][1:])
        more = self._night if number % 100 < 3 else 0
        points = {"total_balance": number + more, "active_balance": number + more}
        return RawReply(200, {}, json.dumps({"error": 0, "data": points}).encode())


async def night(number, dsn, changes):
    """Refresh everybody; seconds."""
    client = BalanceClient(
        "https://altcraft.example",
        token="t0ken",
        loyalty_program_id=123,
        transport=Platform(number),
        limits=Limits(concurrency=64),
    )
    began = time.monotonic()
    async with client:
        summary = await refresh_balances(
            SqlSource(QUERY, dsn),
            SqlSink("balances", dsn),
            client,
            by="email",
            changes_to=None if changes is None else CsvSink(changes),
        )
    assert summary.is_finished
    return time.monotonic() - began


def figures(dsn, rows, folder):
    """Both nights."""
    with psycopg.connect(dsn, autocommit=True, row_factory=psycopg.rows.dict_row) as database:

        def one(query):
            return database.execute(query).fetchone()

        database.execute(MEMBERS.format(rows=rows))
        first_s = asyncio.run(night(1, dsn, None))
        database.execute("ALTER TABLE balances SET (autovacuum_enabled = off)")
        database.execute("VACUUM ANALYZE balances")
        before = one(STATS)
        began_at = one("SELECT pg_current_wal_lsn()::text AS at")["at"]
        second_s = asyncio.run(night(2, dsn, folder / "changes.csv"))
        wal = one(f"SELECT pg_current_wal_lsn() - '{began_at}' AS bytes")["bytes"]
        time.sleep(1.5)  # the server's statistics come a little later
        after = one(STATS)
    changes = sum(1 for _ in (folder / "changes.csv").open()) - 1
    return {
        "rows": rows,
        "first_night_rows_per_s": round(rows / first_s),
        "second_night_rows_per_s": round(rows / second_s),
        "changes": changes,
        "dead_rows": after["dead_rows"],
        "updated": after["updated"] - before["updated"],
        "updated_in_page": after["updated_in_page"] - before["updated_in_page"],
        "wal_bytes": int(wal),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    rows = parser.parse_args().rows
    server = PostgresServer()
    try:
        server.prepare()
        server.start()
        with tempfile.TemporaryDirectory() as folder:
            found = figures(server.url, rows, Path(folder))
    finally:
        server.remove()
    sys.stdout.write(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
