"""``altcraft-balance status``: runs that are under way, unfinished or finished."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from altcraft_balance.cli.database_options import Dsn, DsnEnv
from altcraft_balance.cli.dsn import dsn_of
from altcraft_balance.cli.given import is_typed
from altcraft_balance.cli.show import rows, screen, show_json
from altcraft_balance.cli.stopping import run_until_signal
from altcraft_balance.cli.summary_table import described
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.state.folder import STATE
from altcraft_balance.refresh.state.seen import SeenRun, runs_in
from altcraft_balance.secret import HiddenStr, Secret
from altcraft_balance.wording import called

__all__ = ["status"]

_CALLED: Final = {"fresh=True": "--fresh"}


def status(
    context: typer.Context,
    state: Annotated[
        str,
        typer.Argument(metavar="STATE", help="The folder of all runs' state, or of one run."),
    ] = STATE,
    dsn: Dsn = None,
    dsn_env: DsnEnv = None,
    json: Annotated[
        bool,
        typer.Option("--json", metavar="", help="Print it for programs.", show_envvar=False),
    ] = False,
) -> None:
    """Show how far runs have come, from their state: beside their output, or in its database."""
    database = dsn_of(context, "dsn")
    if database is not None and is_typed(context, "state"):
        raise ConfigurationError("give STATE or a database, but not both")
    seen = _in_folder(state) if database is None else _in_database(database)
    if json:
        show_json({"runs": [_as_dict(run) for run in seen]})
        return
    if not seen:
        where = state if database is None else "that database"
        screen().print(f"No run has its state in {where}.", soft_wrap=True)
    for number, run in enumerate(seen):
        if number:
            screen().print()
        screen().print(rows(_described(run)))


def _in_folder(state: str) -> list[SeenRun]:
    folder = Path(state)
    if not folder.is_dir() and state != STATE:
        raise ConfigurationError(f"there is no folder {state}")
    with called(_CALLED):
        return list(runs_in(folder)) if folder.is_dir() else []


def _in_database(dsn: HiddenStr | Secret) -> list[SeenRun]:
    from altcraft_balance.refresh.sql.seen import runs_in_database

    names = {**_CALLED, "dsn": "--dsn-env" if isinstance(dsn, Secret) else "--dsn"}
    with called(names):
        return run_until_signal(runs_in_database(dsn))


def _described(run: SeenRun) -> list[tuple[str, str]]:
    if run.summary is None:
        return [("Run", run.run_id), ("State", f"{run.word}, without a row yet")]
    return list(described(run.summary, run.word))


def _as_dict(run: SeenRun) -> dict[str, Any]:
    summary = {} if run.summary is None else run.summary.as_dict()
    return {**summary, "run_id": run.run_id, "state": run.word}
