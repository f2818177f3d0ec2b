"""Strict reading of a request: what is not documented is refused with error 400.

The platform may well be more lenient. A server to try a client on should not be: a field that is
misspelt, doubled or of the wrong type is the client's mistake, and here it shows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, NoReturn
from xml.parsers import expat

from altcraft_balance.sandbox.matching import MATCHING_FIELDS, Member, member_in
from altcraft_balance.sandbox.programs import CurrencyId
from altcraft_balance.sandbox.replies import Format, Refused

__all__ = ["FIELDS", "Lookup", "body_format", "fields_in", "lookup_in", "reply_format"]

FIELDS: Final = MATCHING_FIELDS | {
    "token",
    "loyalty_program_id",
    "points_currency_iid",
    "points_currency_eid",
    "matching",
    "format",
}
_INTEGERS: Final = ("loyalty_program_id", "points_currency_iid")
_FORMATS: Final[dict[str, Format]] = {"application/json": "json", "application/xml": "xml"}


class Lookup(NamedTuple):
    """What a request asks for.

    Attributes:
        member: who.
        program: the loyalty program's id; it may not exist.
        currency: the currency's internal id (int) or external id (str), or None.
        token: the body's token, if there is one.
    """

    member: Member
    program: int
    currency: CurrencyId | None
    token: str | None


# ── which format ─────────────────────────────────────────────────────────────────────────────


def body_format(content_type: str | None) -> Format | None:
    """The format that a ``Content-Type`` names, or None for one that is not documented."""
    known = _FORMATS.get(content_type or "")
    if known is not None or not content_type:
        return known
    media_type, _, parameter = content_type.partition(";")
    if parameter.strip().lower().replace('"', "") not in ("", "charset=utf-8"):
        return None
    return _FORMATS.get(media_type.strip().lower())


def reply_format(
    accept: str | None, fields: Mapping[str, Any] | None, own: Format | None
) -> Format:
    """The reply's format: by ``Accept``, else by the field `format`, else the request's own."""
    if accept is not None and accept != "*/*" and (preferred := _preferred(accept)):
        return preferred
    named = fields.get("format") if fields else None
    return named if named in ("json", "xml") else own or "json"


def _preferred(accept: str) -> Format | None:
    best: tuple[float, Format | None] = (0.0, None)
    for entry in accept.split(","):
        media_type, *parameters = entry.lower().replace(" ", "").split(";")
        form = _FORMATS.get(media_type)
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        if form and _quality(quality) > best[0]:
            best = (_quality(quality), form)
    return best[1]


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


# ── which fields ─────────────────────────────────────────────────────────────────────────────


def fields_in(body: bytes, form: Format | None) -> dict[str, Any]:
    """The fields of a request's body; integers are integers in both formats.

    Raises:
        Refused: the body is not an object, or not a flat ``<xml>``, in the format it claims.
    """
    if form is None:
        raise Refused(400, "Content-Type must be application/json or application/xml")
    return _json_fields(body) if form == "json" else _xml_fields(body)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Refused(400, "a key stands twice")
    return fields


def _no_number(name: str) -> NoReturn:
    raise Refused(400, f"{name} is not JSON")


_JSON: Final = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number)


def _json_fields(body: bytes) -> dict[str, Any]:
    try:
        fields = _JSON.decode(body.decode())
    except (ValueError, RecursionError):
        raise Refused(400, "the body is not JSON in UTF-8") from None
    if not isinstance(fields, dict):
        raise Refused(400, "the body is not a JSON object")
    return fields


class _FlatXml:
    """Collects the children of ``<xml>``; whatever else XML can do is refused."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self._depth = 0
        self._text: list[str] = []

    def start(self, name: str, attributes: list[str]) -> None:
        self._depth += 1
        if attributes:
            raise Refused(400, "XML attributes are not part of a request")
        if self._depth == 1 and name != "xml":
            raise Refused(400, "the root element must be <xml>")
        if self._depth > 2:
            raise Refused(400, "the children of <xml> must be plain text")
        self._between()

    def end(self, name: str) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._between()
            return
        if name in self.fields:
            raise Refused(400, "an element stands twice")
        self.fields[name] = "".join(self._text)
        self._text.clear()

    def text(self, text: str) -> None:
        self._text.append(text)

    def _between(self) -> None:
        if self._text and "".join(self._text).strip():
            raise Refused(400, "text stands between the elements")
        self._text.clear()

    def refuse(self, *_: object) -> None:
        raise Refused(400, "a request has no XML declaration, DOCTYPE or instruction")


def _xml_fields(body: bytes) -> dict[str, Any]:
    flat, parser = _FlatXml(), expat.ParserCreate("utf-8")
    parser.ordered_attributes = True
    parser.buffer_text = True
    parser.StartElementHandler = flat.start
    parser.EndElementHandler = flat.end
    parser.CharacterDataHandler = flat.text
    parser.XmlDeclHandler = flat.refuse
    parser.StartDoctypeDeclHandler = flat.refuse
    parser.ProcessingInstructionHandler = flat.refuse
    try:
        parser.Parse(body, True)
    except expat.ExpatError:
        raise Refused(400, "the body is not XML in UTF-8") from None
    for name in _INTEGERS:
        # Digits and nothing else; what int() takes besides ("1_000", " 7") stays text: refused.
        value = flat.fields.get(name, "")
        if value.isascii() and value.isdigit() and len(value) < 20:
            flat.fields[name] = int(value)
    return flat.fields


# ── which lookup ─────────────────────────────────────────────────────────────────────────────


def lookup_in(fields: Mapping[str, Any], known: frozenset[str] = FIELDS) -> Lookup:
    """What the fields ask for.

    Raises:
        Refused: a field is unknown, missing, of the wrong type, or one too many.
    """
    if not known.issuperset(fields):
        stranger = min(fields.keys() - known)
        raise Refused(400, f"unknown field {stranger[:40]!a}")
    if fields.get("format", "json") not in ("json", "xml"):
        raise Refused(400, "format must be json or xml")
    if "loyalty_program_id" not in fields:
        raise Refused(400, "loyalty_program_id is required")
    token = _string(fields, "token")
    return Lookup(
        member_in(fields), _integer(fields, "loyalty_program_id"), _currency(fields), token
    )


def _currency(fields: Mapping[str, Any]) -> CurrencyId | None:
    if "points_currency_iid" not in fields:
        return _string(fields, "points_currency_eid")
    if "points_currency_eid" in fields:
        raise Refused(400, "give points_currency_iid or points_currency_eid, not both")
    return _integer(fields, "points_currency_iid")


def _integer(fields: Mapping[str, Any], name: str) -> int:
    value = fields[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refused(400, f"{name} must be an integer")
    return value


def _string(fields: Mapping[str, Any], name: str) -> str | None:
    if name not in fields:
        return None
    value = fields[name]
    if not isinstance(value, str):
        raise Refused(400, f"{name} must be a string")
    return value
