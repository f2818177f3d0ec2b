"""JSON by orjson, with the two things that orjson does silently caught.

orjson keeps the last of two equal keys and reads long numbers as floats. Both are rare, so both
are noticed cheaply and then decided by the standard library's parser, which shows every pair
and hands over the text of every number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import orjson

from altcraft_balance.codec.envelope import MAX_ELEMENTS, BadEnvelope, NotAnEnvelope
from altcraft_balance.fields import FieldValue

__all__ = ["CLOSE", "CONTENT_TYPE", "OPEN", "SEPARATOR", "read", "write"]

CONTENT_TYPE: Final = "application/json"
OPEN, SEPARATOR, CLOSE = b"{", b",", b"}"


def write(fields: Mapping[str, FieldValue]) -> bytes:
    """`fields` as the inside of an object, in their order, without the braces."""
    return orjson.dumps(dict(fields))[1:-1]


def read(body: bytes) -> Any:
    """The value in `body`; numbers that a float would damage come as their text.

    Raises:
        NotAnEnvelope: it is not JSON, or only the beginning of some.
        BadEnvelope: a key stands twice, or there are more elements than any envelope has.
    """
    if body.count(b"{") + body.count(b"[") > MAX_ELEMENTS:
        raise BadEnvelope("it has more elements than any envelope")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = NotAnEnvelope("it is not whole JSON")
    if isinstance(value, NotAnEnvelope):
        raise value
    return value if _is_faithful(value, body.count(b'"')) else _read_slowly(body)


def _is_faithful(value: Any, quotes: int) -> bool:
    """Whether `value` has every text of its source and no float.

    Each key and each text brings two quotes, so a pair that was dropped for another with the
    same key is missed in the count. An escaped quote is missed too, so neither hides the other.
    """
    seen, rest = 0, [value]
    while rest:
        item = rest.pop()
        if isinstance(item, str):
            seen += 2
        elif isinstance(item, dict):
            seen += 2 * len(item)
            rest.extend(item.values())
        elif isinstance(item, list):
            rest.extend(item)
        elif isinstance(item, float):
            return False
    return seen == quotes


def _read_slowly(body: bytes) -> Any:
    return json.loads(body, object_pairs_hook=_object, parse_float=str, parse_int=str)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadEnvelope("a key stands in it twice")
    return found
