"""Matchings, currencies, queries, balances, outcomes: a value that exists can be sent."""

import pickle
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from altcraft_balance.errors import ConnectionFailed, InvalidQuery
from altcraft_balance.fields import Fields
from altcraft_balance.matchings import OUR_FIELDS
from altcraft_balance.models import (
    Balance,
    BalanceQuery,
    ByCustomField,
    ByEmail,
    ByPhone,
    ByProfileId,
    CurrencyEid,
    CurrencyIid,
    Failed,
    Found,
    RawMatching,
)

CANARY = "canary"
EMPTY = "is empty: give the value that the platform knows"
BLANKS = "has blanks around it or line breaks in it: strip them"
CONTROL = "has characters that cannot be sent (control characters)"


class Number(IntEnum):
    ONE = 1


def custom(value):
    return ByCustomField("card", value)


def named(name):
    return ByCustomField(name, "v")


def raw(**fields):
    return RawMatching({"matching": "x", **fields})


def query(**fields):
    return BalanceQuery(ByEmail("a@b"), **fields)


BAD = [
    # made with, the bad value, the whole sentence
    (ByEmail, None, "email must be text (str), not NoneType"),
    (ByEmail, b"canary@b", "email must be text (str), not bytes"),
    (ByEmail, "", f"email {EMPTY}"),
    (ByEmail, " \t", f"email {EMPTY}"),
    (ByEmail, CANARY, "email must have an '@' with something on both sides of it"),
    (ByEmail, "@canary", "email must have an '@' with something on both sides of it"),
    (ByEmail, "canary@", "email must have an '@' with something on both sides of it"),
    (ByEmail, " canary@b", f"email {BLANKS}"),
    (ByEmail, "canary@b\n", f"email {BLANKS}"),
    (ByEmail, "canary@b\u00a0", f"email {BLANKS}"),
    (ByEmail, "canary@b\r\nX: y", f"email {BLANKS}"),
    (ByEmail, "can\tary@b", f"email {BLANKS}"),
    (ByEmail, "canary@b\x00", f"email {CONTROL}"),
    (ByEmail, "canary\x1b@b", f"email {CONTROL}"),
    (ByEmail, "canary\x7f@b", f"email {CONTROL}"),
    (ByEmail, "canary\ud800@b", f"email {CONTROL}"),
    (ByEmail, "canary\uffff@b", f"email {CONTROL}"),
    (ByPhone, 79991234567, "phone must be text (str), not int"),
    (ByPhone, CANARY, "phone has no digit: give it in international form"),
    (ByPhone, "", f"phone {EMPTY}"),
    (ByPhone, "+7999 ", f"phone {BLANKS}"),
    (ByProfileId, 5, "profile_id must be text (str), not int"),
    (ByProfileId, "canary\n", f"profile_id {BLANKS}"),
    (named, "", f"the custom field's name {EMPTY}"),
    (named, 5, "the custom field's name must be text (str), not int"),
    (named, " canary", f"the custom field's name {BLANKS}"),
    (custom, "", f"the custom field's value {EMPTY}"),
    (custom, "canary\x01", f"the custom field's value {CONTROL}"),
    (
        custom,
        True,
        "the custom field's value (if it is not text) must be an integer (int), not bool",
    ),
    (
        custom,
        1.5,
        "the custom field's value (if it is not text) must be an integer (int), not float",
    ),
    (
        custom,
        None,
        "the custom field's value (if it is not text) must be an integer (int), not NoneType",
    ),
    (custom, 2**63, "the custom field's value (if it is not text) does not fit into 64 bits"),
    (
        custom,
        -(2**63) - 1,
        "the custom field's value (if it is not text) does not fit into 64 bits",
    ),
    (CurrencyIid, 0, "the currency's internal id must be 1 or greater"),
    (CurrencyIid, -1, "the currency's internal id must be 1 or greater"),
    (CurrencyIid, True, "the currency's internal id must be an integer (int), not bool"),
    (CurrencyIid, "1", "the currency's internal id must be an integer (int), not str"),
    (CurrencyIid, 2**63, "the currency's internal id does not fit into 64 bits"),
    (CurrencyEid, "", f"the currency's external id {EMPTY}"),
    (CurrencyEid, 5, "the currency's external id must be text (str), not int"),
    (RawMatching, CANARY, "fields must be a mapping of names to values, not str"),
    (RawMatching, {}, "RawMatching needs a field 'matching' with the matching's name"),
    (RawMatching, {"matching": 5}, "RawMatching needs a field 'matching' with the matching's name"),
    *[
        (
            RawMatching,
            {"matching": "x", name: "canary"},
            f"RawMatching may not name {name!r}: the client sends that field",
        )
        for name in sorted(OUR_FIELDS)
    ],
    (
        BalanceQuery,
        "canary@b",
        "a plain text is no matching: write ByEmail(...), or give a batch by=ByEmail",
    ),
    (BalanceQuery, {"email": CANARY}, "matching must be ByEmail(...) or so, not dict"),
    (BalanceQuery, None, "matching must be ByEmail(...) or so, not NoneType"),
    (BalanceQuery, ByEmail, "matching must be ByEmail(...) or so, not type"),
    (lambda v: query(loyalty_program_id=v), 0, "loyalty_program_id must be 1 or greater"),
    (
        lambda v: query(loyalty_program_id=v),
        "1",
        "loyalty_program_id must be an integer (int), not str",
    ),
    (
        lambda v: query(loyalty_program_id=v),
        True,
        "loyalty_program_id must be an integer (int), not bool",
    ),
    (
        lambda v: query(currency=v),
        CANARY,
        "currency must be CurrencyIid(...) or CurrencyEid(...), not str",
    ),
    (lambda v: query(extra=v), CANARY, "fields must be a mapping of names to values, not str"),
    (
        lambda v: query(extra=v),
        {"token": CANARY},
        "extra may not name 'token': the client sends that field",
    ),
    (lambda v: query(extra=v), {"a": 1.5}, "field 'a' must be an integer (int), not float"),
    (lambda v: query(extra=v), {"a": "canary\x00"}, "field 'a' has characters that cannot be sent"),
]


