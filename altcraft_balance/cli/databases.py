"""Databases as a source and as a sink, as options say which they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer
from attrs import frozen

from altcraft_balance.cli.dsn import dsn_of
from altcraft_balance.cli.refresh_options import Told
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.durations import duration_s
from altcraft_balance.secret import HiddenStr, Secret
from altcraft_balance.wording import called

if TYPE_CHECKING:
    from altcraft_balance.refresh.sql.sink import SqlSink
    from altcraft_balance.refresh.sql.source import SqlSource

__all__ = ["Databases"]

_SOURCE: Final = {"SqlSource": "--from-sql", "query": "--from-sql", "dsn": "--from-dsn"}
_PATIENCE_S: Final = 600.0
_SINK: Final = {"SqlSink": "--to-sql", "table": "--to-sql", "dsn": "--to-dsn"}


@frozen
class Databases:
    """What is read and what is written; nothing is connected yet.

    Attributes:
        source: a query's rows, if that is the input.
        sink: a table, if one is brought up to date.
    """

    source: SqlSource | None
    sink: SqlSink | None

    @classmethod
    def of(cls, context: typer.Context, told: Told) -> Databases:
        """The databases that the command line speaks of.

        Raises:
            ConfigurationError: an option is missing, or has no effect, or a URL cannot be.
        """
        from_dsn, to_dsn = dsn_of(context, "from_dsn"), dsn_of(context, "to_dsn")
        _check(told, has_from=from_dsn is not None, has_to=to_dsn is not None)
        return cls(_source(told, from_dsn), _sink(told, to_dsn or from_dsn))


def _source(told: Told, dsn: HiddenStr | Secret | None) -> SqlSource | None:
    if told.from_sql is None:
        return None
    if dsn is None:
        raise ConfigurationError(
            "--from-sql needs its database: give --from-dsn, or --from-dsn-env"
        )
    from altcraft_balance.refresh.sql.source import SqlSource

    with called(_in_words(_SOURCE, dsn)):
        return SqlSource(told.from_sql, dsn)


def _sink(told: Told, dsn: HiddenStr | Secret | None) -> SqlSink | None:
    if told.to_sql is None:
        return None
    if dsn is None:
        raise ConfigurationError("--to-sql needs its database: give --to-dsn, or --to-dsn-env")
    if told.no_member and told.key is None:
        raise ConfigurationError(
            "--to-sql must know its rows by something: give --key, such as --key id, or leave out "
            "--no-member"
        )
    from altcraft_balance.refresh.sql.sink import SqlSink

    with called(_in_words(_SINK, dsn)):
        return SqlSink(told.to_sql, dsn, key=told.key, patience_s=_patience_s(told))


def _patience_s(told: Told) -> float:
    text = told.sink_patience
    seconds = _PATIENCE_S if text is None else duration_s(text)
    if seconds is None:
        raise ConfigurationError(
            f"--sink-patience must be a duration such as 90s, 30m, 7h or 1h30m, not {text!r}"
        )
    return seconds


def _in_words(names: dict[str, str], dsn: HiddenStr | Secret) -> dict[str, str]:
    """`names`, with the option by which the DSN was given."""
    suffix = "-env" if isinstance(dsn, Secret) else ""
    return {**names, "dsn": names["dsn"] + suffix}


def _check(told: Told, *, has_from: bool, has_to: bool) -> None:
    """Refuse what contradicts, and what would have no effect: whoever gives it expects one."""
    if told.input is not None and told.from_sql is not None:
        raise ConfigurationError("give INPUT or --from-sql, but not both")
    if told.input is None and told.from_sql is None:
        raise ConfigurationError("INPUT must name the file to read; or give --from-sql")
    if has_from and told.from_sql is None:
        raise ConfigurationError(
            "--from-dsn is for --from-sql: the database of --to-sql is --to-dsn"
        )
    of_table = {
        "--to-dsn": has_to,
        "--key": told.key is not None,
        "--sink-patience": told.sink_patience is not None,
    }
    given = [option for option, is_given in of_table.items() if is_given]
    if given and told.to_sql is None:
        raise ConfigurationError(f"{given[0]} is for --to-sql, which names the table")
