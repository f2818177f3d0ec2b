"""The ledger: every member has a balance without being stored anywhere.

A balance is a pure function of the program, the currency and the member's name, made by BLAKE2b.
So any answer can be checked by asking the ledger again, in this process or in another one. What was
set or removed by hand comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Final, NamedTuple, TypeAlias

from attrs import frozen

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.sandbox.matching import Member
from altcraft_balance.sandbox.programs import CurrencyId, PointsCurrency

__all__ = ["Amounts", "Ledger", "Points", "Scope", "amount_text"]

#: Total and active balance, as they stand on the wire.
Amounts: TypeAlias = tuple[str, str]

# Shares of sixteen: most amounts have two places, but none and many are legal as well.
_PLACES: Final = (2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 1, 1, 3, 4, 6)
# How many smallest units the total can have: mostly ordinary, some small, huge or nothing at all.
_CEILINGS: Final = (*(10**7,) * 11, 10**4, 10**4, 10**15, 10**18, 1)


@frozen
class Points:
    """What a right answer says; digits and places are those on the wire."""

    total_balance: Decimal
    active_balance: Decimal


class Scope(NamedTuple):
    """What a setting applies to: everything, unless a program or a currency is named."""

    program: int | None
    currency: CurrencyId | None

    def covers(self, program: int, currency: PointsCurrency | None) -> bool:
        """Whether a lookup in this program and currency is meant."""
        if self.program is not None and self.program != program:
            return False
        if self.currency is None:
            return True
        return currency is not None and currency.is_called(self.currency)


class Ledger:
    """Who has how many points.

    Args:
        programs: the currencies of every program.
    """

    def __init__(self, programs: Mapping[int, tuple[PointsCurrency, ...]]) -> None:
        # A hash that has read the program and the currency is copied for every member: one long
        # update less in each of millions of lookups.
        self._openings = {
            (program, currency): blake2b(
                f"{program}/{currency.iid}/{currency.eid}/".encode(), digest_size=24
            )
            for program, currencies in programs.items()
            for currency in currencies
        }
        self._by_hand: dict[Member, dict[Scope, Amounts | None]] = {}

    def amounts(self, program: int, currency: PointsCurrency, member: Member) -> Amounts | None:
        """What stands on the wire for this member, or None if the member is unknown."""
        for scope, amounts in reversed(self._by_hand.get(member, {}).items()):
            if scope.covers(program, currency):
                return amounts
        matching, name, value = member
        kind = "i" if isinstance(value, int) else "s"
        digest = self._openings[program, currency].copy()
        # The name's length keeps ("ab", "c") and ("a", "bc") apart.
        digest.update(f"{matching}/{len(name)}/{name}/{kind}{value}".encode())
        return _amounts(int.from_bytes(digest.digest(), "big"))

    def put(self, member: Member, scope: Scope, amounts: Amounts | None) -> None:
        """From now on the member has these amounts, or with None is unknown; the latest wins."""
        settings = self._by_hand.setdefault(member, {})
        settings.pop(scope, None)  # so that the new one stands last
        settings[scope] = amounts


def amount_text(value: Decimal | int | str, name: str) -> str:
    """An amount as it will stand on the wire: plain digits, places kept.

    Raises:
        ConfigurationError: not a finite Decimal, int or decimal text.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise ConfigurationError(
            f"{name} must be a Decimal, an int or decimal text, not {type(value).__name__}"
        )
    try:
        amount = Decimal(value)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise ConfigurationError(f"{name} must be a finite decimal number such as '1000.00'")
    return format(amount, "f")


def _amounts(number: int) -> Amounts:
    number, places = divmod(number, 16)
    number, ceiling = divmod(number, 16)
    number, share = divmod(number, 16)
    places = _PLACES[places]
    number, total = divmod(number, _CEILINGS[ceiling])
    text = _decimal(total, places)
    if share < 5:  # everything can be spent
        return text, text
    if share == 5:  # a spent accrual was cancelled
        return text, "-" + _decimal(number % 10**6 + 1, places)
    active = total * (number % 101) // 100
    # Now and then the two have different places, as on the platform's sample pages.
    return text, _decimal(active, places) if share > 7 else str(active // 10**places)


def _decimal(units: int, places: int) -> str:
    if not places:
        return str(units)
    digits = str(units).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}"
