"""How a member is named, on the wire and in a query: both come down to one hashable `Member`.

The type of a custom field's value is part of the name: 42 and "42" are two members, since custom
fields are typed. XML carries no types, so in XML every value is text: a request for 42 in XML asks
for the member "42".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from altcraft_balance.errors import InvalidQuery
from altcraft_balance.models import (
    BalanceQuery,
    ByCustomField,
    ByEmail,
    ByPhone,
    ByProfileId,
    Matching,
    RawMatching,
)
from altcraft_balance.sandbox.replies import Refused

__all__ = ["MATCHING_FIELDS", "Member", "member_in", "member_of"]

#: The matching, the custom field's name ("" for the other matchings), the value.
Member: TypeAlias = tuple[str, str, str | int]

#: Developer guide, "Get points account balance": which fields go with which `matching`.
_FIELDS: Final[dict[str, frozenset[str]]] = {
    "email": frozenset({"email"}),
    "phone": frozenset({"phone"}),
    "profile_id": frozenset({"profile_id"}),
    "custom": frozenset({"field_name", "field_value"}),
}
MATCHING_FIELDS: Final = frozenset().union(*_FIELDS.values())


def member_in(fields: Mapping[str, Any]) -> Member:
    """The member that a request's fields name.

    Raises:
        Refused: an unknown matching, a field missing or too many, a value of the wrong type.
    """
    matching = fields.get("matching")
    if not isinstance(matching, str) or matching not in _FIELDS:
        raise Refused(400, f"matching must be one of {', '.join(_FIELDS)}")
    present = MATCHING_FIELDS.intersection(fields)
    if present != _FIELDS[matching]:
        raise Refused(400, _difference(matching, present))
    if matching == "custom":
        return matching, _text(fields, "field_name"), _custom_value(fields)
    value = _text(fields, matching)
    if matching == "email" and "@" not in value:
        raise Refused(400, "email has no '@'")
    if matching == "phone" and not any(map(str.isdigit, value)):
        raise Refused(400, "phone has no digit")
    return matching, "", value


def member_of(query: Matching | BalanceQuery) -> Member:
    """The member that a query names.

    Raises:
        InvalidQuery: not a query, or a `RawMatching` that is none of the four documented ones.
    """
    matching = query.matching if isinstance(query, BalanceQuery) else query
    if isinstance(matching, ByEmail):
        return "email", "", matching.email
    if isinstance(matching, ByPhone):
        return "phone", "", matching.phone
    if isinstance(matching, ByProfileId):
        return "profile_id", "", matching.profile_id
    if isinstance(matching, ByCustomField):
        return "custom", matching.name, matching.value
    return _raw_member(matching)


def _raw_member(matching: RawMatching) -> Member:
    if not isinstance(matching, RawMatching):
        raise InvalidQuery(
            f"a query is ByEmail(...), BalanceQuery(...) or so, not {type(matching).__name__}"
        )
    try:
        return member_in(matching.fields)
    except Refused as refused:
        trouble = refused.answer.text
    raise InvalidQuery(f"the sandbox does not answer this RawMatching: {trouble}")


def _difference(matching: str, present: frozenset[str]) -> str:
    if missing := _FIELDS[matching] - present:
        return f"matching {matching} needs the field {min(missing)}"
    return f"matching {matching} does not go with the field {min(present - _FIELDS[matching])}"


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str):
        raise Refused(400, f"{name} must be a string")
    if not value.strip():
        raise Refused(400, f"{name} is empty")
    if not value.isascii() and not _encodable(value):
        raise Refused(400, f"{name} has a lone surrogate, which is no character")
    return value


def _encodable(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _custom_value(fields: Mapping[str, Any]) -> str | int:
    value = fields["field_value"]
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise Refused(400, "field_value must be a string or an integer")
    return _text(fields, "field_value")
