"""What may be the key of a row in a table: the member or another cell, and the currency. Pure.

An index of PostgreSQL takes 2,704 bytes for all of a key, and a letter has up to four.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from altcraft_balance.errors import ConfigurationError, InvalidQuery
from altcraft_balance.models import Currency, CurrencyEid
from altcraft_balance.refresh.port import Cell

__all__ = ["check_currencies", "check_currency", "check_key", "fits"]

_LONGEST_KEY: Final = 500
_LONGEST_CURRENCY: Final = 100


def check_key(cell: Cell) -> None:
    """Raise `InvalidQuery` for a row that no table could keep."""
    if cell is None or cell == "":
        raise InvalidQuery("its key is empty: the row could not be kept")
    if len(str(cell)) > _LONGEST_KEY:
        raise InvalidQuery(f"its key has more than {_LONGEST_KEY} characters: it could not be kept")


def check_currency(cell: Cell) -> None:
    """Likewise, for its currency."""
    if cell is not None and len(str(cell)) > _LONGEST_CURRENCY:
        raise InvalidQuery(
            f"its currency has more than {_LONGEST_CURRENCY} characters: it could not be kept"
        )


def check_currencies(currencies: Iterable[Currency | None]) -> None:
    """Refuse those that all rows have.

    Raises:
        ConfigurationError: the external id of one is too long for a key.
    """
    for currency in currencies:
        if isinstance(currency, CurrencyEid) and len(currency.eid) > _LONGEST_CURRENCY:
            raise ConfigurationError(
                f"a currency's external id has more than {_LONGEST_CURRENCY} characters: a table "
                "of balances takes no longer ones, since its rows are known by it"
            )


def fits(key: Cell, currency: str) -> bool:
    """Whether a row of the table could be known by them."""
    is_there = key not in (None, "")
    return is_there and len(str(key)) <= _LONGEST_KEY and len(currency) <= _LONGEST_CURRENCY
