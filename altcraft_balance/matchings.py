"""How a member is found: Altcraft's word for it is matching.

Each is checked where it is built, and none shows the member's address in its ``repr``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from attrs import field, frozen

from altcraft_balance.errors import InvalidQuery
from altcraft_balance.fields import (
    Fields,
    FieldValue,
    by_check,
    checked_integer,
    checked_key,
    checked_text,
)
from altcraft_balance.secret import HIDDEN
from altcraft_balance.unseen import unseen

__all__ = [
    "MATCHINGS",
    "OUR_FIELDS",
    "ByCustomField",
    "ByEmail",
    "ByPhone",
    "ByProfileId",
    "Matching",
    "RawMatching",
    "refuse_ours",
]

#: Fields that the client itself sends with every lookup.
OUR_FIELDS: Final = frozenset(
    {"token", "loyalty_program_id", "points_currency_iid", "points_currency_eid"}
)


_USUAL_EMAIL = re.compile("[!-?A-~]+@[!-?A-~]+")


def _hide(_: object) -> str:
    return HIDDEN


def _email(_: object, __: object, value: Any) -> None:
    if isinstance(value, str) and _USUAL_EMAIL.fullmatch(value):
        return
    local, at, domain = checked_key(value, "email").rpartition("@")
    if not (local and at and domain):
        raise InvalidQuery("email must have an '@' with something on both sides of it")


def _phone(_: object, __: object, value: Any) -> None:
    if not any(character.isdigit() for character in checked_key(value, "phone")):
        raise InvalidQuery("phone has no digit: give it in international form")


def _custom_value(_: object, __: object, value: Any) -> None:
    if isinstance(value, str):
        checked_text(value, "the custom field's value")
    else:
        checked_integer(value, "the custom field's value (if it is not text)")


@unseen
@frozen
class ByEmail:
    """The member with this e-mail address."""

    email: str = field(repr=_hide, validator=_email)


@unseen
@frozen
class ByPhone:
    """The member with this phone number, in international form."""

    phone: str = field(repr=_hide, validator=_phone)


@unseen
@frozen
class ByProfileId:
    """The member with this profile id, an opaque text (often 24 hexadecimal digits)."""

    profile_id: str = field(repr=_hide, validator=by_check(checked_key, "profile_id"))


@unseen
@frozen
class ByCustomField:
    """The member whose custom field `name` has this value.

    Custom fields are typed: 42 and "42" are different values in JSON, and are sent as given.
    """

    name: str = field(validator=by_check(checked_key, "the custom field's name"))
    value: str | int = field(repr=_hide, validator=_custom_value)


def _raw(_: object, __: object, fields: Fields) -> None:
    if not isinstance(fields.get("matching"), str):
        raise InvalidQuery("RawMatching needs a field 'matching' with the matching's name")
    refuse_ours(fields, "RawMatching")


def refuse_ours(fields: Mapping[str, FieldValue], what: str) -> None:
    """Refuse `fields` that name one that the client sends itself."""
    if taken := OUR_FIELDS.intersection(fields):
        raise InvalidQuery(f"{what} may not name {min(taken)!r}: the client sends that field")


@unseen
@frozen(repr=False)
class RawMatching:
    """Any other matching: `fields` go into the request as they are, ``matching`` among them."""

    fields: Fields = field(converter=Fields, validator=_raw)

    def __repr__(self) -> str:
        # Also of one that bad fields left half made: a traceback with locals asks for it.
        return f"RawMatching(fields={HIDDEN})"


Matching: TypeAlias = ByEmail | ByPhone | ByProfileId | ByCustomField | RawMatching
MATCHINGS = (ByEmail, ByPhone, ByProfileId, ByCustomField, RawMatching)
