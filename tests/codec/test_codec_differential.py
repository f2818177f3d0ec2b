"""Our codec against others: one format against the other, and both against the standard library."""

import json
from decimal import Decimal, InvalidOperation
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from altcraft_balance.codec.request import RequestEncoder
from altcraft_balance.errors import ApiError, RateLimited
from altcraft_balance.models import Balance
from altcraft_balance.secret import HiddenStr
from tests.strategies.bytes import JSON_BODIES, XML_BODIES, mutated
from tests.strategies.examples import USUAL
from tests.strategies.replies import AMOUNTS, json_sources, replies
from tests.strategies.requests import TEXTS, asked

pytestmark = pytest.mark.no_cover  # it would take four times as long


class Refused(Exception):
    """What the other parser, or the reading of it here, does not take."""


def said(result):
    """What a program reads: the amounts to the last place, the code and text, or nothing."""
    if isinstance(result, Balance):
        return str(result.total_balance), str(result.active_balance)
    kind, _, fields = result
    is_from_the_envelope = kind is RateLimited or issubclass(kind, ApiError)
    return fields["code"] if is_from_the_envelope else None


def read_by_json(body):
    def pairs(found):
        if len(dict(found)) < len(found):
            raise Refused("a key twice")
        return dict(found)

    def constant(name):
        raise Refused(name)

    try:
        fields = json.loads(
            body.decode("utf-8-sig"),
            object_pairs_hook=pairs,
            parse_float=Decimal,
            parse_constant=constant,
        )
    except (ValueError, RecursionError) as error:
        raise Refused from error
    return judged(fields)


def read_by_etree(body):
    try:
        root = ET.fromstring(body)
    except (ET.ParseError, ValueError, LookupError) as error:
        raise Refused from error
    return judged(as_fields(root))


def as_fields(element):
    """The children by name; the text of an element that has none."""
    if not len(element):
        return (element.text or "").strip()
    names = [child.tag.rpartition("}")[2] for child in element]
    for name in ("error", "data", "total_balance", "active_balance"):
        if names.count(name) > 1:
            raise Refused("an element twice")
    return dict(zip(names, map(as_fields, element), strict=True))


def judged(fields):
    """What `fields` say, read again from `protocol.md`, with no line of the codec's."""
    if not isinstance(fields, dict) or type(fields.get("error")) not in {int, str}:
        raise Refused("no envelope")
    code = fields["error"]
    if isinstance(code, str):
        code = number(code)
        if code != code.to_integral_value():
            raise Refused("no code")
    if code != 0:
        return int(code)
    data = fields.get("data")
    if not isinstance(data, dict):
        raise Refused("no data")
    return tuple(str(number(data.get(name))) for name in ("total_balance", "active_balance"))


def number(value):
    if isinstance(value, str):
        value = value.strip()
        if not value.isascii() or "_" in value:
            raise Refused("no number")
    elif isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Refused("no number")
    try:
        value = Decimal(value)
    except InvalidOperation as error:
        raise Refused from error
    if not value.is_finite():
        raise Refused("no number")
    return value


def other(reader, body):
    """What the other parser says, or None."""
    try:
        return reader(body)
    except Refused:
        return None


@settings(max_examples=3 * USUAL)
@given(replies(), st.sampled_from([200, 400, 404, 429, 500]), st.booleans())
def test_json_and_xml_say_the_same(outcome, reply, status, ascii_only):
    """One reply written in both formats gives equal balances, or errors equal in every field."""
    twins = [outcome(reply.as_json(ascii_only=ascii_only), status), outcome(reply.as_xml(), status)]
    comparable = [(t[0], t[2]) if isinstance(t, tuple) else t for t in twins]
    assert comparable[0] == comparable[1]
    assert said(twins[0]) == said(twins[1])


@settings(max_examples=2 * USUAL)
@given(replies(amounts=AMOUNTS))
def test_what_a_server_writes_is_read_as_the_standard_library_reads_it(outcome, reply):
    """A balance or a code where the other parser finds it, in both formats, to the last place."""
    for body, reader in ((reply.as_json(), read_by_json), (reply.as_xml(), read_by_etree)):
        assert said(outcome(body)) == other(reader, body)


@settings(max_examples=6 * USUAL)
@given(json_sources())
@example(b'{"error":0,"data":{"total_balance":0.30000000000000004,"active_balance":1e2}}')
@example(b'{"error":0,"data":{"total_balance":1,"active_balance":18446744073709551616}}')
@example(b'{"error":-0,"data":{"total_balance":1,"active_balance":1.5}}')
@example(b'{"error":403,"error":0,"data":{"total_balance":1,"active_balance":1}}')
@example(b'{"error":0,"data":{"total_balance":1,"total_balance":2,"active_balance":1}}')
def test_numbers_and_keys_are_read_as_the_standard_library_reads_them(outcome, body):
    """Numbers as numbers are exact and keys that stand twice are refused; within our bounds.

    A bare -0 is a whole number to JSON, which has no sign at zero; read as a decimal it has.
    """
    theirs, ours = map(without_sign_at_zero, (other(read_by_json, body), said(outcome(body))))
    if isinstance(theirs, tuple) and any(is_out_of_bounds(text) for text in theirs):
        assert ours is None
    else:
        assert ours == theirs


def without_sign_at_zero(said):
    return tuple("0" if text == "-0" else text for text in said) if type(said) is tuple else said


def is_out_of_bounds(text):
    _, digits, exponent = Decimal(text).as_tuple()
    return len(digits) > 64 or abs(exponent) > 64


@settings(max_examples=5 * USUAL)
@given(mutated(JSON_BODIES))
@example(b'{"error":0,"data":{"total_balance":"1","active_balance":"1","x":"\\ud800"}}')
def test_whatever_json_is_taken_the_standard_library_reads_the_same(outcome, body):
    """Of a damaged reply we may refuse more than the other parser, but never read another thing."""
    assert (ours := said(outcome(body))) is None or ours == other(read_by_json, body)


@settings(max_examples=5 * USUAL)
@given(mutated(XML_BODIES))
def test_whatever_xml_is_taken_the_standard_library_reads_the_same(outcome, body):
    """The same for XML."""
    assert (ours := said(outcome(body))) is None or ours == other(read_by_etree, body)


@settings(max_examples=2 * USUAL)
@given(asked(), TEXTS, st.sampled_from(["body", "header", "both"]))
def test_a_request_is_read_back_as_what_was_asked(question, text, auth):
    """By the standard library's parsers: names, values, types and order, and nothing more."""
    query, fields = question
    token = text if auth == "body" else "abc123"
    wanted = ({} if auth == "header" else {"token": token}) | fields
    bodies = {
        form: bytes(RequestEncoder(HiddenStr(token), format=form, auth=auth).encode(query).body)
        for form in ("json", "xml")
    }
    assert json.loads(bodies["json"], object_pairs_hook=list) == list(wanted.items())
    root = ET.fromstring(bodies["xml"])
    assert root.tag == "xml"
    assert not any(element.attrib or element.tail for element in root.iter())
    as_text = {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in wanted.items()}
    assert [(child.tag, child.text) for child in root] == list(as_text.items())
