"""Amounts are exact or refused, and both formats agree which (promise 16)."""

import json
from decimal import Decimal
from xml.sax.saxutils import escape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from altcraft_balance.codec.amounts import read_amount
from altcraft_balance.codec.envelope import BadEnvelope
from altcraft_balance.errors import UnexpectedReply
from altcraft_balance.models import Balance

THIRTY = "123456789012345678901234567890"
EXACT = [
    ("1000.00", "1000.00"),
    ("50", "50"),
    ("-15.50", "-15.50"),
    ("+7", "7"),
    ("00012.50", "12.50"),
    (".5", "0.5"),
    ("5.", "5"),
    (" 5 ", "5"),
    ("\t5\r\n", "5"),
    ("\u00a05\u2003", "5"),
    ("1e3", "1E+3"),
    ("1E-3", "0.001"),
    ("1e64", "1E+64"),
    (THIRTY, THIRTY),
    (f"{THIRTY}.{THIRTY}", f"{THIRTY}.{THIRTY}"),
    ("0." + "0" * 63 + "1", "1E-64"),
    ("9" * 64, "9" * 64),
    ("0" * 127 + "1", "1"),
]
REFUSED = [
    "",
    " ",
    "NaN",
    "nan",
    "sNaN",
    "Infinity",
    "-inf",
    "١٢٣",
    "\uff11\uff12",
    "1\u0966",
    "1 000",
    "1\u00a0000.00",
    "1,5",
    "1_000",
    "0x10",
    "--1",
    ".",
    "e5",
    "1e",
    "1e65",
    "1e-65",
    "1e0064",
    "1e999999999",
    "9" * 65,
    "0." + "0" * 64 + "1",
    "0" * 128 + "1",
    "1" * 5000,
    "1.0.0",
    "1\x00",
    "true",
    "null",
]


@pytest.mark.parametrize(("text", "exact"), EXACT, ids=lambda text: text[:12])
def test_a_decimal_text_is_read_exactly(text, exact):
    """A text gives the decimal that it says, places included."""
    assert str(read_amount(text, "x")) == exact


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: ascii(text[:12]))
def test_a_text_that_is_no_plain_number_is_refused(text):
    """No other text is an amount, not even one that `Decimal` itself would take."""
    with pytest.raises(BadEnvelope, match=r"^total_balance "):
        read_amount(text, "total_balance")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "nothing"),
        (True, "a bool"),
        (False, "a bool"),
        (1.5, "a float"),
        (float("nan"), "a float"),
        (["1", "2"], "several values"),
        ({"a": "1"}, "a dict"),
        (b"1", "a bytes"),
    ],
)
def test_a_value_that_is_no_text_and_no_integer_is_refused(value, says):
    """A float, a bool, a list or nothing is never an amount."""
    with pytest.raises(BadEnvelope, match=says):
        read_amount(value, "total_balance")


#: A number as JSON source, and the amount that it is.
JSON_NUMBERS = [
    ("0", "0"),
    ("-5", "-5"),
    ("1000.00", "1000.00"),
    ("0.1", "0.1"),
    ("800.10", "800.10"),
    ("9007199254740993", "9007199254740993"),
    ("9007199254740993.0", "9007199254740993.0"),
    ("9223372036854775808", "9223372036854775808"),
    ("18446744073709551615", "18446744073709551615"),
    ("18446744073709551616", "18446744073709551616"),
    ("-9223372036854775809", "-9223372036854775809"),
    (THIRTY, THIRTY),
    (f"-{THIRTY}.{THIRTY}", f"-{THIRTY}.{THIRTY}"),
    ("1e3", "1E+3"),
    ("1.50E-2", "0.0150"),
]


@pytest.mark.parametrize(("source", "exact"), JSON_NUMBERS, ids=lambda text: text[:24])
@pytest.mark.parametrize("further", ["", ',"further":"\\n"'], ids=["plain", "escapes"])
def test_no_json_number_is_damaged_by_a_float(source, exact, further, in_json, in_xml, read):
    """A JSON number of any length gives the decimal that it says, and so does its XML twin."""
    body = in_json(source).replace(b"}}", f"}}{further}}}".encode())
    assert str(read(body).total_balance) == exact
    assert str(read(in_xml(source)).total_balance) == exact


@pytest.mark.parametrize("place", ["total", "active"])
@pytest.mark.parametrize(
    "source",
    [
        "true",
        "false",
        "null",
        "[]",
        '["1"]',
        '["1","2"]',
        "{}",
        '{"a":"1"}',
        '""',
        '" "',
        '"NaN"',
        "1e65",
        "1e300",
        "1e999",
        "1e0064",
        "1" * 400,
        "0." + "1" * 400,
        "NaN",
        "-Infinity",
        "01",
        "+1",
        "\u0661",
    ],
    ids=lambda source: ascii(source[:12]),
)
def test_no_other_json_value_is_an_amount(source, place, in_json, failure):
    """What is no exact amount in JSON is an `UnexpectedReply`, whichever amount it stands for."""
    body = in_json(source) if place == "total" else in_json('"1"', source)
    assert isinstance(failure(body), UnexpectedReply)


@pytest.mark.parametrize(
    "source",
    ["<a/>", "1<a/>000", "1<total_balance>2</total_balance>", "<![CDATA[ ]]>", "<!-- 5 -->"],
)
def test_markup_in_an_xml_amount_is_refused(source, in_xml, failure):
    """An amount with elements in it is not glued together."""
    assert isinstance(failure(in_xml(source)), UnexpectedReply)


def result(outcome, body):
    found = outcome(body)
    return (str(found.total_balance), found) if isinstance(found, Balance) else (found[0], found[2])


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40))
def test_any_decimal_text_reads_the_same_in_both_formats(outcome, in_json_text, in_xml, amount):
    """Any finite decimal comes back identical, digit by digit, from JSON and from XML."""
    text = str(amount)
    if abs(amount.as_tuple().exponent) > 64:
        return
    for body in (in_json_text(text), in_xml(text)):
        assert result(outcome, body)[0] == str(Decimal(text))


XML_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=12
)
NUMBERISH = st.text("0123456789.eE+-_, \u00a0\u0663naif", max_size=10)


@given(NUMBERISH | XML_TEXT)
@example("\u00a05")
@example("5\u3000")
@example("1e0064")
@example("")
def test_both_formats_accept_the_same_texts(outcome, in_json_text, in_xml, text):
    """What JSON accepts as an amount XML accepts, with the same result, and the other way round."""
    assert result(outcome, in_json_text(text)) == result(outcome, in_xml(escape(text)))


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
@example(-0.0)
@example(1e300)
def test_a_json_number_and_its_xml_twin_agree(outcome, in_json, in_xml, number):
    """A number in JSON and the same digits in XML are both refused or give equal amounts."""
    source = json.dumps(number)
    results = []
    for body in (in_json(source), in_xml(source)):
        found = outcome(body)
        results.append(found.total_balance if isinstance(found, Balance) else found[0])
    assert results[0] == results[1]
