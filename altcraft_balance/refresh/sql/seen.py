"""Runs whose state lies in a database, as it shows them to others."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.sql.database import Database
from altcraft_balance.refresh.sql.locks import lock_file, number_of, run_lock
from altcraft_balance.refresh.sql.shelf import BLOCK, END, StateTable
from altcraft_balance.refresh.sql.trouble import telling
from altcraft_balance.refresh.state.lock import is_locked
from altcraft_balance.refresh.state.seen import SeenRun, finished_run, unfinished_run
from altcraft_balance.secret import Secret

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["runs_in_database"]


async def runs_in_database(dsn: str | Secret) -> list[SeenRun]:
    """The runs of all tables of the database, by name.

    Raises:
        ConfigurationError: it is no such database, or a state cannot be read.
        ConnectionError: it cannot be reached.
    """
    database = Database(dsn, "the state of runs in a database")
    if await asyncio.to_thread(database.is_missing):
        raise ConfigurationError(f"there is no database {database.shown}")
    engine = database.engine()
    try:
        with telling(database.shown):
            async with engine.connect() as connection:
                return await _runs(connection, database)
    finally:
        await engine.dispose()


async def _runs(connection: AsyncConnection, database: Database) -> list[SeenRun]:
    seen: list[SeenRun] = []
    for schema in await _schemas(connection):
        rows = await _last_of_each(connection, StateTable(schema).table)
        locked = await _locked(connection, database, schema, {row.run_id for row in rows})
        seen += [_seen(row, locked, database.shown) for row in rows]
    return sorted(seen, key=lambda run: run.run_id)


async def _schemas(connection: AsyncConnection) -> list[str | None]:
    """Where there is a table of states."""
    from sqlalchemy import inspect, text

    name = StateTable(None).table.name
    if connection.dialect.name == "postgresql":
        wanted = text("SELECT schemaname FROM pg_tables WHERE tablename = :name ORDER BY 1")
        return list((await connection.scalars(wanted, {"name": name})).all())
    has_table = await connection.run_sync(lambda plain: inspect(plain).has_table(name))
    return [None] if has_table else []


async def _last_of_each(connection: AsyncConnection, table: Any) -> Sequence[Any]:
    """The row of each run that says how far it came; its end, its last block, or none of both."""
    from sqlalchemy import func, select

    c = table.columns
    last = (
        select(c.run_id, func.max(c.number).label("number"))
        .where(c.kind == BLOCK)
        .group_by(c.run_id)
        .subquery()
    )
    at_last = (c.run_id == last.c.run_id) & (c.number == last.c.number)
    blocks = select(c.run_id, c.kind, c.known).join(last, at_last & (c.kind == BLOCK))
    ends = select(c.run_id, c.kind, c.content.label("known")).where(c.kind == END)
    return (await connection.execute(ends.union_all(blocks))).all()


async def _locked(
    connection: AsyncConnection, database: Database, schema: str | None, run_ids: Collection[str]
) -> Collection[str]:
    """Which of these runs in `schema` a process works on now."""
    from sqlalchemy import text

    if (file := database.file) is not None:
        names = await asyncio.to_thread(_names_in, file)
        return {run_id for run_id in run_ids if run_lock(run_id) in names}
    if database.dialect != "postgresql":
        return ()
    held = await connection.scalars(
        text(
            "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks "
            "WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    )
    numbers = set(held.all())
    return {run_id for run_id in run_ids if number_of(str(schema), run_lock(run_id)) in numbers}


def _names_in(database: str) -> Collection[str]:
    """The names of the locks that whoever has the file of the database holds."""
    path = lock_file(database)
    with suppress(FileNotFoundError):  # it was let go meanwhile
        return path.read_text(encoding="utf-8").split("\n") if is_locked(path) else ()
    return ()


def _seen(row: Any, locked: Collection[str], where: str) -> SeenRun:
    known = orjson.loads(row.known)
    if row.kind == END:
        return finished_run(row.run_id, known, where)
    return unfinished_run(row.run_id, known, is_under_way=row.run_id in locked)