@pytest.mark.parametrize(("make", "value", "sentence"), BAD)
def test_a_bad_value_is_one_sentence_that_does_not_show_it(make, value, sentence):
    """The sentence says what was wrong and what is accepted, and never what the value was."""
    with pytest.raises(InvalidQuery) as caught:
        make(value)
    assert str(caught.value) == sentence
    assert CANARY not in sentence
    assert caught.value.__context__ is None


GOOD = [
    ByEmail("user@example.com"),
    ByEmail("O'Brien+tag@пример.рф"),
    ByEmail('"a@b"@c'),
    ByPhone("+79991234567"),
    ByPhone("+7 (999) 123-45-67"),
    ByProfileId("not hexadecimal"),
    ByCustomField("card", " 0042 "),
    ByCustomField("card", "two\nlines"),
    ByCustomField("card", 0),
    ByCustomField("card", -(2**63)),
    ByCustomField("card", 2**63 - 1),
    RawMatching({"matching": "email_profile", "email": "a@b", "db_id": 5, "strict": True}),
    CurrencyIid(1),
    CurrencyIid(2**63 - 1),
    CurrencyIid(Number.ONE),
    CurrencyEid("stars"),
    BalanceQuery(
        ByEmail("a@b"), loyalty_program_id=1, currency=CurrencyEid("s"), extra={"a": ""}, tag=[]
    ),
]


@pytest.mark.parametrize("value", GOOD, ids=lambda value: repr(value)[:40])
def test_a_good_value_travels_whole(value):
    """It pickles, compares, hashes, and `asdict` carries it: it is data."""
    copied = pickle.loads(pickle.dumps(value))
    assert copied == value
    assert hash(copied) == hash(value)
    assert attrs.asdict(copied) == attrs.asdict(value)


@pytest.mark.parametrize("value", GOOD, ids=lambda value: repr(value)[:40])
def test_a_value_cannot_be_changed_or_grow(value):
    """Frozen and slotted: no field can be set, and none added."""
    for name in (attrs.fields(type(value))[0].name, "further"):
        with pytest.raises(AttributeError):
            setattr(value, name, 1)
    assert not hasattr(value, "__dict__")


ADDRESSES = [
    (ByEmail("canary@b"), "ByEmail(email=***)"),
    (ByPhone("canary 5"), "ByPhone(phone=***)"),
    (ByProfileId(CANARY), "ByProfileId(profile_id=***)"),
    (ByCustomField("card", CANARY), "ByCustomField(name='card', value=***)"),
    (raw(email=CANARY, canary=1), "RawMatching(fields=***)"),
]


@pytest.mark.parametrize(("matching", "shown"), ADDRESSES)
def test_no_repr_shows_an_address(matching, shown):
    """What a log line prints of a query, or of an outcome, has no address in it."""
    assert repr(matching) == shown
    asked = BalanceQuery(matching, extra={"note": CANARY}, tag=CANARY)
    failed = Failed(query=asked, index=0, error=ConnectionFailed("broken"))
    for text in (repr(asked), str(asked), f"{asked}", repr([failed]), repr(raw(canary=1).fields)):
        assert CANARY not in text
        assert "***" in text


