"""What is sent: nothing can be injected (promise 20), nothing shows, everything is built once."""

import json
from enum import Enum, IntEnum, StrEnum
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from altcraft_balance.codec import json as json_codec
from altcraft_balance.codec import xml as xml_codec
from altcraft_balance.codec.request import RequestEncoder
from altcraft_balance.errors import ConfigurationError, InvalidQuery
from altcraft_balance.models import (
    BalanceQuery,
    ByCustomField,
    ByEmail,
    CurrencyEid,
    CurrencyIid,
    RawMatching,
)
from altcraft_balance.secret import HiddenBytes, HiddenStr

TOKEN = HiddenStr("abc123def456")

#: Any text that both formats can carry.
SENDABLE = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x7f\ufffe\uffff").filter(
        lambda character: character >= " " or character in "\t\r\n"
    ),
    min_size=1,
    max_size=20,
).filter(str.strip)
KEY = SENDABLE.filter(lambda t: t == t.strip() and not set(t) & set("\t\r\n"))


def encoder(syntax="json", **further):
    return RequestEncoder(TOKEN, **{"loyalty_program_id": 123, "format": syntax, **further})


def parsed_json(body):
    pairs = json.loads(body, object_pairs_hook=lambda pairs: pairs)
    assert len(dict(pairs)) == len(pairs)
    return [(name, str(value)) for name, value in pairs]


def parsed_xml(body):
    root = ET.fromstring(body)
    assert root.tag == "xml"
    assert [e.tag for e in root.iter()] == ["xml", *[e.tag for e in root]]  # no grandchildren
    assert all(not e.attrib and not e.tail for e in root.iter())
    assert not root.text
    return [(e.tag, e.text or "") for e in root]


PARSERS = {"json": parsed_json, "xml": parsed_xml}


@pytest.mark.parametrize("syntax", PARSERS)
@given(eid=KEY, name=KEY, value=SENDABLE, note=SENDABLE)
@example(eid="]]>", name="<a>", value="</field_value><token>x</token>", note="<![CDATA[")
@example(eid='","token":"x', name='"', value="\\", note="&#0;")
@example(eid="--", name="<!--", value=" \ta\r\nb\rc ", note="&lt;?xml?>")
@example(eid="a\u2028b", name="b\x85a", value="\U0001f600", note="Ж")
def test_no_value_can_inject_anything(syntax, eid, name, value, note):
    """An independent parser finds the fields that were asked for, in their order, and no others."""
    query = BalanceQuery(
        ByCustomField(name, value), currency=CurrencyEid(eid), extra={"note": note}
    )
    assert PARSERS[syntax](encoder(syntax).encode(query).body) == [
        ("token", "abc123def456"),
        ("loyalty_program_id", "123"),
        ("points_currency_eid", eid),
        ("matching", "custom"),
        ("field_name", name),
        ("field_value", value),
        ("note", note),
    ]


@given(SENDABLE)
def test_what_one_codec_writes_it_also_reads(value):
    """Writer and reader of a format agree; XML's trims blanks, which no reply's meaning needs."""
    assert json_codec.read(b"{" + json_codec.write({"a": value}) + b"}") == {"a": value}
    document = b"<xml>" + xml_codec.write({"a": value}) + b"</xml>"
    assert xml_codec.read(document) == {"a": value.strip()}


def test_the_type_of_a_custom_value_is_kept_in_json():
    """Custom fields are typed: 42 and "42" are different members."""
    number, text = (encoder().encode(BalanceQuery(ByCustomField("c", v))).body for v in (42, "42"))
    assert json.loads(number)["field_value"] == 42
    assert json.loads(text)["field_value"] == "42"


class Program(IntEnum):
    MAIN = 7


class Field(int, Enum):
    CARD = 42


class Word(StrEnum):
    CARD = "card"


@pytest.mark.parametrize("syntax", PARSERS)
def test_an_enumerations_member_is_sent_as_its_value(syntax):
    """Ids that are kept in an enumeration work like plain ones, in both formats."""
    query = BalanceQuery(
        ByCustomField(Word.CARD, Field.CARD),
        loyalty_program_id=Program.MAIN,
        extra={"n": Field.CARD},
    )
    assert PARSERS[syntax](encoder(syntax).encode(query).body)[1:] == [
        ("loyalty_program_id", "7"),
        ("matching", "custom"),
        ("field_name", "card"),
        ("field_value", "42"),
        ("n", "42"),
    ]


