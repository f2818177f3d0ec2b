"""Where rows come from and where they go: files, databases, or both."""

from __future__ import annotations

from pathlib import Path

import typer
from attrs import frozen

from altcraft_balance.cli.databases import Databases
from altcraft_balance.cli.files import STANDARD, Files, previous_source
from altcraft_balance.cli.refresh_options import Told
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.claim import check_free
from altcraft_balance.refresh.paths import check_paths, read_by
from altcraft_balance.refresh.port import RowSource
from altcraft_balance.refresh.rows.delta import Previous
from altcraft_balance.refresh.sinks import Sinks

__all__ = ["Places"]


@frozen
class Places:
    """What is read and what is written; nothing of it is opened yet.

    Attributes:
        told: what the command was told.
        files: those that are files.
        databases: those that are databases.
        sinks: all that is written.
    """

    told: Told
    files: Files
    databases: Databases
    sinks: Sinks

    @classmethod
    def of(cls, context: typer.Context, told: Told) -> Places:
        """The places that the command line speaks of.

        Raises:
            ConfigurationError: one is missing, cannot be, or does not go with another.
        """
        databases = Databases.of(context, told)
        files = Files.of(told)
        _check(told)
        sinks = Sinks.of(
            [sink for sink in (databases.sink, files.sink) if sink is not None],
            errors_to=files.errors_to,
            changes_to=files.changes_to,
            previous=_previous(told),
        )
        return cls(told, files, databases, sinks)

    def source(self, spool: Path | None) -> RowSource:
        """What is read: `spool` in the place of standard input."""
        return self.databases.source or self.files.source(spool)

    def check(self, source: RowSource) -> None:
        """Refuse outputs as a run would, without a run.

        Raises:
            ConfigurationError: one cannot be where it should.
        """
        named = self.sinks.named()
        state = None if self.told.state is None else Path(self.told.state)
        check_paths(read_by(source, self.sinks.previous), named, {"state": state})
        for sink in named.values():
            if sink.path is not None:
                check_free(sink.path, overwrite=self.told.overwrite)

    @property
    def folder(self) -> Path | None:
        """The folder of all runs' state; None for a run that has no such folder."""
        usual = self.sinks.usual_state
        return usual if usual is None or self.told.state is None else Path(self.told.state)


def _previous(told: Told) -> Previous | None:
    """What came before: an earlier output; None: the table that is brought up to date."""
    if told.changes_to is None and told.previous is not None:
        raise ConfigurationError("--previous is for --changes-to, which is not given")
    if told.changes_to is not None and told.previous is None and told.to_sql is None:
        raise ConfigurationError(
            "--changes-to needs something to compare with: give --previous, or --to-sql"
        )
    if told.previous is None:
        return None
    from altcraft_balance.refresh.previous import PreviousFile

    return PreviousFile(previous_source(told.previous), key=told.key, prefix=told.prefix)


def _check(told: Told) -> None:
    """Standard output cannot be taken up again, and what goes on with a table can."""
    if told.changes_to == STANDARD:
        raise ConfigurationError("--changes-to must name a file: - cannot be taken up again")
    if told.out == STANDARD and told.to_sql is not None:
        raise ConfigurationError(
            "--out - does not go with --to-sql: a run that goes on would write the rest alone"
        )
