"""Every recorded envelope in `tests/samples` gives what is written beside it."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from altcraft_balance import errors
from altcraft_balance.codec.request import RequestEncoder
from altcraft_balance.models import (
    BalanceQuery,
    ByCustomField,
    ByEmail,
    ByPhone,
    ByProfileId,
    CurrencyEid,
    CurrencyIid,
    RawMatching,
)
from altcraft_balance.secret import HiddenStr

SAMPLES = Path(__file__).parent.parent / "samples"
REQUESTS = sorted((SAMPLES / "requests").iterdir())
REPLIES = sorted((SAMPLES / "replies").iterdir())
TYPES = {"json.bin": "application/json", "xml.bin": "application/xml"}
MATCHINGS = {
    ("email",): ByEmail,
    ("phone",): ByPhone,
    ("profile_id",): ByProfileId,
    ("name", "value"): ByCustomField,
    ("fields",): RawMatching,
}


def load(path):
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def query_of(asked):
    currency = asked.get("currency")
    if currency:
        currency = CurrencyIid(**currency) if "iid" in currency else CurrencyEid(**currency)
    matching = MATCHINGS[tuple(asked["matching"])](**asked["matching"])
    return BalanceQuery(matching, currency=currency, extra=asked.get("extra"))


@pytest.mark.parametrize("syntax", ["json", "xml"])
@pytest.mark.parametrize("case", REQUESTS, ids=lambda case: case.name)
def test_a_query_gives_the_recorded_body_to_the_byte(case, syntax):
    """What is sent is what is recorded, field order included."""
    asked = load(case / "query.json")
    auth = asked.get("auth", "body")
    encoder = RequestEncoder(
        HiddenStr(asked["token"]),
        loyalty_program_id=asked["loyalty_program_id"],
        format=syntax,
        auth=auth,
    )
    wire = encoder.encode(query_of(asked))
    assert bytes(wire.body) == (case / f"{syntax}.bin").read_bytes()
    assert wire.headers["Content-Type"] == wire.headers["Accept"] == f"application/{syntax}"
    assert wire.headers.get("Authorization") == (
        None if auth == "body" else f"Bearer {asked['token']}"
    )


def replies():
    for case in REPLIES:
        for body in sorted(case.glob("*.bin")):
            for status in load(case / "expected.json"):
                yield pytest.param(case, body, int(status), id=f"{case.name}-{body.stem}-{status}")


@pytest.mark.parametrize(("case", "body", "status"), list(replies()))
def test_a_reply_gives_the_recorded_result(case, body, status, read, outcome):
    """A recorded reply gives the balance or the error that is written beside it."""
    expected = load(case / "expected.json")[str(status)]
    headers = {"content-type": TYPES.get(body.name, ""), **load(case / "headers.json")}
    if "raises" not in expected:
        balance = read(body.read_bytes(), status, headers)
        got = balance.total_balance, balance.active_balance
        wanted = Decimal(expected["total_balance"]), Decimal(expected["active_balance"])
        assert list(map(str, got)) == list(map(str, wanted))
        assert balance.possibly_stale is expected.get("possibly_stale", False)
        return
    kind, message, fields = outcome(body.read_bytes(), status, headers)
    assert kind is getattr(errors, expected["raises"])
    assert expected.get("says", "") in message
    assert fields["status"] == status
    for name in expected.keys() - {"raises", "says"}:
        assert fields[name] == expected[name], name


@pytest.mark.parametrize(
    "case", [case for case in REPLIES if (case / "xml.bin").exists()], ids=lambda case: case.name
)
def test_json_and_xml_twins_give_equal_results(case, outcome):
    """The same reply in both formats gives equal balances, or errors equal in every field."""
    headers = load(case / "headers.json")
    for status in map(int, load(case / "expected.json")):
        twins = []
        for name in TYPES:
            result = outcome((case / name).read_bytes(), status, headers)
            # The sentence may speak of the format; what a program reads may not differ.
            twins.append((result[0], result[2]) if isinstance(result, tuple) else result)
        assert twins[0] == twins[1]


def test_every_sample_is_complete():
    """No file in the samples is forgotten by the tests above."""
    known = {"query.json", "json.bin", "xml.bin", "body.bin", "headers.json", "expected.json"}
    assert {path.name for case in REQUESTS + REPLIES for path in case.iterdir()} == known
    assert all(len(list(case.iterdir())) == 3 for case in REQUESTS)
    assert all((case / "json.bin").exists() == (case / "xml.bin").exists() for case in REPLIES)


@pytest.mark.parametrize("syntax", ["json", "xml"])
def test_a_reply_may_come_in_the_format_that_was_not_asked_for(syntax, outcome):
    """Whichever format the request has, each reply gives what it gives to the other one."""
    asked = ByEmail("user@example.com")
    encoder = RequestEncoder(HiddenStr("abc123def456"), loyalty_program_id=123, format=syntax)
    wire = encoder.encode(BalanceQuery(asked, currency=CurrencyEid("starts")))
    for case in REPLIES:
        for body in sorted(case.glob("*.bin")):
            assert outcome(body.read_bytes(), to=wire) == outcome(body.read_bytes()), case.name
