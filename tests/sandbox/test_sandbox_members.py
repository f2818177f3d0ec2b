"""Every member has a balance that anybody can work out, and the ledger can be changed by hand."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from decimal import Decimal

import pytest

from altcraft_balance.errors import ConfigurationError, InvalidQuery
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
from altcraft_balance.sandbox import Points, PointsCurrency, Sandbox

USER = ByEmail("user@example.com")
MATCHINGS = {
    "email": (USER, {"matching": "email", "email": "user@example.com"}),
    "phone": (ByPhone("+79990000000"), {"matching": "phone", "phone": "+79990000000"}),
    "profile": (ByProfileId("5f0c"), {"matching": "profile_id", "profile_id": "5f0c"}),
    "integer": (
        ByCustomField("card", 42),
        {"matching": "custom", "field_name": "card", "field_value": 42},
    ),
    "text": (
        ByCustomField("card", "42"),
        {"matching": "custom", "field_name": "card", "field_value": "42"},
    ),
    "raw": (
        RawMatching({"matching": "email", "email": "ü@example.com"}),
        {"matching": "email", "email": "ü@example.com"},
    ),
}


def points(reply):
    data = json.loads(reply.body)["data"]
    return Points(Decimal(data["total_balance"]), Decimal(data["active_balance"]))


def exact(value):
    return str(value.total_balance), str(value.active_balance)


@pytest.mark.parametrize("name", MATCHINGS)
async def test_answers_can_be_checked(sandbox, wire, name):
    """What goes over the wire is what balance_of says, digit for digit."""
    query, matching = MATCHINGS[name]
    reply = await wire.ask({"token": "sandbox-token", "loyalty_program_id": 7, **matching})
    assert exact(points(reply)) == exact(sandbox.balance_of(query, loyalty_program_id=7))
    assert sandbox.asked(query) == 1


def test_everything_matters():
    """Program, currency, matching, the custom field's name and its value's type all count."""
    sandbox = Sandbox()
    seen = [sandbox.balance_of(query) for query, _ in MATCHINGS.values()]
    seen += [sandbox.balance_of(ByCustomField("cards", 42))]
    seen += [sandbox.balance_of(ByProfileId("user@example.com"))]
    seen += [sandbox.balance_of(USER, loyalty_program_id=program) for program in (7, 1)]
    seen += [sandbox.balance_of(USER, currency=CurrencyIid(iid)) for iid in (2, 3)]
    assert len({exact(value) for value in seen}) == len(seen)


def test_currency_names():
    """A currency's two ids mean the same, and no id means the program's first."""
    sandbox = Sandbox()
    by_iid = sandbox.balance_of(USER, loyalty_program_id=123, currency=CurrencyIid(1))
    by_eid = sandbox.balance_of(USER, loyalty_program_id=123, currency=CurrencyEid("stars"))
    assert by_iid == by_eid == sandbox.balance_of(USER, loyalty_program_id=123)


def test_a_querys_own_names_come_first():
    """A query's own program and currency win over the arguments, as in the client."""
    sandbox = Sandbox()
    query = BalanceQuery(USER, loyalty_program_id=7, currency=CurrencyIid(9))
    asked = sandbox.balance_of(query, loyalty_program_id=123, currency=CurrencyEid("stars"))
    assert asked == sandbox.balance_of(USER, loyalty_program_id=7, currency=CurrencyEid("points"))