@pytest.mark.parametrize(("matching", "_"), ADDRESSES)
def test_a_querys_own_data_is_in_its_pickle_and_its_dict(matching, _):
    """A query may be stored: only printing hides the address."""
    asked = BalanceQuery(matching, tag="mine")
    assert CANARY.encode() in pickle.dumps(asked)
    carried = attrs.asdict(asked)["matching"].values()
    assert CANARY in str([dict(v) if isinstance(v, Fields) else v for v in carried])
    assert pickle.loads(pickle.dumps(asked)).tag == "mine"


def test_a_tag_is_the_callers_own():
    """It is not in equality, hash or ``repr``, and may be anything."""
    one, two = query(tag={"unhashable": []}), query(tag=2)
    assert one == two
    assert hash(one) == hash(two)
    assert "tag" not in repr(one)
    assert one.tag == {"unhashable": []}


@pytest.mark.parametrize(
    "other",
    [
        ByCustomField("card", "42"),
        ByCustomField("card", 43),
        ByCustomField("Card", 42),
        ByPhone("42"),
    ],
)
def test_different_members_are_different_values(other):
    """42 and "42" are different members, and so is the same text in another matching."""
    assert ByCustomField("card", 42) != other


def test_the_order_of_extra_fields_does_not_matter():
    """Two queries that ask the same are equal."""
    one, two = query(extra={"a": 1, "b": 2}), query(extra={"b": 2, "a": 1})
    assert one == two
    assert hash(one) == hash(two)
    assert query(extra={"a": 1}) != query(extra=None)


# ── balances ─────────────────────────────────────────────────────────────────────────────────

PLAIN = {
    "total_balance": "1000.00",
    "active_balance": "-0.50",
    "currency": {"eid": "stars"},
    "loyalty_program_id": 123,
    "looked_up_at": "2026-01-02T12:00:00+00:00",
    "possibly_stale": False,
}


def test_as_dict_has_text_where_a_float_would_lose():
    """Amounts and times are text, so that any JSON writer keeps them."""
    balance = Balance(
        total_balance=Decimal("1000.00"),
        active_balance=Decimal("-0.50"),
        currency=CurrencyEid("stars"),
        loyalty_program_id=123,
        looked_up_at=datetime(2026, 1, 2, 12, tzinfo=UTC),
    )
    assert balance.as_dict() == PLAIN
    assert Balance.from_dict(PLAIN) == balance


AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**60), max_value=10**60)
ZONES = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))


@given(
    AMOUNTS,
    AMOUNTS,
    st.none() | st.integers(1, 2**63 - 1).map(CurrencyIid) | st.just(CurrencyEid("Ж")),
    st.datetimes(timezones=st.just(UTC) | ZONES),
    st.booleans(),
)
def test_a_balance_survives_json(total, active, currency, moment, stale):
    """`from_dict` after `as_dict`, through JSON, gives an equal balance."""
    balance = Balance(
        total_balance=total,
        active_balance=active,
        currency=currency,
        loyalty_program_id=1,
        looked_up_at=moment,
        possibly_stale=stale,
    )
    plain = orjson.loads(orjson.dumps(balance.as_dict()))
    assert Balance.from_dict(plain) == balance
    assert "E" not in plain["total_balance"]
    assert pickle.loads(pickle.dumps(balance)) == balance


@pytest.mark.parametrize("name", PLAIN)
def test_a_missing_field_is_no_balance(name):
    """Every field is written, so every field is wanted."""
    with pytest.raises(ValueError, match=r"not what Balance\.as_dict"):
        Balance.from_dict({key: value for key, value in PLAIN.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("total_balance", 800.1),
        ("total_balance", 800),
        ("total_balance", True),
        ("total_balance", None),
        ("active_balance", ""),
        ("active_balance", "lots"),
        ("active_balance", "NaN"),
        ("active_balance", "Infinity"),
        ("active_balance", ["1"]),
        ("currency", {}),
        ("currency", {"iid": "1"}),
        ("currency", {"eid": ""}),
        ("currency", 5),
        ("looked_up_at", "yesterday"),
        ("looked_up_at", None),
        ("looked_up_at", 5),
    ],
)
def test_what_as_dict_does_not_write_is_refused(name, value):
    """A float, a NaN or a broken time becomes no balance."""
    with pytest.raises(ValueError):  # noqa: PT011 - an InvalidQuery is one too
        Balance.from_dict({**PLAIN, name: value})


def test_an_outcome_says_what_was_asked_and_what_it_cost():
    """Found and Failed share their fields, match by class, and compare by value."""
    asked = query(tag=1)
    found = Found(query=asked, index=3, balance=Balance.from_dict(PLAIN), attempts=1, requests=2)
    match found:
        case Found(query=q, balance=b):
            assert q is asked
            assert b.total_balance == 1000
    assert found == attrs.evolve(found)
    assert pickle.loads(pickle.dumps(found)) == found
    error = ConnectionFailed("broken")
    assert Failed(query=asked, index=0, error=error).error is error
    assert not isinstance(found, Failed)