@pytest.mark.parametrize("syntax", PARSERS)
@pytest.mark.parametrize(
    ("own", "currency", "wanted"),
    [
        (None, None, ("123", ("points_currency_iid", "5"))),
        (9, None, ("9", ("points_currency_iid", "5"))),
        (None, CurrencyEid("e"), ("123", ("points_currency_eid", "e"))),
        (9, CurrencyIid(6), ("9", ("points_currency_iid", "6"))),
    ],
)
def test_a_query_goes_before_the_client(own, currency, wanted, syntax):
    """What a query leaves out comes from the client, and the request remembers what it asked."""
    query = BalanceQuery(ByEmail("a@b"), loyalty_program_id=own, currency=currency)
    wire = encoder(syntax, currency=CurrencyIid(5)).encode(query)
    fields = PARSERS[syntax](wire.body)
    assert (fields[1][1], fields[2]) == wanted
    assert wire.loyalty_program_id == own or own is None
    assert wire.currency == currency or currency is None


def test_a_lookup_without_a_program_is_refused():
    """Neither the client nor the query has one: the sentence says where to give it."""
    with pytest.raises(InvalidQuery, match="to the client or to the query"):
        encoder(loyalty_program_id=None).encode(BalanceQuery(ByEmail("a@b")))


@pytest.mark.parametrize(
    "matching", [ByEmail("a@b"), RawMatching({"matching": "x", "email": "y"})], ids=["by", "raw"]
)
@pytest.mark.parametrize("name", ["email", "matching"])
def test_extra_may_not_name_a_field_of_the_matching(matching, name):
    """Two values for one field are refused, not chosen between."""
    with pytest.raises(InvalidQuery, match=f"'{name}'"):
        encoder().encode(BalanceQuery(matching, extra={name: "z"}))


@pytest.mark.parametrize(
    ("auth", "in_body", "header"),
    [
        ("body", True, None),
        ("header", False, "Bearer abc123def456"),
        ("both", True, "Bearer abc123def456"),
    ],
)
def test_the_token_goes_where_it_is_told(auth, in_body, header):
    """Into the body, into the header, or both."""
    wire = encoder(auth=auth, headers={"X-Team": "loyalty"}).encode(BalanceQuery(ByEmail("a@b")))
    assert (b"abc123def456" in wire.body) is in_body
    assert wire.headers.get("Authorization") == header
    assert wire.headers["X-Team"] == "loyalty"


def test_a_header_cannot_carry_every_token():
    """A token that is not ASCII is refused for the header, and only there."""
    with pytest.raises(ConfigurationError, match="not ASCII"):
        RequestEncoder(HiddenStr("жетон"), auth="header")
    assert RequestEncoder(HiddenStr("жетон"), auth="body")


def test_a_request_shows_neither_token_nor_address():
    """The body, the headers and the token travel in types whose ``repr`` is ``***``."""
    one = encoder(auth="both", headers={"X-Key": "canary"})
    wire = one.encode(BalanceQuery(ByEmail("user@example.com")))
    assert "canary" not in repr(wire)
    shown = repr(wire) + repr(wire.body) + repr(wire.token) + repr(dict(wire.headers))
    assert "abc123def456" not in shown
    assert "user@example.com" not in shown
    assert isinstance(wire.body, HiddenBytes)
    with pytest.raises(TypeError):
        wire.headers["X"] = "y"


def test_many_programs_do_not_fill_the_memory():
    """What is encoded once per program and currency is forgotten when there are too many."""
    one = encoder()
    for program in range(1, 1000):
        query = BalanceQuery(ByEmail("a@b"), loyalty_program_id=program)
        assert json.loads(one.encode(query).body)["loyalty_program_id"] == program
    assert len(one._heads) <= 256


def test_what_is_kept_of_the_last_request_is_not_taken_for_another():
    """Same program and currency, another one of either, and back again."""
    one, member = encoder(), ByEmail("a@b")
    programs = [
        json.loads(one.encode(BalanceQuery(member, loyalty_program_id=n)).body)[
            "loyalty_program_id"
        ]
        for n in (1, 1, 2, 1)
    ]
    assert programs == [1, 1, 2, 1]
    usual = [one.encode(BalanceQuery(member)).body for _ in range(2)]
    assert usual[0] == usual[1]
    eids = [
        json.loads(one.encode(BalanceQuery(member, currency=CurrencyEid(eid))).body)[
            "points_currency_eid"
        ]
        for eid in ("x", "y", "x")
    ]
    assert eids == ["x", "y", "x"]


def test_the_token_goes_into_the_body_if_nothing_is_said():
    """And nowhere else."""
    wire = RequestEncoder(HiddenStr("abc123def456"), loyalty_program_id=1).encode(
        BalanceQuery(ByEmail("a@b"))
    )
    assert json.loads(wire.body)["token"] == "abc123def456"
    assert "Authorization" not in wire.headers


def test_a_program_that_was_asked_for_before_is_not_encoded_again():
    """Programs may alternate: what comes before the member's fields is kept for each."""
    one = encoder()
    queries = [BalanceQuery(ByEmail("a@b"), loyalty_program_id=program) for program in (1, 2)]
    heads = [one._head(query.loyalty_program_id, None) for query in queries]
    assert [one._head(query.loyalty_program_id, None) for query in queries] == heads
    assert all(one._head(n, None) is head for n, head in enumerate(heads, 1))
