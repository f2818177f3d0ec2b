"""What each contract is now: from the code where it stands there as a table, else from runs."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import get_args

import typer
from attrs import fields

from altcraft_balance import environment, errors
from altcraft_balance.cli.app import _app
from altcraft_balance.cli.exits import MEANINGS
from altcraft_balance.refresh.rows.answer import STATUSES
from altcraft_balance.refresh.rows.plan import ANSWER
from altcraft_balance.refresh.state.checkpoint import VERSION, FileCheckpoint
from altcraft_balance.refresh.state.folder import STATE
from altcraft_balance.refresh.summary import RunState
from altcraft_balance.telemetry import tracing
from altcraft_balance.telemetry.events import Event
from altcraft_balance.telemetry.metrics import DURATIONS, FIGURES
from altcraft_balance.telemetry.prometheus import _named
from tests.contracts import runs
from tests.contracts.shapes import shape_of


def all_contracts(folder):
    """Each contract by its name; `folder` is for the runs' files."""
    return tables(folder) | from_runs(folder)


def tables(folder):
    """Those that stand in the code."""
    return {
        "commands": commands(),
        "environment": variables(),
        "error_kinds": error_kinds(),
        "events": events(),
        "metrics": metrics(),
        "exit_codes": {f"{code.value}": [code.name, text] for code, text in MEANINGS.items()},
        "state": state(folder),
        "words": {"status": list(STATUSES), "state": list(get_args(RunState))},
    }


def commands():
    """Command -> its options and arguments, each with its environment variable."""
    group = typer.main.get_command(_app())
    return {
        name: {
            ", ".join(sorted(one.opts)): one.envvar or _variable(name, one) for one in found.params
        }
        for name, found in sorted(group.commands.items())
    }


def _variable(command, option):
    """By the rule that ``--help`` tells."""
    if not getattr(option, "allow_from_autoenv", False):
        return None
    return f"ALTCRAFT_BALANCE_{command}_{option.name}".upper()


def variables():
    """Environment variable -> what it sets."""
    arguments = {name: argument for name, (argument, _) in environment.VARIABLES.items()}
    return {
        f"ALTCRAFT_{name}": arguments.get(name, argument)
        for name, argument in environment._ARGUMENTS.items()
    }


def error_kinds():
    """Error -> its kind and what else it is caught as."""
    found = {name: getattr(errors, name) for name in sorted(errors.__all__)}
    return {
        name: {"kind": error.kind, "is": [base.__name__ for base in _caught_as(error)]}
        for name, error in found.items()
        if isinstance(error, type)
    }


def _caught_as(error):
    always = errors.AltcraftBalanceError.__mro__
    others = (base for base in error.__mro__[1:] if base not in always)
    return [base for base in others if not base.__name__.startswith("_")]


def events():
    """Event -> its fields and their types."""
    return {
        event.__name__: {field.name: str(field.type) for field in fields(event)}
        for event in get_args(Event)
    }


def metrics():
    """Metric -> its name for Prometheus, its kind, unit and labels; and what spans are called."""
    durations = {
        f"altcraft_balance.{one.name}": [_named(one.name, "s"), "histogram", "s", *one.labels]
        for one in DURATIONS
    }
    figures = {
        f"altcraft_balance.{one.name}": [
            _named(one.name, one.unit) + ("_total" if one.kind == "counter" else ""),
            one.kind,
            one.unit,
            *one.labels,
        ]
        for one in FIGURES
    }
    return {**durations, **figures, "spans": spans()}


def spans():
    """Span or event -> its attributes, as the words in the code that make them."""
    text = Path(tracing.__file__).read_text("utf-8").replace("{_OURS}", "altcraft_balance")
    attributes = re.findall(r'"((?:altcraft_balance|error|http|server|url)\.[a-z_.]+)"', text)
    return {"name": tracing.SPAN, "words": sorted(set(attributes))}


def state(folder):
    """Where a run's state lies, its version, and what it looks like in a file and a database."""
    from altcraft_balance.refresh.sql.shelf import StateTable

    path = folder / "checkpoint.sqlite"
    FileCheckpoint(path).close()
    with closing(sqlite3.connect(path)) as database:
        layout = [text for (text,) in database.execute("SELECT sql FROM sqlite_master")]
        (version,) = database.execute("PRAGMA user_version").fetchone()
    assert version == VERSION
    table = StateTable(None).table
    columns = {column.name: str(column.type) for column in table.columns}
    return {"folder": STATE, "version": version, "file": layout, table.name: columns}


def from_runs(folder):
    """Those that only a run shows: what commands print, and what they write."""
    with runs.sandbox(), runs.working_in(folder):
        got = runs.gets()
        lines, summary = runs.whole_run(folder, "done.csv")
        more_lines, stopped = runs.stopped_run(folder)
        runs.whole_run(folder, "done.parquet")
        seen = runs.runs_seen()
    return {
        "columns": columns(folder),
        "get_json": {
            "balance": shape_of(*(one for one in got if "error" not in one)),
            "error": shape_of(*(one for one in got if "error" in one)),
        },
        "progress_json": {
            "line": shape_of(*(line for line in lines + more_lines if "notice" not in line)),
            "notice": shape_of(*(line for line in lines + more_lines if "notice" in line)),
        },
        "status_json": shape_of(seen),
        "summary": shape_of(summary, stopped),
    }


def columns(folder):
    """The header of a CSV file, what our columns' text means, and a Parquet file's schema."""
    from pyarrow import parquet

    schema = parquet.read_schema(folder / "done.parquet")
    head, _, _ = (folder / "done.csv").read_text("utf-8").partition("\n")
    return {
        "csv": head.split(","),
        "meaning": dict(ANSWER),
        "parquet": [f"{field.name}: {field.type}" for field in schema],
    }
