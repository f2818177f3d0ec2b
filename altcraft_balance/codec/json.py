"""JSON by orjson, with the two things that orjson does silently caught.

orjson keeps the last of two equal keys and reads long numbers as floats. Both are rare, so both
are noticed cheaply and then decided by the standard library's parser, which shows every pair
and hands over the text of every number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from altcraft_balance.codec.envelope import MAX_ELEMENTS, BadEnvelope, NotAnEnvelope
from altcraft_balance.fields import FieldValue

__all__ = ["CLOSE", "CONTENT_TYPE", "OPEN", "SEPARATOR", "read", "write"]

CONTENT_TYPE: Final = "application/json"
OPEN, SEPARATOR, CLOSE = b"{", b",", b"}"


def write(fields: Mapping[str, FieldValue]) -> bytes:
    """`fields` as the inside of an object, in their order, without the braces."""
    return orjson.dumps(fields if type(fields) is dict else dict(fields))[1:-1]


def read(body: bytes) -> Any:
    """The value in `body`; numbers that a float would damage come as their text.

    Raises:
        NotAnEnvelope: it is not JSON, or only the beginning of some.
        BadEnvelope: a key stands twice, or there are more elements than any envelope has.
    """
    # Each element takes a byte at least, so an envelope of the usual size is not counted through.
    if len(body) > MAX_ELEMENTS and body.count(b"{") + body.count(b"[") > MAX_ELEMENTS:
        raise BadEnvelope("it has more elements than any envelope")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = NotAnEnvelope("it is not whole JSON")
    if isinstance(value, NotAnEnvelope):
        raise value
    return value if _quotes_of((value,)) == body.count(b'"') else _read_slowly(body)


def _quotes_of(values: Iterable[Any]) -> float:
    """How many quotes the source of `values` had, if it had nothing else; a float spoils it.

    Each key and each text brings two quotes, so a pair that was dropped for another with the
    same key is missed in the count. An escaped quote is missed too, so neither hides the other.
    """
    quotes = 0.0
    for value in values:
        kind = type(value)  # orjson makes no subclasses, and this is asked for every value
        if kind is str:
            quotes += 2
        elif kind is dict:
            quotes += 2 * len(value) + _quotes_of(value.values())
        elif kind is list:
            quotes += _quotes_of(value)
        elif kind is float:
            quotes = math.nan
    return quotes


def _read_slowly(body: bytes) -> Any:
    return json.loads(body, object_pairs_hook=_object, parse_float=str, parse_int=str)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadEnvelope("a key stands in it twice")
    return found
