"""Nights of a table in PostgreSQL, past a platform in memory: rows a second, and remains.

    python -m benchmarks.sql --rows 200000

Starts a PostgreSQL of its own. Prints as JSON the rows a second: of the bare stream, which is all
that the lookups cost; of a first night; of one in which the lookups cost nothing, since a stub in
the stream's place answers; and of a second night, in which 3 % of the balances are others, with its
dead rows, its updates within a page, its bytes of write-ahead log, and how many changes there are.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import psycopg

from altcraft_balance.client import BalanceClient
from altcraft_balance.models import Balance, ByEmail, Found
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


class Instant(BalanceClient):
    """A client whose lookups cost nothing: everybody has the same, at once."""

    @asynccontextmanager
    async def stream_balances(self, source, **_):
        balance = Balance(
            total_balance=Decimal("991.70"),
            active_balance=Decimal("694.10"),
            loyalty_program_id=123,
            looked_up_at=datetime.now(UTC),
        )

        async def outcomes():
            async for query in source:
                yield Found(query=query, index=0, balance=balance, attempts=1, requests=1)

        yield outcomes()


def client_of(kind, night=1):
    return kind(
        "https://altcraft.example",
        token="t0ken",
        loyalty_program_id=123,
        transport=Platform(night),
        limits=Limits(concurrency=64),
    )


async def stream(rows):
    """Look everybody up, and write nothing; seconds."""
    began = time.monotonic()
    async with client_of(BalanceClient) as client:
        members = (f"m{number}@example.com" for number in range(1, rows + 1))
        async with client.stream_balances(members, by=ByEmail) as outcomes:
            async for _ in outcomes:
                pass
    return time.monotonic() - began


async def night(number, dsn, changes, *, kind=BalanceClient, table="balances"):
    """Refresh everybody; seconds."""
    began = time.monotonic()
    async with client_of(kind, number) as client:
        summary = await refresh_balances(
            SqlSource(QUERY, dsn),
            SqlSink(table, dsn),
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
        stream_s = asyncio.run(stream(rows))
        free_s = asyncio.run(night(1, dsn, None, kind=Instant, table="instant"))
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
        "stream_rows_per_s": round(rows / stream_s),
        "first_night_rows_per_s": round(rows / first_s),
        "rows_per_s_when_lookups_cost_nothing": round(rows / free_s),
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
