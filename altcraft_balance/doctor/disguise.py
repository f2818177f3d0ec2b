"""A reply that holds a balance, as one of the same shape that is nobody's.

It is written anew from what its parser reads, since an amount may stand in a body in many
spellings: escapes, CDATA, blanks. Whatever field is not known may speak of somebody, and is
disguised as well. Pure.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from typing import Any, Final

__all__ = ["disguised"]

_AMOUNTS: Final = ("total_balance", "active_balance")
#: What every envelope of a balance says; another text may be somebody's.
_USUAL: Final = "Successful operation"
_MOST_DIGITS: Final = 12


def disguised(body: bytes) -> tuple[bytes, dict[str, str]]:
    """The body, and its amounts by name.

    Raises:
        ValueError: it is neither JSON nor XML.
    """
    if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return _of_xml(body)
    tree = json.loads(body, parse_float=_float, parse_int=_int)
    if not isinstance(tree, dict):
        raise ValueError("a balance is an object")
    told = {name: value if name == "error" else _like(name, value) for name, value in tree.items()}
    data = told.get("data")
    found = {name: str(data[name]) for name in _AMOUNTS if isinstance(data, dict) and name in data}
    return json.dumps(told).encode(), found


def _like(name: str, value: Any) -> Any:
    """`value` with digits that are ones, and letters that are x; numbers have theirs already."""
    if isinstance(value, dict):
        return {key: _like(key, one) for key, one in value.items()}
    if isinstance(value, list):
        return [_like(name, one) for one in value]
    return _text(name, value) if isinstance(value, str) else value


def _text(name: str, text: str) -> str:
    if text == _USUAL:
        return text
    ones = re.sub(r"\d", "1", text)
    return ones.strip() if name in _AMOUNTS else re.sub(r"[^\W\d_]", "x", ones)


def _int(digits: str) -> int:
    return int(digits) if digits in ("0", "-0") else int(re.sub(r"[0-9]", "1", digits))


def _float(digits: str) -> float:
    return float(re.sub(r"[0-9]", "1", digits)[:_MOST_DIGITS].rstrip("eE+-."))


def _of_xml(body: bytes) -> tuple[bytes, dict[str, str]]:
    try:
        root = ET.fromstring(body)  # noqa: S314 - the codec has read it before, with its caps
    except ET.ParseError as error:
        raise ValueError(str(error)) from error
    found = {}
    for one in root.iter():
        one.tail = None
        if one.tag == "error":
            continue
        one.text = None if one.text is None else _text(one.tag, one.text)
        one.attrib = {name: _text(name, value) for name, value in one.attrib.items()}
        if one.tag in _AMOUNTS:
            found[one.tag] = one.text or ""
    return ET.tostring(root), found
