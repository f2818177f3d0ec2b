"""`balance_mapper`: a function from Arrow record batches to record batches with balances.

It is what engines call for each part of their data: ``DataFrame.mapInArrow`` of Spark, classic or
Connect, ``map_batches`` of Ray and Daft, and a plain loop over what polars or duckdb give.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any, Final, Literal, TypeAlias, get_args

from attrs import evolve, field, frozen

from altcraft_balance.arrow.ahead import Ahead
from altcraft_balance.arrow.part import Part, Shape
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.models import Currency
from altcraft_balance.refresh.files.arrow import arrow_for
from altcraft_balance.refresh.rows.cell_values import MemberBy
from altcraft_balance.refresh.rows.plan import Asking
from altcraft_balance.settings import ClientSettings
from altcraft_balance.validators import choice, whole

__all__ = ["BalanceMapper", "Keep", "balance_mapper"]

#: Columns that go through: their names, or their names and types.
Keep: TypeAlias = Sequence[str] | Mapping[str, Any] | Any
#: What a lookup that failed is.
OnError: TypeAlias = Literal["row", "raise"]
_WHO: Final = "balance_mapper"
#: A larger batch is looked up, and comes out, in pieces of so many rows.
_MOST_ROWS: Final = 10_000


def balance_mapper(
    settings: ClientSettings,
    *,
    by: MemberBy = "email",
    column: str | None = None,
    keep: Keep = (),
    currencies: Sequence[Currency] = (),
    program_column: str | None = None,
    currency_column: str | None = None,
    prefix: str = "",
    with_member: bool = True,
    amount_scale: int = 9,
    concurrency: int | None = None,
    window_batches: int = 8,
    on_error: OnError = "row",
) -> BalanceMapper:
    """A function from an iterator of record batches to an iterator of record batches.

    Each row of input is a row of output, in the same order: the member, what is kept, and the
    columns of `ParquetSink`. It pickles, when the token in `settings` is a `Secret` by reference;
    its attribute ``schema`` is the output's `pyarrow.Schema`.

    Args:
        settings: of the client that asks, ``BalanceClient.from_env().settings`` say. A
            `SharedRate` in its limits holds all workers to one rate.
        by: how members are found, as for `refresh_balances`.
        column: the member's column; None: the one that is called like `by`.
        keep: names of columns that go through as text; or a mapping of names to Arrow types, or a
            `pyarrow.Schema`, for those that are something else.
        currencies: a row of output for each; none: the client's currency.
        program_column: a column with the loyalty program's id; where it is null, the client's.
        currency_column: a column with the currency's external id; likewise.
        prefix: stands before our columns' names.
        with_member: whether the member, as text, is a column.
        amount_scale: how many decimals amounts have, 0 to 38.
        concurrency: requests on the way at any moment, of each call; None: as `settings` have it.
        window_batches: batches that are looked up at once, so that no slow reply holds the others
            up; a batch of more than 10,000 rows counts as several.
        on_error: ``row``: what could not be looked up is a row that says why; ``raise``: its error
            ends the call.

    Raises:
        ConfigurationError: one of these cannot be, or pyarrow is not installed.
    """
    arrow = arrow_for(_WHO)
    kept = _types_of(arrow, keep)
    name = column or (by.rpartition(":")[2] if isinstance(by, str) else None)
    if not name:
        raise ConfigurationError("column must say which one has the member")
    if concurrency is not None:
        settings = evolve(settings, limits=evolve(settings.limits, concurrency=concurrency))
    asking = Asking(
        by=by,
        column=name,
        program_column=program_column,
        currency_column=currency_column,
        currencies=tuple(currencies),
        keep=tuple(kept),
        prefix=prefix,
        with_member=with_member,
    )
    return BalanceMapper(
        settings,
        asking,
        kept,
        amount_scale=amount_scale,
        window_batches=window_batches,
        on_error=on_error,
    )


@frozen(repr=False)
class BalanceMapper:
    """What `balance_mapper` makes; call it with an iterable of record batches.

    Attributes:
        settings: of the client that asks.
        asking: what is asked about a row.
        kept: the columns that go through, with their Arrow types.
        amount_scale: how many decimals amounts have.
        window_batches: batches that are looked up at once.
        on_error: whether a failed lookup is a row, or ends the call.
    """

    settings: ClientSettings
    asking: Asking
    kept: Mapping[str, Any]
    amount_scale: int = field(default=9, kw_only=True)
    window_batches: int = field(default=8, kw_only=True, validator=whole(1))
    on_error: OnError = "row"
    _shape: Shape = field(init=False, eq=False)

    def __attrs_post_init__(self) -> None:
        choice("on_error", self.on_error, get_args(OnError))
        shape = Shape.of(arrow_for(_WHO), self.asking, self.kept, self.settings, self.amount_scale)
        object.__setattr__(self, "_shape", shape)

    @property
    def schema(self) -> Any:
        """The output's `pyarrow.Schema`."""
        return self._shape.schema

    def __reduce__(self) -> tuple[Any, ...]:
        told = {
            name: getattr(self, name) for name in ("amount_scale", "window_batches", "on_error")
        }
        return partial(BalanceMapper, **told), (self.settings, self.asking, dict(self.kept))

    def __repr__(self) -> str:
        return f"<BalanceMapper for {self.settings.url}>"

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Look the members in `batches` up, with a client and an event loop of its own.

        Lookups go on in another thread while the caller works; `batches` is read in the caller's.
        Whoever leaves the iterator before its end closes it.

        Raises:
            AltcraftBalanceError: a fatal answer, or with ``on_error="raise"`` any error.
            ConfigurationError: a batch has not the columns that are asked for.
        """
        arrow = arrow_for(_WHO)
        with closing(Ahead(self.settings, self._shape, raises=self.on_error == "raise")) as ahead:
            waiting: deque[Part] = deque()
            for part in self._parts(arrow, batches):
                ahead.give(part)
                waiting.append(part)
                while waiting and (waiting[0].is_done or len(waiting) >= self.window_batches):
                    yield waiting.popleft().answered(arrow)
            ahead.end()
            while waiting:
                yield waiting.popleft().answered(arrow)

    def _parts(self, arrow: Any, batches: Iterable[Any]) -> Iterator[Part]:
        for batch in batches:
            for start in range(0, max(batch.num_rows, 1), _MOST_ROWS):
                yield Part(arrow, self._shape, batch.slice(start, _MOST_ROWS))


def _types_of(arrow: Any, keep: Any) -> dict[str, Any]:
    """The columns that go through, with their Arrow types."""
    if isinstance(keep, arrow.Schema):
        return dict(zip(keep.names, keep.types, strict=True))
    if isinstance(keep, Mapping):
        found = dict(keep)
    elif isinstance(keep, str) or not isinstance(keep, Iterable):
        raise ConfigurationError("keep must be a list of column names, a mapping, or a Schema")
    else:
        found = dict.fromkeys(keep, arrow.string())
    for name, type_ in found.items():
        if not isinstance(name, str) or not isinstance(type_, arrow.DataType):
            raise ConfigurationError("keep must be names of columns, and Arrow types if any")
    return found
