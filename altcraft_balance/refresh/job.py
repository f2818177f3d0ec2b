"""`refresh_balances`: a bulk job, in one call."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.models import Currency
from altcraft_balance.refresh.night import Night
from altcraft_balance.refresh.options import RunOptions
from altcraft_balance.refresh.port import RowSink, RowSource
from altcraft_balance.refresh.rows.cell_values import MemberBy
from altcraft_balance.refresh.rows.delta import Previous
from altcraft_balance.refresh.rows.limits import MaxFailed
from altcraft_balance.refresh.rows.plan import Asking
from altcraft_balance.refresh.rows.selection import selected
from altcraft_balance.refresh.run import Run
from altcraft_balance.refresh.sinks import Sinks
from altcraft_balance.refresh.summary import RefreshSummary
from altcraft_balance.validators import checked_wait

__all__ = ["refresh_balances"]


async def refresh_balances(
    source: RowSource,
    sink: RowSink | Sequence[RowSink],
    client: BalanceClient,
    *,
    by: MemberBy,
    column: str | None = None,
    program_column: str | None = None,
    currency_column: str | None = None,
    currencies: Sequence[Currency] = (),
    keep: Sequence[str] | Literal["all"] = (),
    prefix: str = "",
    with_member: bool = True,
    errors_to: RowSink | None = None,
    changes_to: RowSink | None = None,
    previous: Previous | None = None,
    max_failed: int | str = 0,
    limit: int | None = None,
    sample: float | None = None,
    run_id: str | None = None,
    state: str | os.PathLike[str] | None = None,
    fresh: bool = False,
    give_up: bool = False,
    stop: asyncio.Event | None = None,
    grace_s: float = 10.0,
    stop_at: datetime | None = None,
    max_duration_s: float | None = None,
    on_progress: Callable[[RefreshSummary], object] | None = None,
) -> RefreshSummary:
    """Look up the member of each row of `source`, and write a row for each to `sink`, in order.

    A run that was interrupted, in whatever way, goes on when the same call is made again: what is
    committed is neither lost nor asked again. One that has finished does nothing.

    Args:
        source: rows; a `CsvSource`, `JsonLinesSource`, `ParquetSource`, `SqlSource`, or a
            `RowSource` of yours.
        sink: where they go; a `CsvSink`, `JsonLinesSink`, `ParquetSink`, `SqlSink`, or a `RowSink`
            of yours; or a list of such: a row is committed when all have it.
        client: who asks; it is open, and its rate and slots are the run's.
        by: what the member's column holds: ``email``, ``phone``, ``profile_id``,
            ``custom:FIELD`` (text), ``custom-int:FIELD``, or a callable such as `ByEmail`.
        column: that column; None: the one that is called like it, or the only one.
        program_column: a column with the loyalty program's id; where empty, the client's.
        currency_column: a column with the currency's external id; where empty, the client's.
        currencies: a row of output for each of them; none: the client's.
        keep: columns that go through to the output, or ``all``.
        prefix: stands before the names of our columns.
        with_member: whether the output has the member, as it was given.
        errors_to: gets those rows of the source that were not answered: the input of another run.
        changes_to: gets those rows of the output whose amounts differ from what came before.
        previous: what came before, such as `PreviousFile(...)`; None: the table of a `SqlSink`.
        max_failed: how many may fail, or a share such as ``0.5%``. Far beyond it (1,000 rows, 1 %
            and ten times of it), the run stops.
        limit: only the first so many rows.
        sample: only this share of the rows, spread evenly.
        run_id: the run's name; None: a fingerprint of the input and of the settings that matter.
        state: the folder of the state; None: ``.altcraft-balance``, beside the output, or in the
            working directory when that is a URL.
        fresh: drop an unfinished run, and forget a finished one, and begin anew.
        give_up: ask nothing more: the rows that are left get the status ``not_asked``.
        stop: when it is set, nothing more is taken, and the run ends as ``stopped``.
        grace_s: seconds that lookups on the way then have.
        stop_at: a moment (aware) at which the run ends like by `stop`, with the reason in its
            summary; one that is past ends it before anything is read. The same call goes on with
            it, on the next night with the next `stop_at`.
        max_duration_s: likewise, so many seconds after this call.
        on_progress: is called on the loop, once a second, with the summary so far.

    Returns:
        What came of it. Look at its `state`: it may have been stopped, or have stopped itself.

    Raises:
        ConfigurationError: input, output or settings are wrong; one sentence says which and why.
        OSError: the disk is full, or fails; what was committed is kept.
        AltcraftBalanceError: a fatal answer, such as a token that is refused; likewise.
        Exception: what a source or sink of yours raises.
    """
    for name in ("describe", "rows"):
        if not callable(getattr(source, name, None)):
            raise ConfigurationError(
                f"a source must have describe() and rows(): give CsvSource(...) or so, not a "
                f"{type(source).__name__}"
            )
    source = selected(source, limit=limit, sample=sample)
    checked_wait(grace_s, "grace_s")
    run = Run(
        source,
        Sinks.of(sink, errors_to=errors_to, changes_to=changes_to, previous=previous),
        client,
        Asking(
            by=by,
            column=column,
            program_column=program_column,
            currency_column=currency_column,
            currencies=tuple(currencies),
            keep="all" if keep == "all" else _names(keep),
            prefix=prefix,
            with_member=with_member,
        ),
        RunOptions(
            run_id=run_id,
            state=None if state is None else Path(state),
            fresh=fresh,
            give_up=give_up,
            max_failed=MaxFailed.read(max_failed),
            grace_s=grace_s,
            night=Night(stop_at=stop_at, max_duration_s=max_duration_s),
            on_progress=on_progress,
        ),
    )
    return await _stoppable(run, stop)


async def _stoppable(run: Run, stop: asyncio.Event | None) -> RefreshSummary:
    if stop is None:
        return await run.do()
    if stop.is_set():
        run.stop()
    waiting = asyncio.create_task(stop.wait())
    waiting.add_done_callback(lambda task: None if task.cancelled() else run.stop())
    try:
        return await run.do()
    finally:
        waiting.cancel()
        await asyncio.wait([waiting])


def _names(keep: Sequence[str]) -> tuple[str, ...]:
    if isinstance(keep, str):
        raise ConfigurationError("keep must be a list of column names, or 'all'")
    return tuple(keep)
