"""What is PostgreSQL's own: a table that stays small, one time zone, threads that end."""

import asyncio
import threading

import psycopg
import pytest

from altcraft_balance.pace import ledger
from altcraft_balance.pace.store import StoreAway, Taken

pytestmark = pytest.mark.server


@pytest.fixture
def sql(postgres_server):
    """Runs a statement, beside the stores."""
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        yield lambda statement: connection.execute(statement)


SETTINGS = (
    "synchronous_commit",
    "TimeZone",
    "statement_timeout",
    "idle_in_transaction_session_timeout",
)


def table(name):
    return f'"ratelimit___{name}"'


async def take_all(store, count):
    """Takes until `count` permits were granted."""
    while count > 0:
        taken = await store.take(count)
        count -= taken.granted
        await asyncio.sleep(taken.retry_after_s)


async def test_the_table_stays_small(postgres_server, opened, name, sql, monkeypatch):
    """Rows of windows gone by are deleted, so that a take reads few."""
    monkeypatch.setattr(ledger, "_SWEEP_EVERY_S", (0.0, 0.0))
    await take_all(opened(postgres_server.url, 1000, burst=10), 300)
    assert sql(f"SELECT count(*) FROM {table(name)}").fetchone()[0] <= 300
    store = opened(postgres_server.url, 9)  # a window of 115 ms
    await take_all(store, 3)
    assert sql(f"SELECT count(*) FROM {table(name)}").fetchone()[0] <= 2


async def test_a_time_zone_changes_nothing(postgres_server, opened):
    """Sessions in different time zones count the same permits."""
    zones = [
        f"{postgres_server.url}?options=-c%20TimeZone%3D{zone}"
        for zone in ("Asia/Tokyo", "PST8PDT")
    ]
    first, second = (opened(url, 0.5, burst=2) for url in zones)
    assert [(await store.take(1)).granted for store in (first, second, first, second)] == [
        1,
        1,
        0,
        0,
    ]


async def test_a_table_that_was_dropped_is_made_again(postgres_server, opened, name, sql):
    """Somebody tidies up: the next take goes on."""
    store = opened(postgres_server.url)
    await store.take(1)
    sql(f"DROP TABLE {table(name)}")
    assert (await store.take(1)).granted == 1


async def test_who_comes_meanwhile_waits_for_the_turn(postgres_server, opened, name, sql):
    """Takes of several processes leave no errors in the server's log, though each locks a table."""
    said = len(postgres_server.said())
    stores = [opened(postgres_server.url, 1000) for _ in range(5)]
    await asyncio.gather(*(take_all(store, 60) for store in stores))
    assert "ERROR" not in postgres_server.said()[said:]
    assert sql(f"SELECT count(*) FROM {table(name)}").fetchone()[0] == 300


async def test_a_locked_table_is_asked_again_soon(postgres_server, opened, name, sql):
    """While a vacuum has the table locked, a take waits some milliseconds and is no error."""
    store = opened(postgres_server.url)
    await store.take(1)
    sql("BEGIN")
    sql(f"LOCK TABLE {table(name)} IN EXCLUSIVE MODE")
    assert await store.take(1) == Taken(0, retry_after_s=0.005)
    sql("COMMIT")
    assert (await store.take(1)).granted == 1


async def test_who_falls_silent_loses_the_turn(postgres_server, opened):
    """A process that stands still in the middle of a take keeps nobody from theirs for long."""
    silent, other = opened(postgres_server.url), opened(postgres_server.url)
    await other.take(1)
    with pytest.raises(psycopg.Error), silent._ledger.link.turn():
        assert (await other.take(1)).granted == 1
    assert (await silent.take(1)).granted == 1


async def test_a_clock_that_was_set_back_is_a_store_away(postgres_server, opened, name, sql):
    """Permits that were taken in the future would be waited for until then."""
    store = opened(postgres_server.url, 0.5, burst=1)
    await store.take(1)
    sql(f"UPDATE {table(name)} SET item_timestamp = item_timestamp + interval '1 hour'")
    with pytest.raises(StoreAway, match="clock was set back"):
        await store.take(1)


async def test_what_it_sets_ends_with_each_take(postgres_server, opened, name, sql):
    """A pooler may give the session to a stranger, who must find the server's own settings."""
    store = opened(postgres_server.url)
    await store.take(1)
    link = store._ledger.link
    with link.turn(), link.connection() as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("off",)
    for setting in SETTINGS:
        with link.connection() as connection:
            theirs = connection.execute(f"SHOW {setting}").fetchone()
        assert theirs == sql(f"SHOW {setting}").fetchone()


async def test_a_closed_store_leaves_no_thread(postgres_server, opened):
    """Its one thread ends with it."""
    store = opened(postgres_server.url)
    await store.take(1)
    ours = [one for one in threading.enumerate() if one.name.startswith("altcraft-balance-rate")]
    assert len(ours) == 1
    await store.aclose()
    ours[0].join(timeout=5)
    assert not ours[0].is_alive()
