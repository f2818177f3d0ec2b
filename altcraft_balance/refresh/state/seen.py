"""Runs, as their state shows them to others: under way, unfinished or finished."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import orjson
from attrs import frozen

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.rows.limits import MaxFailed
from altcraft_balance.refresh.rows.tally import Tally
from altcraft_balance.refresh.state import disk
from altcraft_balance.refresh.state.checkpoint import look_into
from altcraft_balance.refresh.state.folder import CHECKPOINT, FINISHED
from altcraft_balance.refresh.state.lock import is_locked
from altcraft_balance.refresh.summary import RefreshSummary, counted

__all__ = ["SeenRun", "Word", "finished_run", "runs_in", "unfinished_run"]

Word: TypeAlias = Literal["under way", "unfinished", "finished"]
_NAMED: Final = ("run_id", "source", "output", "total", "total_is_exact", "started_at", "settings")


@frozen
class SeenRun:
    """A run, as it was when one looked.

    Attributes:
        run_id: its name.
        word: ``under way`` in a process now; ``unfinished``, so that it can go on; ``finished``.
        summary: its figures, as they were committed; None: nothing is committed yet.
    """

    run_id: str
    word: Word
    summary: RefreshSummary | None


def runs_in(folder: Path) -> Iterator[SeenRun]:
    """The runs whose state lies in `folder`, or the one whose state it is.

    Raises:
        ConfigurationError: it is of another version, or cannot be read.
    """
    if _is_run(folder):
        yield _seen(folder)
        return
    with disk.readable(str(folder)):
        paths = sorted(folder.iterdir())
    yield from (_seen(path) for path in paths if path.is_dir() and _is_run(path))


def _is_run(folder: Path) -> bool:
    return (folder / CHECKPOINT).exists() or (folder / FINISHED).exists()


def finished_run(run_id: str, known: Any, where: str) -> SeenRun:
    """The run that `known`, in `where`, says to have finished.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        return SeenRun(run_id, "finished", RefreshSummary.from_dict(known["summary"]))
    except (KeyError, TypeError, ValueError):
        pass
    raise ConfigurationError(f"{where} is of another version, or damaged")


def unfinished_run(run_id: str, known: Mapping[str, Any], *, is_under_way: bool) -> SeenRun:
    """The run of which its last commit knows this."""
    word: Word = "under way" if is_under_way else "unfinished"
    return SeenRun(run_id, word, _so_far(known))


def _seen(folder: Path) -> SeenRun:
    is_under_way, name = is_locked(folder), folder.absolute().name
    try:
        if (folder / CHECKPOINT).exists():
            known = look_into(folder / CHECKPOINT)
            return unfinished_run(name, known, is_under_way=is_under_way)
    except ConfigurationError:
        if (folder / CHECKPOINT).exists():
            raise  # else it has finished meanwhile
    with disk.readable(str(folder / FINISHED)):
        text = (folder / FINISHED).read_bytes()
    said: Any = None
    with suppress(ValueError):
        said = orjson.loads(text)
    return finished_run(name, said, str(folder / FINISHED))


def _so_far(known: Mapping[str, Any]) -> RefreshSummary | None:
    if "summary" not in known:
        return None
    began = RefreshSummary.from_dict(known["summary"])
    tally = Tally(known.get("tally"))
    may_fail = MaxFailed.read(str(began.settings.get("max_failed", 0)).replace(",", ""))
    return counted(
        tally,
        state="running",
        reason="",
        finished_at=None,
        is_within_max_failed=may_fail.allows(tally.failed, tally.answered),
        **{name: getattr(began, name) for name in _NAMED},
    )
