"""What the cells of a row mean: a member, a program, a currency. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from altcraft_balance.batch.source import made_by
from altcraft_balance.errors import ConfigurationError, InvalidQuery
from altcraft_balance.models import (
    ByCustomField,
    ByEmail,
    ByPhone,
    ByProfileId,
    Currency,
    CurrencyEid,
    Matching,
)
from altcraft_balance.refresh.port import Cell

__all__ = ["MemberBy", "currency_of", "matcher_of", "program_of", "program_or_none"]

#: How the member's column is read: the name of a matching, or what makes one of a value.
MemberBy: TypeAlias = str | Callable[[Any], Matching]
_INTEGER: Final = re.compile(r"-?[0-9]{1,19}\Z")
_LARGEST: Final = 2**63 - 1
_WAYS: Final = "email, phone, profile_id, custom:FIELD or custom-int:FIELD"


def matcher_of(by: MemberBy) -> Callable[[Any], Matching]:
    """What makes a matching of a cell.

    Raises:
        ConfigurationError: `by` names no way.
    """
    if not isinstance(by, str):
        if callable(by):
            return lambda value: made_by(by, value)
        raise ConfigurationError(f"by must be {_WAYS}, or a callable that makes a matching")
    way, colon, name = by.partition(":")
    if way in _SIMPLE and not colon:
        return _SIMPLE[way]
    if way in {"custom", "custom-int"} and name:
        integer = way == "custom-int"
        return lambda value: ByCustomField(name, _whole(value) if integer else value)
    raise ConfigurationError(f"by must be {_WAYS}, not {by!r}")


def _digits(value: Any) -> Any:
    """A number's digits, since a typed source may hold phones and ids as numbers."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_SIMPLE: Final[Mapping[str, Callable[[Any], Matching]]] = {
    "email": ByEmail,
    "phone": lambda value: ByPhone(_digits(value)),
    "profile_id": lambda value: ByProfileId(_digits(value)),
}


def _whole(value: Any) -> int:
    if isinstance(value, int):
        return value
    if not isinstance(value, str) or not _INTEGER.match(value):
        raise InvalidQuery("the custom field's value is not a whole number")
    return int(value)


def program_of(value: Cell) -> int | None:
    """The loyalty program's id; None when the cell is empty.

    Raises:
        InvalidQuery: it is no whole number, or one that no column of numbers could hold.
    """
    if value is None or value == "":
        return None
    try:
        if abs(program := _whole(value)) <= _LARGEST:
            return program
    except InvalidQuery:
        pass
    raise InvalidQuery("the loyalty program's id is not a whole number of 64 bits")


def program_or_none(value: Cell, usual: int | None) -> int | None:
    """The same, `usual` when the cell is empty, and None when it is no whole number."""
    try:
        found = program_of(value)
    except InvalidQuery:
        return None
    return usual if found is None else found


def currency_of(value: Cell) -> Currency | None:
    """The points currency with this external id; None when the cell is empty."""
    return None if value is None or value == "" else CurrencyEid(str(value))
