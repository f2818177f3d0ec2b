"""The options of ``refresh`` that do not describe the client, and what was told by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

import typer
from attrs import field, fields, frozen

__all__ = ["CALLED", "Told"]

#: Setting, as the library calls it -> option.
CALLED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "by": "--by",
        "column": "--column",
        "program_column": "--program-column",
        "currency_column": "--currency-column",
        "currencies": "--currency-eid",
        "currency": "--currency-eid",
        "keep": "--keep",
        "prefix": "--prefix",
        "with_member": "--no-member",
        "output": "--out",
        "sink": "--out",
        "errors_to": "--errors-to",
        "max_failed": "--max-failed",
        "limit": "--limit",
        "sample": "--sample",
        "run_id": "--run-id",
        "state": "--state",
        "fresh=True": "--fresh",
        "overwrite=True": "--overwrite",
        "give_up=True": "--finish",
        "delimiter": "--delimiter",
        "encoding": "--encoding",
        "header": "--no-header",
        "amount_scale": "--amount-scale",
        "changes_to": "--changes-to",
        "previous": "--previous",
        "key": "--key",
        "table": "--to-sql",
        "patience_s": "--sink-patience",
        "stop_at": "--stop-at",
        "max_duration": "--max-duration",
        "max_duration_s": "--max-duration",
        "time_zone": "--time-zone",
    }
)


@frozen(kw_only=True)
class Told:
    """What the command was told, by the names of its parameters."""

    input: str | None
    from_sql: str | None = field(repr=False)
    to_sql: str | None
    key: str | None
    sink_patience: str | None
    changes_to: str | None
    previous: str | None
    out: str | None
    input_format: str | None
    output_format: str | None
    delimiter: str | None
    encoding: str | None
    no_header: bool
    by: str | None
    column: str | None
    program_column: str | None
    currency_column: str | None
    currency_eid: Sequence[str] | None
    keep: Sequence[str] | None
    prefix: str
    no_member: bool
    errors_to: str | None
    amount_scale: int | None
    max_failed: str
    limit: int | None
    sample: float | None
    run_id: str | None
    state: str | None
    fresh: bool
    overwrite: bool
    finish: bool
    stop_at: str | None
    max_duration: str | None
    time_zone: str | None
    summary: str | None
    progress: str
    dry_run: bool

    @classmethod
    def by_context(cls, context: typer.Context) -> Self:
        """As the command line and the environment have it."""
        return cls(**{each.name: context.params[each.name] for each in fields(cls)})

    @property
    def source_name(self) -> str:
        """What the input is called before it was looked into."""
        return self.input or "a query"

    def kept(self) -> tuple[str, ...] | Literal["all"]:
        """Names of columns that go through."""
        names = [name.strip() for text in self.keep or () for name in text.split(",")]
        names = [name for name in names if name]
        return "all" if names == ["all"] else tuple(names)


def _option(flag: str, metavar: str | None, says: str, panel: str) -> Any:
    return typer.Option(
        flag, metavar=metavar or "", help=says, show_envvar=False, rich_help_panel=panel
    )


def _reading(flag: str, metavar: str | None, says: str) -> Any:
    return _option(flag, metavar, says, "Input")


def _writing(flag: str, metavar: str | None, says: str) -> Any:
    return _option(flag, metavar, says, "Output")


def _running(flag: str, metavar: str | None, says: str) -> Any:
    return _option(flag, metavar, says, "Run")


Input: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        metavar="INPUT",
        help=".csv, .tsv, .jsonl or .ndjson, each also with .gz or .zst; .parquet, or a folder of "
        "it; - is standard input; nothing with --from-sql.",
        show_default=False,
    ),
]
InputFormat: TypeAlias = Annotated[
    str | None,
    _reading("--input-format", "csv|tsv|jsonl|parquet", "If INPUT's name does not say: csv."),
]
Delimiter: TypeAlias = Annotated[
    str | None, _reading("--delimiter", "CHARACTER", "Between cells, such as ';' or '\\t'.")
]
Encoding: TypeAlias = Annotated[
    str | None, _reading("--encoding", "NAME", "Such as cp1251; utf-8, if you do not say.")
]
NoHeader: TypeAlias = Annotated[
    bool, _reading("--no-header", None, "The first line is a row; columns are 1, 2, ...")
]
By: TypeAlias = Annotated[
    str | None,
    _reading("--by", "WAY", "email, phone, profile_id, custom:FIELD or custom-int:FIELD."),
]
MemberColumn: TypeAlias = Annotated[
    str | None, _reading("--column", "NAME", "The member's, if it is not called like the way.")
]
ProgramColumn: TypeAlias = Annotated[
    str | None, _reading("--program-column", "NAME", "Has the loyalty program's id; or --program.")
]
CurrencyColumn: TypeAlias = Annotated[
    str | None, _reading("--currency-column", "NAME", "Has the currency's external id.")
]
Limit: TypeAlias = Annotated[
    int | None, _reading("--limit", "ROWS", "Only the first so many rows.")
]
Sample: TypeAlias = Annotated[
    float | None, _reading("--sample", "SHARE", "Only such a share of the rows, such as 0.01.")
]

Out: TypeAlias = Annotated[
    str | None,
    _writing(
        "--out",
        "OUTPUT",
        "As INPUT; a folder of Parquet ends in /, or is a URL, such as s3://bucket/folder/; - is "
        "standard output.",
    ),
]
OutputFormat: TypeAlias = Annotated[
    str | None,
    _writing("--output-format", "csv|tsv|jsonl|parquet", "If OUTPUT's name does not say: csv."),
]
Keep: TypeAlias = Annotated[
    list[str] | None, _writing("--keep", "NAMES|all", "Columns that go through, such as id,name.")
]
Prefix: TypeAlias = Annotated[
    str, _writing("--prefix", "TEXT", "Stands before the names of our columns.")
]
NoMember: TypeAlias = Annotated[
    bool, _writing("--no-member", None, "Leave the member's address out of the output.")
]
ErrorsTo: TypeAlias = Annotated[
    str | None,
    _writing("--errors-to", "PATH", "Rows of INPUT that had no answer: an input again."),
]
ChangesTo: TypeAlias = Annotated[
    str | None,
    _writing("--changes-to", "PATH", "Rows whose amounts differ from those of the run before."),
]
Previous: TypeAlias = Annotated[
    str | None,
    _writing("--previous", "PATH", "An earlier output to compare with; else the table is."),
]
AmountScale: TypeAlias = Annotated[
    int | None, _writing("--amount-scale", "DIGITS", "Of amounts in Parquet: 9.")
]
Overwrite: TypeAlias = Annotated[
    bool, _writing("--overwrite", None, "Replace what is there already, at the end.")
]
Summary: TypeAlias = Annotated[
    str | None, _writing("--summary", "PATH", "Write what came of it as JSON, on every exit.")
]

MaxFailed: TypeAlias = Annotated[
    str, _running("--max-failed", "ROWS|SHARE%", "How many may fail (or exit 3).")
]
RunId: TypeAlias = Annotated[
    str | None,
    _running("--run-id", "NAME", "Else made of INPUT and the settings that matter."),
]
State: TypeAlias = Annotated[
    str | None,
    _running("--state", "FOLDER", "Else .altcraft-balance beside OUTPUT; here if that is a URL."),
]
Fresh: TypeAlias = Annotated[
    bool, _running("--fresh", None, "Drop an unfinished run, forget a finished one.")
]
Finish: TypeAlias = Annotated[
    bool, _running("--finish", None, "Ask nothing more: the rest become not_asked.")
]
StopAt: TypeAlias = Annotated[
    str | None,
    _running("--stop-at", "HH:MM", "Stop then (exit 75); or a date and time. See --time-zone."),
]
MaxDuration: TypeAlias = Annotated[
    str | None, _running("--max-duration", "TIME", "Stop after 90s, 30m, 7h or 1h30m (exit 75).")
]
Progress: TypeAlias = Annotated[
    str, _running("--progress", "auto|json|plain|off", "How far it has come, on stderr.")
]
DryRun: TypeAlias = Annotated[
    bool, _running("--dry-run", None, "Read and check it all, send nothing; needs no token.")
]
