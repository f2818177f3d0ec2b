"""The quick way says nothing that the parsers would not say."""

import json
from decimal import Decimal
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from altcraft_balance.codec import json as json_syntax
from altcraft_balance.codec import xml as xml_syntax
from altcraft_balance.codec.amounts import read_amount
from altcraft_balance.codec.envelope import BadEnvelope, NotAnEnvelope, open_envelope
from altcraft_balance.codec.reply import read_reply, read_usual
from altcraft_balance.codec.usual import usual_amounts
from tests.codec.conftest import NOON
from tests.strategies.examples import USUAL

pytestmark = pytest.mark.no_cover  # it would take four times as long

REPLIES = sorted((Path(__file__).parent.parent / "samples" / "replies").glob("**/*.bin"))

JSON = (
    b'{"error":0,"error_text":"Successful operation",'
    b'"data":{"total_balance":"1000.00","active_balance":"800.50"}}'
)
XML = (
    b"<xml><error>0</error><error_text>Successful operation</error_text><data>"
    b"<total_balance>1000.00</total_balance><active_balance>800.50</active_balance></data></xml>"
)


def parsed(body):
    """The amounts by the parsers; None when it is no documented success to them."""
    try:
        syntax = json_syntax if body.startswith(b"{") else xml_syntax
        envelope = open_envelope(syntax.read(body))
        if envelope.code or envelope.data is None:
            return None
        names = ("total_balance", "active_balance")
        return tuple(read_amount(envelope.data.get(name), name) for name in names)
    except (BadEnvelope, NotAnEnvelope):
        return None


@pytest.mark.parametrize("body", [JSON, XML, JSON + b"\n", XML + b"\n"])
def test_the_reference_pages_replies_are_usual(body):
    """As they stand there."""
    assert usual_amounts(body) == (Decimal("1000.00"), Decimal("800.50"))
    assert [str(amount) for amount in usual_amounts(body)] == ["1000.00", "800.50"]


AMOUNTS = st.from_regex(r"-?[0-9]{1,32}(\.[0-9]{1,32})?", fullmatch=True) | st.text(max_size=8)


@given(AMOUNTS, AMOUNTS, st.text(max_size=30), st.booleans())
@settings(max_examples=5 * USUAL, deadline=None)
@example("007", "-0", "", True)
@example("1" * 65, "1", "ok", False)
def test_whatever_the_values_are_it_agrees_with_the_parsers(total, active, text, is_json):
    """In both formats, as a server would write them; or it says nothing."""
    if is_json:
        data = {"total_balance": total, "active_balance": active}
        reply = {"error": 0, "error_text": text, "data": data}
        body = json.dumps(reply, separators=(",", ":"), ensure_ascii=False)
    else:
        total, active, text = map(escape, (total, active, text))
        body = XML.decode().replace("1000.00", total).replace("800.50", active)
        body = body.replace("Successful operation", text)
    agrees(body.encode(errors="surrogatepass"))


BYTES = st.integers(0, 255).map(lambda number: bytes([number]))


@given(
    st.sampled_from([JSON, XML]),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 2), BYTES), min_size=1, max_size=3),
)
@settings(max_examples=15 * USUAL, deadline=None)
@example(JSON, [(9, 0, b"1")])
@example(XML, [(13, 0, b"1")])
def test_whatever_is_changed_it_agrees_with_the_parsers(body, changes):
    """Bytes put in, taken out and put in another's place."""
    for at, taken_out, put_in in changes:
        body = body[:at] + put_in + body[at + taken_out :]
    agrees(body)


@pytest.mark.parametrize("path", REPLIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_it_agrees_about_all_samples(path):
    """Those that were recorded, good and bad."""
    agrees(path.read_bytes())


def agrees(body):
    """What the quick way takes has one meaning, to the last digit."""
    if (amounts := usual_amounts(body)) is not None:
        assert [str(amount) for amount in amounts] == [str(amount) for amount in parsed(body)]


@pytest.mark.parametrize("body", [JSON, XML])
@pytest.mark.parametrize("headers", [{}, {"duplicate-request": "true"}])
def test_the_quick_way_gives_the_same_balance(wire, body, headers):
    """With all its fields."""
    quick = read_usual(wire, 200, headers, body, NOON)
    # A blank more, which only the parsers take.
    assert quick == read_reply(wire, 200, headers, b" " + body, NOON)
    assert quick.possibly_stale == bool(headers)


@pytest.mark.parametrize(("status", "body"), [(500, JSON), (302, XML), (200, b"{}"), (200, b"")])
def test_all_else_is_left_to_the_parsers(wire, status, body):
    """Whatever the status makes of it, too."""
    assert read_usual(wire, status, {}, body, NOON) is None
