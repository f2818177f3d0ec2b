"""A part of the input on its way: its rows, the answers that have come, and what it becomes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from itertools import chain
from typing import Any, Final

from attrs import frozen

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.amounts import AmountScale
from altcraft_balance.refresh.files.arrow_cells import cells_of
from altcraft_balance.refresh.files.arrow_columns import arrow_type, batch_of
from altcraft_balance.refresh.files.text import as_text
from altcraft_balance.refresh.port import Cells, Column, SourceInfo
from altcraft_balance.refresh.rows.answer import Answer
from altcraft_balance.refresh.rows.plan import ANSWER, Asking, Plan
from altcraft_balance.settings import ClientSettings

__all__ = ["Part", "Shape"]

_INPUT: Final = "the batch"


@frozen
class Shape:
    """What the input must have, and what the output has.

    Attributes:
        asking: how rows become queries.
        needed: the columns that queries are made of; the member's is the first.
        kept: those that go through.
        plan: what is asked about a row of `needed`.
        schema: the output's `pyarrow.Schema`.
        scale: what amounts fit.
    """

    asking: Asking
    needed: tuple[str, ...]
    kept: tuple[str, ...]
    plan: Plan
    schema: Any
    scale: AmountScale

    @classmethod
    def of(
        cls,
        arrow: Any,
        asking: Asking,
        kept: Mapping[str, Any],
        settings: ClientSettings,
        amount_scale: int,
    ) -> Shape:
        """Of what was asked for, and of columns that go through, with their types."""
        given = (asking.column, asking.program_column, asking.currency_column)
        needed = tuple(dict.fromkeys(name for name in given if name is not None))
        columns = tuple(dict.fromkeys([*needed, *kept]))
        plan = Plan(
            asking,
            SourceInfo(name=_INPUT, columns=columns, fingerprint=""),
            currency=settings.currency,
            program=settings.loyalty_program_id,
        )
        scale = AmountScale(amount_scale)
        types = {
            column.name: arrow_type(arrow, column.type, amount_scale) for column in plan.columns
        }
        types |= kept
        schema = arrow.schema([(column.name, types[column.name]) for column in plan.columns])
        return cls(asking, needed, tuple(kept), plan, schema, scale)


class Part:
    """Rows of one batch, at most some thousands.

    Args:
        arrow: pyarrow.
        shape: of all of the input.
        batch: a record batch.

    Attributes:
        rows: the cells that queries are made of.
        answers: what came of each row's queries, so far.

    Raises:
        ConfigurationError: the batch has not the columns that are needed.
    """

    def __init__(self, arrow: Any, shape: Shape, batch: Any) -> None:
        self._shape = shape
        columns = [_column(batch, name) for name in shape.needed]
        self.rows: list[Cells] = [*zip(*(cells_of(arrow, one) for one in columns), strict=True)]
        self._kept = [_column(batch, name) for name in shape.kept]
        self.answers: list[list[Answer | None]] = [[None] * shape.plan.answers for _ in self.rows]
        self._missing = len(self.rows) * shape.plan.answers
        self._done: Future[None] = Future()
        if not self.rows:
            self._done.set_result(None)

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to wait for."""
        return self._done.done()

    def put(self, row: int, number: int, answer: Answer) -> None:
        """One of a row's answers has come."""
        self.answers[row][number] = answer
        self._missing -= 1
        if not self._missing:
            self._done.set_result(None)

    def fail(self, error: BaseException) -> None:
        """No more answers come."""
        if not self._done.done():
            self._done.set_exception(error)

    def answered(self, arrow: Any) -> Any:
        """The part as a record batch of the output; waits until it is answered.

        Raises:
            AltcraftBalanceError: it was not.
        """
        self._done.result()
        asking, schema = self._shape.asking, self._shape.schema
        arrays = [*self._members(arrow), *self._through(arrow, schema)]
        answers = batch_of(
            arrow,
            arrow.schema(list(schema)[len(arrays) :]),
            [Column(asking.prefix + name, kind) for name, kind in ANSWER],
            [answer[: len(ANSWER)] for answer in chain.from_iterable(self._whole())],
        )
        return arrow.RecordBatch.from_arrays([*arrays, *answers.columns], schema=schema)

    def _whole(self) -> Iterator[Sequence[Answer]]:
        for answers in self.answers:
            yield [answer for answer in answers if answer is not None]

    def _members(self, arrow: Any) -> list[Any]:
        if not self._shape.asking.with_member:
            return []
        texts = [None if row[0] is None else as_text(row[0]) for row in self.rows]
        return [self._repeated(arrow, arrow.array(texts, arrow.string()))]

    def _through(self, arrow: Any, schema: Any) -> list[Any]:
        """The columns that are kept, with the types that they were said to have."""
        arrays = []
        for name, array in zip(self._shape.kept, self._kept, strict=True):
            type_ = schema.field(name).type
            try:
                arrays.append(self._repeated(arrow, _as_type(arrow, array, type_)))
                continue
            except (arrow.ArrowException, ValueError, TypeError):
                pass
            raise ConfigurationError(
                f"column {name!r} cannot be kept as {type_}: it is {array.type}, say so in keep"
            )
        return arrays

    def _repeated(self, arrow: Any, array: Any) -> Any:
        """`array` with each cell as often as its row has answers."""
        times = self._shape.plan.answers
        if times == 1:
            return array
        return array.take(arrow.array([row for row in range(len(array)) for _ in range(times)]))


def _as_type(arrow: Any, array: Any, type_: Any) -> Any:
    if array.type == type_:
        return array
    if type_ == arrow.string():
        cells = (None if cell is None else as_text(cell) for cell in cells_of(arrow, array))
        return arrow.array(cells, type_)
    return array.cast(type_)


def _column(batch: Any, name: str) -> Any:
    names = batch.schema.names
    if names.count(name) == 1:
        return batch.column(names.index(name))
    found = "which stands there twice" if name in names else f"it has {', '.join(names) or 'none'}"
    raise ConfigurationError(f"{_INPUT} must have the column {name!r}: {found}")
