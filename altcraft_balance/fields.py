"""Values that can be sent: the checks that every field of a request goes through.

Values are sent as they were given, since the platform documents no normalisation. So a value
with blanks around it is refused rather than stripped: it would find another member, or none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from altcraft_balance.errors import InvalidQuery
from altcraft_balance.secret import HIDDEN

__all__ = [
    "FieldValue",
    "Fields",
    "by_check",
    "checked_id",
    "checked_integer",
    "checked_key",
    "checked_text",
    "sendable",
]

FieldValue: TypeAlias = str | int
_INT64: Final = 2**63
#: What no XML 1.0 document can carry (W3C XML 1.0, production 2), and lone surrogates,
#: which UTF-8 cannot: refused for both formats, so that both accept the same members.
_UNSENDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_BLANK_LINES = re.compile(r"[\t\r\n]")
_VISIBLE_ASCII = re.compile("[!-~]+")
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")


def sendable(text: str) -> bool:
    """Whether both formats can carry every character of `text`."""
    return _UNSENDABLE.search(text) is None


def checked_text(value: Any, name: str) -> str:
    """A text with something in it that both formats can carry."""
    if not isinstance(value, str):
        raise InvalidQuery(f"{name} must be text (str), not {type(value).__name__}")
    if not value.strip():
        raise InvalidQuery(f"{name} is empty: give the value that the platform knows")
    if not sendable(value):
        raise InvalidQuery(f"{name} has characters that cannot be sent (control characters)")
    return value


def checked_key(value: Any, name: str) -> str:
    """A text to be found by: as `checked_text`, without blanks around it or line breaks in it."""
    if isinstance(value, str) and _VISIBLE_ASCII.fullmatch(value):  # so are nearly all
        return value
    text = checked_text(value, name)
    if text != text.strip() or _BLANK_LINES.search(text):
        raise InvalidQuery(f"{name} has blanks around it or line breaks in it: strip them")
    return text


def checked_integer(value: Any, name: str) -> int:
    """An integer of 64 bits; `bool` is none."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidQuery(f"{name} must be an integer (int), not {type(value).__name__}")
    if not -_INT64 <= value < _INT64:
        raise InvalidQuery(f"{name} does not fit into 64 bits")
    return value


def checked_id(value: Any, name: str) -> int:
    """An id: an integer from 1."""
    if checked_integer(value, name) < 1:
        raise InvalidQuery(f"{name} must be 1 or greater")
    return int(value)


def by_check(check: Callable[[Any, str], object], name: str) -> Callable[[Any, Any, Any], None]:
    """A validator of a field called `name` that asks `check`."""

    def validate(_: object, __: object, value: Any) -> None:
        check(value, name)

    return validate


class Fields(Mapping[str, FieldValue]):
    """An immutable, hashable mapping of field names to values, whose ``repr`` hides both."""

    __slots__ = ("_pairs",)

    def __init__(self, fields: Mapping[str, FieldValue]) -> None:
        if not isinstance(fields, Mapping):
            raise InvalidQuery(
                f"fields must be a mapping of names to values, not {type(fields).__name__}"
            )
        self._pairs = tuple((_field_name(name), _field(name, fields[name])) for name in fields)

    def __getitem__(self, name: str) -> FieldValue:
        for known, value in self._pairs:
            if known == name:
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __hash__(self) -> int:
        return hash(frozenset(self._pairs))

    def __repr__(self) -> str:
        return HIDDEN

    def __reduce__(self) -> tuple[Any, ...]:
        return Fields, (dict(self),)


def _field_name(name: Any) -> str:
    if not isinstance(name, str) or not _FIELD_NAME.match(name):
        raise InvalidQuery("a field's name must be made of letters, digits and '_'")
    return name


def _field(name: str, value: Any) -> FieldValue:
    if isinstance(value, str):
        if not sendable(value):
            raise InvalidQuery(f"field {name!r} has characters that cannot be sent")
        return value
    return value if isinstance(value, bool) else checked_integer(value, f"field {name!r}")
