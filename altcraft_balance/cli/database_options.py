"""The options of commands that speak of databases."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import typer

__all__ = [
    "Dsn",
    "DsnEnv",
    "FromDsn",
    "FromDsnEnv",
    "FromSql",
    "Key",
    "SinkPatience",
    "ToDsn",
    "ToDsnEnv",
    "ToSql",
]


def _option(flag: str, metavar: str, says: str) -> Any:
    return typer.Option(
        flag, metavar=metavar, help=says, show_envvar=False, rich_help_panel="Databases"
    )


FromSql: TypeAlias = Annotated[
    str | None,
    _option("--from-sql", "QUERY", "Its rows are the input, such as 'select id, email from m'."),
]
FromDsn: TypeAlias = Annotated[
    str | None,
    _option("--from-dsn", "URL", "Its database, such as postgresql://user@host/name."),
]
FromDsnEnv: TypeAlias = Annotated[
    str | None,
    _option("--from-dsn-env", "VARIABLE", "Or the variable that holds the URL, with a password."),
]
ToSql: TypeAlias = Annotated[
    str | None,
    _option("--to-sql", "TABLE", "Bring such a table up to date; it is made when it is missing."),
]
ToDsn: TypeAlias = Annotated[
    str | None, _option("--to-dsn", "URL", "Its database; that of --from-sql, if you do not say.")
]
ToDsnEnv: TypeAlias = Annotated[
    str | None, _option("--to-dsn-env", "VARIABLE", "Or the variable that holds the URL.")
]
Key: TypeAlias = Annotated[
    str | None, _option("--key", "COLUMN", "By which the table knows a member: their address.")
]
SinkPatience: TypeAlias = Annotated[
    str | None,
    _option("--sink-patience", "TIME", "Wait so long for a database that is away: 10m."),
]
Dsn: TypeAlias = Annotated[
    str | None, _option("--dsn", "URL", "Runs with --to-sql: the database where their table is.")
]
DsnEnv: TypeAlias = Annotated[
    str | None, _option("--dsn-env", "VARIABLE", "Or the variable that holds the URL.")
]
