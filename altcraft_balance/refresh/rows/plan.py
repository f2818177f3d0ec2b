"""What is asked about a row, and what stands in the rows that come of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import starmap
from typing import Any, Final, Literal

from attrs import frozen

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.models import BalanceQuery, Currency, CurrencyEid, CurrencyIid
from altcraft_balance.refresh.port import Cell, Cells, Column, ColumnType, SourceInfo
from altcraft_balance.refresh.rows.answer import CELLS
from altcraft_balance.refresh.rows.cell_values import (
    MemberBy,
    currency_of,
    matcher_of,
    program_of,
    program_or_none,
)
from altcraft_balance.refresh.rows.row_keys import check_currencies, check_currency, check_key

__all__ = ["ANSWER", "Asking", "Plan", "guessed_column"]

#: Our columns of the output, beside the member and those that are kept.
ANSWER: Final[tuple[tuple[str, ColumnType], ...]] = (
    ("total_balance", "amount"),
    ("active_balance", "amount"),
    ("currency", "text"),
    ("loyalty_program_id", "integer"),
    ("status", "text"),
    ("error_kind", "text"),
    ("error_code", "integer"),
    ("error_text", "text"),
    ("attempts", "integer"),
    ("looked_up_at", "time"),
)
#: Where these stand in an answer.
_CURRENCY: Final = 2
_PROGRAM: Final = 3


@frozen(kw_only=True)
class Asking:
    """How rows become queries, and which columns go through.

    Attributes:
        by: ``email``, ``phone``, ``profile_id``, ``custom:FIELD``, ``custom-int:FIELD``, or a
            callable that makes a matching of the column's value.
        column: the member's column; None: the one that is called like `by`, or the only one.
        program_column: a column with the loyalty program's id; where it is empty, the client's.
        currency_column: a column with the currency's external id; likewise.
        currencies: a row of output for each; none: the client's currency.
        keep: names of columns that go through, or ``all``.
        prefix: stands before our columns' names.
        with_member: whether the member, as it was given, is a column.
    """

    by: MemberBy = "email"
    column: str | None = None
    program_column: str | None = None
    currency_column: str | None = None
    currencies: tuple[Currency, ...] = ()
    keep: tuple[str, ...] | Literal["all"] = ()
    prefix: str = ""
    with_member: bool = True

    def __attrs_post_init__(self) -> None:
        matcher_of(self.by)
        for currency in self.currencies:
            if not isinstance(currency, CurrencyEid | CurrencyIid):
                raise ConfigurationError("currencies must be CurrencyEid(...) or CurrencyIid(...)")
        if len(set(self.currencies)) < len(self.currencies):
            raise ConfigurationError("currencies name one twice")
        if self.currencies and self.currency_column is not None:
            raise ConfigurationError("currencies and currency_column cannot be given together")
        if isinstance(self.keep, str) and self.keep != "all":
            raise ConfigurationError("keep must be a list of column names, or 'all'")


class Plan:
    """`asking`, for a source with these columns.

    Args:
        asking: what was asked for.
        info: what the source has.
        currency: the client's own currency, which is named in the output.
        program: the client's own program, likewise.
        key: what rows are known by, if that is not the member; it is among those that are kept.
        is_keyed: a row without what it is known by cannot be kept, and is not asked about.

    Attributes:
        columns: the output's columns.
        answers: rows of output for each row of the source.
        width: cells of a row.

    Raises:
        ConfigurationError: a column is missing or stands there twice, names clash, or a currency
            is too long to be known by.
    """

    def __init__(
        self,
        asking: Asking,
        info: SourceInfo,
        *,
        currency: Currency | None,
        program: int | None,
        key: str | None = None,
        is_keyed: bool = False,
    ) -> None:
        self._info, self._match = info, matcher_of(asking.by)
        self.width = len(info.columns)
        self.member = self._index(asking.column or self._usual_column(asking), "column")
        self._program = self._optional(asking.program_column, "program_column")
        self._currency = self._optional(asking.currency_column, "currency_column")
        keep = info.columns if asking.keep == "all" else tuple(asking.keep)
        if key is not None and key not in keep:
            keep = (key, *keep)
        self._key = self.member if key is None else self._index(key, "key")
        self._is_keyed = is_keyed
        self._carried = [self.member] if asking.with_member else []
        self._carried += [self._index(name, "keep") for name in keep]
        self._currencies: Sequence[Currency | None] = asking.currencies or (None,)
        self._own_currency, self._own_program = currency, program
        if is_keyed:
            check_currencies((currency, *self._currencies))
        self._is_plain = (self._program, self._currency, *self._currencies) == (None, None, None)
        self.answers = len(self._currencies)
        self.columns = self._output_columns(keep, asking)

    def queries(self, cells: Cells, row: Any) -> list[BalanceQuery]:
        """One query for each answer that the row wants, tagged with `row` and the answer's number.

        Raises:
            InvalidQuery: its values make none; the sentence shows none of them.
        """
        matching = self._match(cells[self.member])
        if self._is_keyed:
            check_key(cells[self._key])
        if self._is_plain:  # nearly always, and a third quicker
            return [BalanceQuery(matching, tag=(row, 0))]
        program = None if self._program is None else program_of(cells[self._program])
        currencies = self._currencies
        if self._currency is not None:
            currencies = (currency_of(cells[self._currency]),)
            if self._is_keyed:
                check_currency(cells[self._currency])
        return [
            BalanceQuery(matching, loyalty_program_id=program, currency=currency, tag=(row, number))
            for number, currency in enumerate(currencies)
        ]

    def about(self, query: BalanceQuery) -> tuple[str | None, int | None]:
        """The currency and the program that `query` asks for, as its row names them."""
        own = self._own_program
        program = own if query.loyalty_program_id is None else query.loyalty_program_id
        return _named(query.currency or self._own_currency), program

    def unasked(self, cells: Cells) -> Iterator[tuple[str | None, int | None]]:
        """The same for each answer of a row that is not asked about; None for what it hides."""
        program = self._own_program
        if self._program is not None:
            program = program_or_none(_cell(cells, self._program), program)
        for currency in self._currencies:
            name = _named(currency or self._own_currency)
            if self._currency is not None:
                given = _cell(cells, self._currency)
                name = name if given is None or given == "" else str(given)
            yield name, program

    def key(self, cells: Cells, answer: Cells) -> tuple[Cell, Cell, Cell]:
        """What a row of output is known by: the key's or the member's cell, program, currency."""
        return _cell(cells, self._key), answer[_PROGRAM], answer[_CURRENCY]

    def output(self, cells: Cells, answer: Cells) -> list[Cell]:
        """A row of the output: the member, what is kept, the answer."""
        try:
            return [*[cells[index] for index in self._carried], *answer[:CELLS]]
        except IndexError:  # a bad row may have fewer
            return [*[_cell(cells, index) for index in self._carried], *answer[:CELLS]]

    def _output_columns(self, keep: Sequence[str], asking: Asking) -> tuple[Column, ...]:
        member = [(asking.prefix + "member", self._info.columns[self.member], "member")]
        given = member if asking.with_member else []
        given += [(name, name, "kept") for name in keep]
        answer = [Column(asking.prefix + name, kind, name) for name, kind in ANSWER]
        columns = (*starmap(self._given, given), *answer)
        names = [column.name for column in columns]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigurationError(
                f"prefix is needed: the output would have the column {twice[0]!r} twice"
            )
        return columns

    def _given(self, name: str, was: str, role: str) -> Column:
        info = self._info
        shows_types = not info.is_live or info.total != 0
        return Column(name, info.types.get(was, "text"), role, is_known=shows_types)

    def _usual_column(self, asking: Asking) -> str:
        columns = self._info.columns
        name = asking.by.rpartition(":")[2] if isinstance(asking.by, str) else ""
        if name in columns:
            return name
        if len(columns) == 1:
            return columns[0]
        raise ConfigurationError(
            f"column must say which of {self._info.name} has the member: {_listed(columns)}"
        )

    def _optional(self, name: str | None, setting: str) -> int | None:
        return None if name is None else self._index(name, setting)

    def _index(self, name: str, setting: str) -> int:
        columns = self._info.columns
        if (count := columns.count(name)) == 1:
            return columns.index(name)
        if count:
            raise ConfigurationError(f"{setting} {name!r} stands {count} times in the header")
        raise ConfigurationError(
            f"{setting} {name!r} is not in {self._info.name}, which has {_listed(columns)}"
        )


def guessed_column(columns: Sequence[str]) -> tuple[str, str] | None:
    """The way and the column of the only one that is called like a way; None when not just one."""
    ways = ("email", "phone", "profile_id")
    found = [(name.strip().lower(), name) for name in columns if name.strip().lower() in ways]
    return found[0] if len(found) == 1 else None


def _named(currency: Currency | None) -> str | None:
    """A currency in a cell: its external id, or the digits of its internal one."""
    if currency is None:
        return None
    return currency.eid if isinstance(currency, CurrencyEid) else str(currency.iid)


def _cell(cells: Cells, index: int) -> Cell:
    return cells[index] if index < len(cells) else None


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in columns[:20])
    return f"{shown} and {len(columns) - 20} more" if len(columns) > 20 else shown
