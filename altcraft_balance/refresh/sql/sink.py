"""``SqlSink``: a table of balances, which is brought up to date, and the run's state beside it."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.port import Cells, Opening, RowSink
from altcraft_balance.refresh.rows.delta import Amounts, Previous, RowKey
from altcraft_balance.refresh.sql.columns import TableColumns
from altcraft_balance.refresh.sql.database import Database, hidden
from altcraft_balance.refresh.sql.link import Link
from altcraft_balance.refresh.sql.locks import Locks, run_lock
from altcraft_balance.refresh.sql.shelf import StateTable
from altcraft_balance.refresh.sql.state import SqlState
from altcraft_balance.refresh.sql.table import BalanceTable
from altcraft_balance.secret import Secret
from altcraft_balance.validators import checked_wait

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["SqlSink"]

_log = logging.getLogger(__name__)
_KNOWN: Final = ("postgresql", "sqlite")
_NAME: Final = re.compile(r"(?:[^\W\d]\w{0,62}\.)?[^\W\d]\w{0,62}\Z")


class SqlSink(RowSink):
    """The table `table` of a database, made when it is missing; rows are known by their key.

    A row is what was last answered: ``total_balance``, ``active_balance`` (numeric),
    ``looked_up_at``, and ``previous_active_balance`` and ``changed_at`` since the amounts changed
    last. A lookup that failed changes ``status``, ``error_kind``, ``error_code``, ``error_text``
    and ``tried_at`` alone. Rows without a key or a program are not kept.

    What a run has written and how far it came are one commit: its state lies in the table
    ``altcraft_balance_state`` beside this one, and a process without a disk goes on from there.

    Args:
        table: its name, with a schema before a dot if it has one.
        dsn: SQLAlchemy's URL of the database, or a `Secret` that holds one; PostgreSQL or SQLite.
        key: a column of the source by which a member is known; None: the member's own.
        patience_s: for how many seconds a database that is away is waited for; then
            `ConnectionError` is raised, and the same call goes on.

    Attributes:
        tell: is told, in a sentence, when the database is away and when it is back; the log is,
            until another is set before a run.

    Raises:
        ConfigurationError: one of them cannot be, or the extra ``sql`` is not installed.
    """

    def __init__(
        self, table: str, dsn: str | Secret, *, key: str | None = None, patience_s: float = 600.0
    ) -> None:
        dsn = hidden(dsn)  # frames show their locals
        self._database = Database(dsn, "SqlSink")
        if self._database.dialect not in _KNOWN:
            raise ConfigurationError("SqlSink writes to PostgreSQL and SQLite only")
        if self._database.dialect == "sqlite" and self._database.file is None:
            raise ConfigurationError("SqlSink needs a database that stays: name a file")
        if not _NAME.match(table):
            raise ConfigurationError("table must be a name such as balances, or schema.balances")
        self.key, self._name, self._patience_s = key, table, checked_wait(patience_s, "patience_s")
        self.name = f"{self._database.shown}, table {table}"
        self.settings: Mapping[str, Any] = {"table": self.name, "key": key}
        self.previous = _Previous(self)
        self.tell: Callable[[str], object] = _log.warning
        self._taken: list[Cells] = []
        self._link: Link | None = None
        self._hurry_s: float | None = None
        self._state: SqlState | None = None
        self._table: BalanceTable | None = None

    async def run_state(self, run_id: str) -> SqlState:
        """The state of the run `run_id`, which is this process's until it is let go.

        Raises:
            ConfigurationError: another process works on the run, or on the table.
            ConnectionError: the database cannot be reached.
        """
        schema, _, table = self._name.rpartition(".")
        state = StateTable(schema or None)
        locks = Locks(self._database, schema or None, [f"table {table}", run_lock(run_id)])
        await locks.open()
        self._link = Link(self._database, self._patience_s, locks.take, self.tell)
        if self._hurry_s is not None:  # it came while the locks were taken
            self._link.hurry(self._hurry_s)
        run = self._state = SqlState(
            self._link,
            state,
            run_id,
            self._name,
            f"{self._database.shown}, table {state.table}",
            is_sqlite=self._database.dialect == "sqlite",
            flush=self._flush,
            flushed=self._taken.clear,
            let_go=partial(self._let_go, locks),
        )
        try:
            await self._link.open()
            await self._link.do(state.make)
            await run.begin()
        except BaseException:
            await self._let_go(locks)
            raise
        return run

    async def open(self, opening: Opening) -> None:
        """Make the table, or look at it.

        Raises:
            ConfigurationError: it is not as it has to be, or an unfinished run's changes are not
                in a file yet.
        """
        if opening.token is None and not opening.fresh:
            await self._look_for_others()
        columns = TableColumns(
            opening.columns, self.key, is_sqlite=self._database.dialect == "sqlite"
        )
        self._table = BalanceTable(self._database.dialect, self._name, columns)
        await self._linked().do(self._table.make)

    async def write(self, rows: Sequence[Cells]) -> None:
        """Take rows: they are written with the next commit of the state."""
        self._taken.extend(rows)

    async def sync(self) -> None:
        """What was taken is durable with the next commit of the state, or not known to anybody."""

    async def finish(self) -> None:
        """The table is always whole."""

    async def close(self) -> None:
        """What was not committed is forgotten."""
        self._taken.clear()

    async def discard(self) -> None:
        """Likewise: nobody's balance was touched."""
        await self.close()

    def hurry(self, seconds: float) -> None:
        """Wait no longer than `seconds` for a database that is away."""
        self._hurry_s = seconds
        if self._link is not None:
            self._link.hurry(seconds)

    async def amounts(self, keys: Sequence[RowKey]) -> list[Amounts | None]:
        """What the table has of each of `keys`."""
        table = self._table
        if table is None:
            raise RuntimeError("the sink is not open")
        return await self._linked().do(lambda connection: table.amounts(connection, keys))

    async def _look_for_others(self) -> None:
        """A new run takes the table over from those that were given up."""
        others = {} if self._state is None else await self._state.unfinished_others()
        for run_id, known in others.items():
            if "changes_to" in known.get("facts", {}):
                raise ConfigurationError(
                    f"the unfinished run {run_id} of {self._name} has changes that are in no "
                    "finished file yet: go on with it, end it with give_up=True, or lose them with "
                    "fresh=True"
                )
            self.tell(f"the unfinished run {run_id} of {self._name} is given up: this one begins")

    async def _flush(self, connection: AsyncConnection) -> None:
        if self._taken and self._table is not None:
            await self._table.write(connection, self._taken)

    async def _let_go(self, locks: Locks) -> None:
        link, self._link, self._hurry_s = self._link, None, None
        if link is not None:
            await link.close()
        await asyncio.to_thread(locks.let_go)

    def _linked(self) -> Link:
        if self._link is None:
            raise RuntimeError("the sink is not open")
        return self._link


class _Previous(Previous):
    """The amounts that the table has, before they are replaced."""

    fingerprint = "the table"

    def __init__(self, sink: SqlSink) -> None:
        self._sink, self.key = sink, sink.key

    async def lookup(self, keys: Sequence[RowKey]) -> list[Amounts | None]:
        """The amounts of each of `keys`."""
        return await self._sink.amounts(keys)
