"""A small refresh of a database in a process of its own: always the same rows, answers and times.

The second night of a table: everybody of `members` is in it, but for some who are new, and some of
those who are there have had other points.
"""

import asyncio

from attrs import field, frozen

from altcraft_balance.client import BalanceClient
from altcraft_balance.models import CurrencyEid
from altcraft_balance.refresh import spooled, watch, writer
from altcraft_balance.refresh.files.csv_file import CsvSink
from altcraft_balance.refresh.job import refresh_balances
from altcraft_balance.refresh.rows import answer
from altcraft_balance.refresh.sql import table
from altcraft_balance.refresh.sql.sink import SqlSink
from altcraft_balance.refresh.sql.source import SqlSource
from altcraft_balance.session import attempt
from altcraft_balance.settings import Limits, RetryPolicy
from altcraft_balance.transport.port import RawReply
from tests.promises.refresh_run import CANARY, IN_FLIGHT, STRANGER, FixedClock, Job, Platform

QUERY = "SELECT id, email, segment FROM members ORDER BY id"
FAILS = b'{"error": 500, "error_text": "Boom"}'


@frozen(kw_only=True)
class SqlJob(Job):
    """What is run.

    Attributes:
        dsn: the database of both the members and the balances.
        schema: of the balances.
        files: whether there are files beside the table: the same rows, the errors, the changes.
        key: the column by which the table knows a member; None: the member's own.
        all_fail: every lookup fails.
    """

    dsn: str = field(repr=False)
    schema: str = ""
    files: bool = False
    key: str | None = "id"
    patience_s: float = 20.0
    all_fail: bool = False
    rows: int = 60

    @property
    def table(self):
        """The name of the table of balances."""
        return f"{self.schema}.balances" if self.schema else "balances"

    def outputs(self, folder):
        return [folder / f"{name}.csv" for name in ("out", "errors", "changes")] * self.files


class SqlPlatform(Platform):
    """Answers f(member), or fails always."""

    async def send(self, body, headers, *, limit_s, fresh=False):
        reply = await super().send(body, headers, limit_s=limit_s, fresh=fresh)
        return RawReply(200, {}, FAILS) if self._job.all_fail else reply


def members(job):
    """The rows of `members`: two of them have no address, and one address stands there twice."""
    for number in range(job.rows):
        email = {11: None, 12: "no address"}.get(number % 31, f"m{number:05}@{CANARY}")
        if number % 41 == 40:
            email = f"m{number - 1:05}@{CANARY}"
        yield number, email, f'gold, "{number % 3}"'


async def refresh(folder, job, log, *, transport=None, **further):
    """Run `job`, or what is left of it; its summary."""
    if not job.faults:
        for module in (attempt, answer, watch, table):
            module.datetime = FixedClock
    if job.block_rows:
        writer._BLOCK_ROWS = job.block_rows
        writer._ROWS_AT_ONCE = job.uncommitted_rows
        spooled.PIECE_ROWS = job.block_rows
    client = BalanceClient(
        "https://altcraft.example",
        token="t0ken",
        loyalty_program_id=123,
        transport=transport or SqlPlatform(job, log),
        limits=Limits(concurrency=IN_FLIGHT),
        retry=RetryPolicy(max_attempts=1 if job.all_fail else 20, base_s=0.001, cap_s=0.01),
        not_a_member={STRANGER},
    )
    sinks = [SqlSink(job.table, job.dsn, key=job.key, patience_s=job.patience_s)]
    if job.files:
        out, errors, changes = (CsvSink(path, overwrite=True) for path in job.outputs(folder))
        sinks, further = [out, *sinks], {"errors_to": errors, "changes_to": changes, **further}
    async with client:
        return await refresh_balances(
            SqlSource(QUERY, job.dsn),
            sinks,
            client,
            by="email",
            keep=("segment",),
            currencies=[CurrencyEid(f"points-{n}") for n in range(job.currencies)],
            max_failed=job.rows,
            run_id=job.run_id,
            fresh=job.fresh,
            **further,
        )


def run(folder, job, log, **further):
    """`refresh`, in this process, as its only work."""
    return asyncio.run(refresh(folder, job, log, **further))
