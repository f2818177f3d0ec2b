"""What a refresh needs of where rows come from and where they go: `RowSource` and `RowSink`.

Both are small, so that a database, a lake or a list of your own is a class of ten lines. Their
methods are called one at a time, plain ones in one thread of their own, so that they may block,
and ``async`` ones on the event loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol, TypeAlias

from attrs import field, frozen
from attrs.validators import instance_of

from altcraft_balance.errors import ConfigurationError

__all__ = [
    "BadRow",
    "Cell",
    "Cells",
    "Column",
    "ColumnType",
    "Opening",
    "RowSink",
    "RowSource",
    "Rows",
    "SourceInfo",
]

#: What a row holds: text as it was read, and numbers only where the source itself has types.
Cell: TypeAlias = str | int | float | bool | None
Cells: TypeAlias = Sequence[Cell]
ColumnType: TypeAlias = Literal["text", "integer", "number", "boolean", "amount", "time"]
_NO_TYPES: Final[Mapping[str, ColumnType]] = MappingProxyType({})


@frozen
class BadRow:
    """A row that the source could not take apart; it becomes a row with status ``bad_input``.

    Attributes:
        cells: what there is of it.
        why: one sentence, without any of its values.
    """

    cells: Cells = field(repr=False)
    why: str


Rows: TypeAlias = Iterable[Cells | BadRow] | AsyncIterable[Cells | BadRow]


def _names(_: object, __: object, value: Any) -> None:
    if isinstance(value, str) or not all(isinstance(name, str) for name in value):
        raise ConfigurationError("columns must be the names of a source's columns, such as ('id',)")


@frozen(kw_only=True)
class SourceInfo:
    """What a source knows before it is read.

    Attributes:
        name: what people call it, such as ``members.csv``.
        columns: the names of its columns, in the order of its rows' cells.
        fingerprint: the same text for as long as it has the same rows, and another when not: a
            run goes on only with the input that it began with.
        total: how many rows it has; None: not known.
        total_is_exact: whether they were counted, or estimated.
        types: of columns that hold something else than text.
        is_live: whether it has other rows each time, as a database has: a run that has finished
            does not stand for the next one. Once it is read, a run keeps to what it has read.
    """

    name: str = field(validator=instance_of(str))
    columns: tuple[str, ...] = field(validator=_names)
    fingerprint: str = field(validator=instance_of(str))
    total: int | None = None
    total_is_exact: bool = True
    types: Mapping[str, ColumnType] = field(default=_NO_TYPES, repr=False)
    is_live: bool = False


class RowSource(Protocol):
    """Where rows come from.

    It may have two things more: ``path``, the file or folder that it reads, which no output may
    replace; and ``interrupt()``, which is called from another thread when what it is doing shall
    end soon, with whatever exception.
    """

    def describe(self) -> SourceInfo | Awaitable[SourceInfo]:
        """What it has; called once, before anything is read.

        Raises:
            ConfigurationError: it cannot be read; one sentence says why.
        """
        ...

    def rows(self, skip: int) -> Rows:
        """Its rows without the first `skip`, always in the same order; they may be async.

        The iterable is closed, if it can be, when it is read no further.
        """
        ...


@frozen
class Column:
    """A column of the output: its name and what its cells are.

    ``amount`` is a decimal number and ``time`` an ISO 8601 time, both as text.

    Attributes:
        name: what it is called.
        type: what its cells are.
        role: ``member``; ``kept``; or, of our own columns, their name without a prefix.
        is_known: whether its type is known: a query without rows does not show what its cells are.
    """

    name: str
    type: ColumnType = "text"
    role: str = "kept"
    is_known: bool = True


@frozen(kw_only=True)
class Opening:
    """What a sink is told when it is opened.

    Attributes:
        run_id: the run's name.
        columns: what the cells of each row are.
        token: what its last `sync` gave, or True where that gave None, in this run or, before a
            crash, in an earlier process: whatever it got after that comes again. None: a new
            output begins.
        is_whole: an earlier process died between its last `sync` and the end of `finish`: no
            row comes any more.
        fresh: whatever an unfinished run has left there may go.
        claim: a word that this run has, and no other start of a run with its name.
    """

    run_id: str
    columns: tuple[Column, ...]
    token: Any = None
    is_whole: bool = False
    fresh: bool = False
    claim: str = ""


class RowSink(Protocol):
    """Where rows go; inherit from it, and write what differs.

    It may have two things more: ``name``, what people call it; and ``hurry(seconds)``, which is
    called when the run is ending: whatever it waits for, it waits no longer than so.

    Attributes:
        path: the file or folder that it makes, if it makes one: beside it lies the run's state.
        url: the place elsewhere that it fills, without anything secret: the run's state lies in
            the working directory then.
        chunk_rows: `sync` is called at multiples of so many rows of the source, 0 among them, and
            at the end.
        settings: what decides how the output looks, of JSON's types: a run goes on only with the
            settings that it began with.
    """

    path: Path | None = None
    url: str | None = None
    chunk_rows: int = 1
    settings: Mapping[str, Any] = MappingProxyType({})

    def open(self, opening: Opening) -> Any:
        """Begin, or go on after `opening.token`."""

    def write(self, rows: Sequence[Cells]) -> Any:
        """Take rows, in the order of the source; amounts and times come as text, all else as is."""
        ...

    def sync(self) -> Any:
        """Make all that was written durable, and give a token (of JSON's types) for `open`."""

    def finish(self) -> Any:
        """All rows are there and durable: make the output whole. May be called twice."""

    def close(self) -> Any:
        """Let go of everything; a run that has not finished may go on later."""

    def discard(self) -> Any:
        """Close, and forget all that was written: nothing in it was worth keeping."""
        self.close()

    def refuses(self, amount: str) -> str | None:
        """Why `amount` cannot be kept exactly; None when it can."""
        return None
