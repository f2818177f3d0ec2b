"""XML, read by xmltodict: one element ``<xml>``, a child for each field, nothing else.

No declaration, attributes or namespaces are documented. A DOCTYPE is refused when the parser
meets its name, before it reads what the DOCTYPE declares: xmltodict's own ``disable_entities``
lets default attributes through, which is enough for a bomb.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Final
from xml.parsers import expat
from xml.sax.saxutils import escape

import xmltodict

from altcraft_balance.codec.envelope import MAX_ELEMENTS, BadEnvelope, NotAnEnvelope
from altcraft_balance.fields import FieldValue

__all__ = ["CLOSE", "CONTENT_TYPE", "OPEN", "SEPARATOR", "read", "write"]

CONTENT_TYPE: Final = "application/xml"
OPEN, SEPARATOR, CLOSE = b"<xml>", b"", b"</xml>"


def write(fields: Mapping[str, FieldValue]) -> bytes:
    """`fields` as elements in their order, without the root around them."""
    return "".join(f"<{name}>{_text(value)}</{name}>" for name, value in fields.items()).encode()


def read(body: bytes) -> Any:
    """The children of ``<xml>``: text, None for an empty element, a list for repeated ones.

    Raises:
        NotAnEnvelope: not well-formed, or with another root.
        BadEnvelope: a DOCTYPE, or more elements than any envelope has.
    """
    if body.count(b"<") > 2 * MAX_ELEMENTS:
        raise BadEnvelope("it has more elements than any envelope")
    try:
        # Without a DOCTYPE nothing can declare an entity; xmltodict's own ban would take the
        # place of ours, and in 1.0.1 it bans CDATA as well.
        root = xmltodict.parse(body, expat=_EXPAT, xml_attribs=False, disable_entities=False)
    except (expat.ExpatError, ValueError, LookupError):
        root = None
    if root is None or "xml" not in root:
        raise NotAnEnvelope("it is not a whole <xml> document")
    fields = root["xml"]
    if isinstance(fields, dict):
        _refuse_repetition(fields)
    return fields


def _text(value: FieldValue) -> str:
    if not isinstance(value, str):
        # int() because an enumeration's member would be written by its name, not by its value.
        return str(value).lower() if isinstance(value, bool) else str(int(value))
    # A parser reads a bare carriage return as a line feed (XML 1.0, section 2.11).
    return escape(value, {"\r": "&#13;"})


def _refuse_repetition(fields: dict[str, Any]) -> None:
    """Refuse repeated siblings where the envelope has one: JSON calls them a key that is twice."""
    for name in ("error", "error_text", "data"):
        if isinstance(fields.get(name), list):
            raise BadEnvelope(f"<{name}> stands in it twice")


def _refuse_doctype(*_: Any) -> None:
    raise BadEnvelope("it has a DOCTYPE, which is refused unread")


def _parser(encoding: str | None, separator: str | None) -> expat.XMLParserType:
    parser = expat.ParserCreate(encoding, separator)
    parser.StartDoctypeDeclHandler = _refuse_doctype
    return parser


_EXPAT: Final = SimpleNamespace(ParserCreate=_parser)
