"""``--summary FILE.json``: what came of a run, written on every exit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
from attrs import define, evolve

from altcraft_balance.cli.exits import CannotWrite
from altcraft_balance.cli.stopping import Stopped
from altcraft_balance.errors import AltcraftBalanceError, ConfigurationError
from altcraft_balance.refresh.sql.trouble import DatabaseAway
from altcraft_balance.refresh.state import disk
from altcraft_balance.refresh.summary import RefreshSummary, nothing_done

__all__ = ["Kept", "kept_summary"]


@define
class Kept:
    """What will be written.

    Attributes:
        summary: the run's figures so far.
        goes_on: whether the run was begun, and has not finished.
    """

    summary: RefreshSummary
    goes_on: bool = False


@contextmanager
def kept_summary(path: str | None, source: str) -> Iterator[Kept]:
    """Gives where the summary is put that is written to `path` at the end, however it comes.

    Raises:
        ConfigurationError: there is no such folder.
        CannotWrite: it cannot be written.
    """
    if path is not None:
        _check(Path(path))
    kept = Kept(nothing_done(source))
    try:
        yield kept
    except BaseException as error:
        kept.summary = _broken_by(error, kept.summary)
        raise
    finally:
        if path is not None:
            _write(Path(path), kept.summary)


def _check(path: Path) -> None:
    if path.is_dir():
        raise ConfigurationError(f"--summary {path} is a folder: give it a file's name")
    if not path.parent.is_dir():
        raise ConfigurationError(f"--summary {path} cannot be written: there is no such folder")


def _broken_by(error: BaseException, summary: RefreshSummary) -> RefreshSummary:
    if isinstance(error, Stopped | KeyboardInterrupt):
        return evolve(summary, state="stopped")
    if isinstance(error, DatabaseAway):
        return evolve(summary, state="broken", reason=error.strerror or "")
    # The text of an unforeseen error may hold anything.
    ours = isinstance(error, AltcraftBalanceError | CannotWrite)
    return evolve(summary, state="broken", reason=str(error) if ours else type(error).__name__)


def _write(path: Path, summary: RefreshSummary) -> None:
    trouble = ""
    try:
        with disk.writing(path):
            text = orjson.dumps(summary.as_dict(), option=orjson.OPT_INDENT_2)
            disk.save(path, text + b"\n")
            return
    except OSError as error:
        trouble = error.strerror or type(error).__name__
    raise CannotWrite(trouble)
