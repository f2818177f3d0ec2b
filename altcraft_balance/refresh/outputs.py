"""The output and the file of errors, each with how far it has durably grown."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from attrs import define, field

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.desk import Desk
from altcraft_balance.refresh.port import Cells, Column, Opening, RowSink, SourceInfo
from altcraft_balance.refresh.rows.answer import Answer, is_trouble
from altcraft_balance.refresh.rows.delta import PREVIOUS, amounts_before, has_changed
from altcraft_balance.refresh.rows.plan import Plan
from altcraft_balance.refresh.sinks import Sinks

__all__ = ["Asked", "Output", "opened", "outputs_of"]


@define(eq=False)
class Asked:
    """A row of the source and its answers; its queries have it as their tag.

    Attributes:
        number: its place in the source, from 0.
        cells: what it holds.
        answers: one for each row of output, as they come.
        missing: how many have not come.
        is_known: the checkpoint has them already.
        twins: later rows that ask just the same, and get these answers.
    """

    number: int
    cells: Cells = field(repr=False)
    answers: list[Answer] = field(repr=False)
    missing: int = 0
    is_known: bool = False
    twins: list[Asked] | None = None

    def answer_as(self, other: Asked) -> None:
        """Take the answers of `other`, as lists of its own: what came before is added to each."""
        self.answers, self.missing = [list(answer) for answer in other.answers], 0


class Output:
    """A sink, which is cut after every `chunk_rows` rows of the source, wherever blocks end.

    So the same rows give the same bytes, however they came.

    Args:
        desk: where the sink is called.
        sink: what takes the rows.
        rows_of: what it takes of a row of the source.

    Attributes:
        mark: rows of the source that are durable in it.
        token: what the sink gave when they were.
        is_on_loop: whether the sink is called on the event loop.
    """

    def __init__(self, desk: Desk, sink: RowSink, rows_of: Callable[[Asked], list[Cells]]) -> None:
        self._desk, self._sink, self._rows_of = desk, sink, rows_of
        self._chunk = sink.chunk_rows
        self.is_on_loop = any(map(inspect.iscoroutinefunction, (sink.write, sink.sync)))
        self._next = self.mark = 0
        self._has_begun = False
        self.token: Any = None

    async def open(self, opening: Opening, mark: int) -> None:
        """Open the sink, which has the first `mark` rows."""
        self._next = self.mark = mark
        self.token = opening.token
        self._has_begun = opening.token is not None
        await self._desk.call(self._sink.open, opening)

    async def begin(self) -> None:
        """The first row of the run is answered: from now on the output is seen to be under way."""
        if not self._has_begun:
            self._has_begun = True
            await self.sync()

    async def take(self, rows: Sequence[Asked]) -> None:
        """Take the rows that follow those it has; any that it has already are left out."""
        rows = [row for row in rows if row.number >= self._next]
        while rows:
            left = self._chunk - self._next % self._chunk
            # A sink that may be cut anywhere is cut where a block ends.
            size = len(rows) if self._chunk == 1 else min(left, len(rows))
            await self._write(rows[:size])
            rows = rows[size:]
            if self._next % self._chunk == 0:
                await self.sync()

    async def sync(self) -> None:
        """All that it took is durable after this."""
        if self._next > self.mark or self.token is None:
            token = await self._desk.call(self._sink.sync)
            self.token = True if token is None else token
            self.mark = self._next

    async def finish(self) -> None:
        """Make it whole."""
        await self._desk.call(self._sink.finish)

    async def close(self) -> None:
        """Let go of it."""
        await self._desk.call(self._sink.close)

    async def discard(self) -> None:
        """Forget it."""
        await self._desk.call(self._sink.discard)

    async def _write(self, rows: Sequence[Asked]) -> None:
        written = [line for row in rows for line in self._rows_of(row)]
        if written:
            await self._desk.call(self._sink.write, written)
        self._next += len(rows)


def outputs_of(
    desk: Desk, sinks: Sinks, info: SourceInfo, plan: Plan
) -> list[tuple[Output, tuple[Column, ...]]]:
    """What is written to each of `sinks`, and the columns of that.

    Raises:
        ConfigurationError: the changes would have a column twice.
    """
    wanted = [(Output(desk, sink, _rows_of(plan)), plan.columns) for sink in sinks.outputs]
    if (sink := sinks.errors_to) is not None:
        columns = tuple(Column(name, info.types.get(name, "text")) for name in info.columns)
        wanted.append((Output(desk, sink, _troubled_row), columns))
    if (sink := sinks.changes_to) is not None:
        wanted.append((Output(desk, sink, _changes_of(plan)), _columns_of_changes(plan)))
    return wanted


async def opened(
    stack: AsyncExitStack,
    outputs: Sequence[tuple[Output, tuple[Column, ...]]],
    known: Mapping[str, Any],
    *,
    run_id: str,
    fresh: bool,
    claim: str,
) -> list[Output]:
    """`outputs` with their columns, open after what the checkpoint knows that they have."""
    marks = known.get("outputs") or [(0, None)] * len(outputs)
    for (output, columns), (mark, token) in zip(outputs, marks, strict=True):
        opening = Opening(
            run_id=run_id,
            columns=columns,
            token=token,
            is_whole=bool(known.get("is_whole")),
            fresh=fresh,
            claim=claim,
        )
        stack.push_async_callback(output.close)
        await output.open(opening, mark)
    return [output for output, _ in outputs]


def _rows_of(plan: Plan) -> Callable[[Asked], list[Cells]]:
    """What the output takes of a row: one for each of its answers."""
    return lambda row: [plan.output(row.cells, answer) for answer in row.answers]


def _columns_of_changes(plan: Plan) -> tuple[Column, ...]:
    ours = {column.name for column in PREVIOUS}
    for column in plan.columns:
        if column.name in ours:
            way = "rename it in the source" if column.role == "kept" else "give another prefix"
            raise ConfigurationError(
                f"changes_to would have the column {column.name!r} twice: {way}"
            )
    return (*plan.columns, *PREVIOUS)


def _changes_of(plan: Plan) -> Callable[[Asked], list[Cells]]:
    """What the changes take of a row: each answer that is another than before, with that."""
    return lambda row: [
        [*plan.output(row.cells, answer), *amounts_before(answer)]
        for answer in row.answers
        if has_changed(answer)
    ]


def _troubled_row(row: Asked) -> list[Cells]:
    """What the errors take: the row itself, if one of its answers is no success."""
    return [row.cells] if any(map(is_trouble, row.answers)) else []
