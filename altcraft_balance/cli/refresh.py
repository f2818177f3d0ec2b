"""``altcraft-balance refresh``: the balances of all members in a file or a query, into others."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import Final

import typer
from attrs import evolve

from altcraft_balance.cli import database_options as databases
from altcraft_balance.cli import options
from altcraft_balance.cli import refresh_options as told_by
from altcraft_balance.cli.dry_run import show_dry_run
from altcraft_balance.cli.exits import ExitCode
from altcraft_balance.cli.files import check_distinct
from altcraft_balance.cli.kept_summary import Kept, kept_summary
from altcraft_balance.cli.night_options import night_of
from altcraft_balance.cli.places import Places
from altcraft_balance.cli.plain_source import DescribedSource
from altcraft_balance.cli.refresh_options import CALLED, Told
from altcraft_balance.cli.refresh_run import Refresh
from altcraft_balance.cli.show import asks_on_terminal, harmless, screen
from altcraft_balance.cli.stopping import stoppable
from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.models import CurrencyEid
from altcraft_balance.refresh.files.spool import Spool, spooled
from altcraft_balance.refresh.night import Night
from altcraft_balance.refresh.port import RowSource, SourceInfo
from altcraft_balance.refresh.rows.plan import Asking, guessed_column
from altcraft_balance.refresh.rows.selection import selected
from altcraft_balance.wording import called

__all__ = ["refresh"]

_SPOKEN: Final = {"email": "e-mail", "phone": "phone", "profile_id": "profile id"}
_DRY_RUN: Final = "a dry run: nothing was sent"
_BY: Final = (
    "--by must say how members are found: email, phone, profile_id, custom:FIELD or "
    "custom-int:FIELD"
)


def refresh(
    context: typer.Context,
    input: told_by.Input = None,  # noqa: A002 - what it is
    by: told_by.By = None,
    column: told_by.MemberColumn = None,
    program_column: told_by.ProgramColumn = None,
    currency_column: told_by.CurrencyColumn = None,
    input_format: told_by.InputFormat = None,
    delimiter: told_by.Delimiter = None,
    encoding: told_by.Encoding = None,
    no_header: told_by.NoHeader = False,
    from_sql: databases.FromSql = None,
    from_dsn: databases.FromDsn = None,
    from_dsn_env: databases.FromDsnEnv = None,
    limit: told_by.Limit = None,
    sample: told_by.Sample = None,
    out: told_by.Out = None,
    output_format: told_by.OutputFormat = None,
    to_sql: databases.ToSql = None,
    to_dsn: databases.ToDsn = None,
    to_dsn_env: databases.ToDsnEnv = None,
    key: databases.Key = None,
    sink_patience: databases.SinkPatience = None,
    keep: told_by.Keep = None,
    prefix: told_by.Prefix = "",
    no_member: told_by.NoMember = False,
    errors_to: told_by.ErrorsTo = None,
    changes_to: told_by.ChangesTo = None,
    previous: told_by.Previous = None,
    amount_scale: told_by.AmountScale = None,
    overwrite: told_by.Overwrite = False,
    summary: told_by.Summary = None,
    max_failed: told_by.MaxFailed = "0",
    run_id: told_by.RunId = None,
    state: told_by.State = None,
    fresh: told_by.Fresh = False,
    finish: told_by.Finish = False,
    stop_at: told_by.StopAt = None,
    max_duration: told_by.MaxDuration = None,
    dry_run: told_by.DryRun = False,
    progress: told_by.Progress = "auto",
    base_url: options.BaseUrl = None,
    token_file: options.TokenFile = None,
    allow_http: options.AllowHttp = None,
    ca_file: options.CaFile = None,
    client_cert: options.ClientCert = None,
    proxy: options.Proxy = None,
    trust_env: options.TrustEnv = None,
    transport: options.Transport = None,
    program: options.Program = None,
    currency_eid: options.CurrencyEids = None,
    currency_iid: options.CurrencyIid = None,
    format: options.Format = None,  # noqa: A002 - Altcraft's word
    auth: options.Auth = None,
    not_a_member: options.NotAMember = None,
    row_deadline: options.RowDeadline = None,
    attempt_timeout: options.AttemptTimeout = None,
    max_attempts: options.MaxAttempts = None,
    request_ids: options.RequestIds = None,
    save_bad: options.SaveBad = None,
    concurrency: options.Concurrency = None,
    rate: options.Rate = None,
    rate_store: options.RateStore = None,
    rate_name: options.RateName = None,
    rate_workers: options.RateWorkers = None,
    time_zone: options.TimeZone = None,
) -> int:
    """Look up the members in a file or of a query, and write a row for each, in order.

    A run that is interrupted, in whatever way, goes on with the same command.
    """
    # typer wants every option as a parameter; they are read from the context.
    told = Told.by_context(context)
    check_distinct(told)  # before anything is written, and a summary is written on every exit
    with kept_summary(told.summary, told.source_name) as kept:
        with options.called_as_given(context), called(CALLED):
            places, night = Places.of(context, told), night_of(told)
        asks, needs_program = not told.dry_run, told.program_column is None
        arguments = options.client_arguments(context, asks=asks, needs_program=needs_program)
        with options.called_as_given(context), called(CALLED):
            return _refresh(told, places, BalanceClient(**arguments), kept, night)


def _refresh(
    told: Told, places: Places, client: BalanceClient, kept: Kept, night: Night
) -> ExitCode:
    with ExitStack() as stack:
        with stoppable():
            spool = _spool(stack, places)
            source = places.source(None if spool is None else spool.path)
            source = selected(source, limit=told.limit, sample=told.sample)
            source, asking = _asking(told, source)
            if told.dry_run:
                places.check(source)
                found = show_dry_run(source, places.sinks, asking, client)
                kept.summary = evolve(
                    kept.summary, state="stopped", reason=_DRY_RUN, total=found.rows
                )
                return ExitCode.DONE
        work = Refresh(
            told=told,
            places=places,
            source=source,
            asking=asking,
            client=client,
            kept=kept,
            night=night,
        )
        try:
            return work.do()
        finally:
            if spool is not None:
                spool.is_kept = kept.goes_on and not places.files.writes_standard_output


def _spool(stack: ExitStack, places: Places) -> Spool | None:
    """Standard input as a file, if that is what is read."""
    if not places.files.reads_standard_input:
        return None
    if sys.stdin is None:
        raise ConfigurationError("standard input is closed: name a file, or send one there")
    state = None if places.told.dry_run else places.folder
    return stack.enter_context(spooled(sys.stdin.buffer, state))


def _asking(told: Told, source: RowSource) -> tuple[RowSource, Asking]:
    """What is asked about a row; the source was looked into if that had to be guessed."""
    by, column = told.by, told.column
    if by is None:
        if not (asks_on_terminal() and sys.stderr.isatty()):
            raise ConfigurationError(_BY)
        source = DescribedSource(source)
        by, column = _guessed(source.describe(), column)
    eids = told.currency_eid or []
    return source, Asking(
        by=by,
        column=column,
        program_column=told.program_column,
        currency_column=told.currency_column,
        currencies=tuple(map(CurrencyEid, eids)) if len(eids) > 1 else (),
        keep=told.kept(),
        prefix=told.prefix,
        with_member=not told.no_member,
    )


def _guessed(info: SourceInfo, column: str | None) -> tuple[str, str]:
    """The way and the column, said to somebody who may contradict."""
    guess = guessed_column(info.columns if column is None else [column])
    if guess is None:
        raise ConfigurationError(_BY)
    by, column = guess
    sentence = f"taking column {column!r} as the member's {_SPOKEN[by]}: --by {by}"
    screen(stderr=True).print(harmless(sentence), soft_wrap=True)
    return guess