def test_other_process():
    """Another process, with another hash seed, works out the same balance."""
    code = (
        "from altcraft_balance.sandbox import Sandbox;"
        "from altcraft_balance.models import ByEmail;"
        "p = Sandbox(seed=5).balance_of(ByEmail('user@example.com'));"
        "print(p.total_balance, p.active_balance)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert tuple(result.stdout.decode().split()) == exact(Sandbox().balance_of(USER))


def test_variety():
    """Among a thousand members there are all places, zeros, huge and negative amounts."""
    sandbox = Sandbox()
    all_points = [sandbox.balance_of(ByEmail(f"u{n}@example.com")) for n in range(1000)]
    totals = [value.total_balance for value in all_points]
    places = {-total.as_tuple().exponent for total in totals}
    assert places == {0, 1, 2, 3, 4, 6}
    assert min(totals) == 0
    assert max(totals) > 10**12
    assert any(value.active_balance < 0 for value in all_points)
    assert any(value.active_balance == value.total_balance for value in all_points)
    assert any(
        v.active_balance.as_tuple().exponent != v.total_balance.as_tuple().exponent
        for v in all_points
    )


async def test_set_balance(sandbox, wire, fields):
    """A balance that is set goes over the wire with its digits and places."""
    sandbox.set_balance(USER, total_balance=Decimal("1E+3"), active_balance="-0.50")
    reply = await wire.ask(fields)
    assert exact(points(reply)) == ("1000", "-0.50")
    sandbox.set_balance(USER, total_balance=5)
    assert sandbox.balance_of(USER) == Points(Decimal(5), Decimal(5))


async def test_remove(sandbox, wire, fields):
    """A removed member is unknown until a balance is set again."""
    sandbox.remove(USER)
    reply = await wire.ask(fields)
    assert (reply.status, reply.code, reply.text) == (200, 404, "profile not found")
    assert sandbox.balance_of(USER) is None
    sandbox.set_balance(USER, total_balance=1)
    assert (await wire.ask(fields)).code == 0
    assert sandbox.counts == {"error_404": 1, "ok": 1}


def test_scope():
    """A setting applies everywhere, or to what the query names; the latest that fits wins."""
    sandbox = Sandbox()
    in_seven = BalanceQuery(USER, loyalty_program_id=7)
    miles = BalanceQuery(USER, loyalty_program_id=7, currency=CurrencyEid("miles"))
    points_ = BalanceQuery(USER, loyalty_program_id=7, currency=CurrencyIid(9))
    before = sandbox.balance_of(USER, loyalty_program_id=123)
    sandbox.set_balance(in_seven, total_balance=1)
    sandbox.remove(miles)
    assert sandbox.balance_of(miles) is None
    assert sandbox.balance_of(points_) == Points(Decimal(1), Decimal(1))
    assert sandbox.balance_of(USER, loyalty_program_id=123) == before
    sandbox.set_balance(in_seven, total_balance=2)
    assert sandbox.balance_of(miles) == Points(Decimal(2), Decimal(2))


@pytest.mark.parametrize("amount", [1.5, True, None, "NaN", "Infinity", "a lot", Decimal("sNaN")])
def test_wrong_amounts(amount):
    """An amount that is no finite decimal number is refused by name."""
    with pytest.raises(ConfigurationError, match="total_balance must be a"):
        Sandbox().set_balance(USER, total_balance=amount)


def test_wrong_queries():
    """A query that the sandbox cannot answer is refused where it is given."""
    sandbox = Sandbox()
    with pytest.raises(InvalidQuery, match="does not answer this RawMatching: matching must be"):
        sandbox.remove(RawMatching({"matching": "push_sub"}))
    with pytest.raises(InvalidQuery, match=r"a query is ByEmail\(...\)"):
        sandbox.asked("user@example.com")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="has no loyalty program 5: it has 123, 7, 1"):
        sandbox.balance_of(USER, loyalty_program_id=5)
    with pytest.raises(ConfigurationError, match="program 7 has no points currency 'stars'"):
        sandbox.balance_of(BalanceQuery(USER, loyalty_program_id=7, currency=CurrencyEid("stars")))


async def test_own_programs(connect, fields):
    """Programs and currencies are the user's to name."""
    programs = {55: [PointsCurrency(eid="bonus")]}
    async with Sandbox(programs=programs) as sandbox:
        wire = await connect(sandbox)
        assert (await wire.ask(fields)).text == "unknown loyalty program"
        mine = {**fields, "loyalty_program_id": 55, "points_currency_eid": "bonus"}
        assert points(await wire.ask(mine)) == sandbox.balance_of(USER)


async def test_xml_has_no_types(sandbox, wire):
    """In XML a custom field's value is text, whatever it looks like."""
    reply = await wire.ask(
        "<xml><token>sandbox-token</token><loyalty_program_id>123</loyalty_program_id>"
        "<matching>custom</matching><field_name>card</field_name>"
        "<field_value>42</field_value></xml>",
        content_type="application/xml",
        Accept="application/json",
    )
    assert points(reply) == sandbox.balance_of(ByCustomField("card", "42"))


async def test_counting_is_by_member(sandbox, connect, fields):
    """Requests are counted in all and by member, over all connections."""
    wires = [await connect(sandbox) for _ in range(3)]
    await asyncio.gather(*(wire.ask(fields) for wire in wires))
    await wires[0].ask({**fields, "email": "other@example.com"})
    assert (sandbox.requests, sandbox.connections, sandbox.counts["ok"]) == (4, 3, 4)
    assert (sandbox.asked(USER), sandbox.asked(ByEmail("third@example.com"))) == (3, 0)
