"""Loyalty programs and their points currencies: what exists in a sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from attrs import field, frozen

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.models import Currency, CurrencyEid, CurrencyIid

__all__ = ["PROGRAMS", "CurrencyId", "PointsCurrency", "checked_programs", "currency_id", "pick"]

#: A currency as a request names it: by internal id (int) or by external id (str).
CurrencyId: TypeAlias = int | str


def _iid(_: object, __: object, value: Any) -> None:
    if value is not None and (type(value) is not int or value < 1):
        raise ConfigurationError(f"a currency's iid must be an integer from 1, not {value!r}")


def _eid(_: object, __: object, value: Any) -> None:
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise ConfigurationError(f"a currency's eid must be text, not {value!r}")


@frozen(kw_only=True)
class PointsCurrency:
    """A points currency, known by either id or by both.

    Attributes:
        iid: the internal id, from 1.
        eid: the external id, such as ``"stars"``.

    Raises:
        ConfigurationError: neither id is given, or one is of the wrong type.
    """

    iid: int | None = field(default=None, validator=_iid)
    eid: str | None = field(default=None, validator=_eid)

    def __attrs_post_init__(self) -> None:
        if self.iid is None and self.eid is None:
            raise ConfigurationError("a currency needs an id: PointsCurrency(iid=1, eid='stars')")

    def is_called(self, name: CurrencyId) -> bool:
        """Whether this is the currency with that internal (int) or external (str) id."""
        return name == (self.iid if isinstance(name, int) else self.eid)


#: Several programs, and currencies known in each of the three ways.
PROGRAMS: Final[Mapping[int, Sequence[PointsCurrency]]] = {
    123: (
        PointsCurrency(iid=1, eid="stars"),
        PointsCurrency(iid=2, eid="starts"),  # the word of the platform's reference page
        PointsCurrency(iid=3),
    ),
    7: (PointsCurrency(eid="miles"), PointsCurrency(iid=9, eid="points")),
    1: (PointsCurrency(iid=4, eid="stars"),),
}


def checked_programs(
    programs: Mapping[int, Sequence[PointsCurrency]],
) -> dict[int, tuple[PointsCurrency, ...]]:
    """The programs as they were given, checked.

    Raises:
        ConfigurationError: no program, a program without currencies, an id that is none or that
            two currencies share.
    """
    if not isinstance(programs, Mapping) or not programs:
        raise ConfigurationError(
            "programs must map program ids to currencies: {123: [PointsCurrency(iid=1)]}"
        )
    return {_program_id(key): _currencies(key, programs[key]) for key in programs}


def _program_id(value: object) -> int:
    if type(value) is not int or value < 1:
        raise ConfigurationError(f"a program's id must be an integer from 1, not {value!r}")
    return value


def _currencies(program: int, values: Sequence[PointsCurrency]) -> tuple[PointsCurrency, ...]:
    currencies = tuple(values)
    if not currencies or not all(isinstance(value, PointsCurrency) for value in currencies):
        raise ConfigurationError(f"program {program} needs a list of PointsCurrency(...)")
    for ids in ([c.iid for c in currencies], [c.eid for c in currencies]):
        known = [value for value in ids if value is not None]
        if len(set(known)) != len(known):
            raise ConfigurationError(f"program {program} has two currencies with one id")
    return currencies


def currency_id(currency: Currency | None) -> CurrencyId | None:
    """The bare id in a query's currency.

    Raises:
        ConfigurationError: it is no currency.
    """
    if currency is None:
        return None
    if isinstance(currency, CurrencyIid):
        return currency.iid
    if isinstance(currency, CurrencyEid):
        return currency.eid
    raise ConfigurationError("currency must be CurrencyIid(...) or CurrencyEid(...)")


def pick(currencies: Sequence[PointsCurrency], name: CurrencyId | None) -> PointsCurrency | None:
    """The currency of that name; the program's first when none is named; None if there is none."""
    if name is None:
        return currencies[0]
    return next((currency for currency in currencies if currency.is_called(name)), None)
