"""What a stream makes of its items, and what becomes of those that are no lookups."""

import pytest

from altcraft_balance.batch.source import as_query, stand_in
from altcraft_balance.errors import InvalidQuery
from altcraft_balance.models import (
    BalanceQuery,
    ByEmail,
    ByPhone,
    Failed,
    Found,
    RawMatching,
)
from altcraft_balance.telemetry.progress import Progress
from tests.session.fakes import member, opened


async def outcomes_of(client, items, **options):
    async with client.stream_balances(items, ordered=True, **options) as stream:
        return [outcome async for outcome in stream]


def refuse(value):
    raise ZeroDivisionError(f"about {value}")


@pytest.mark.parametrize(
    ("item", "by", "sentence"),
    [
        ("not an address", ByEmail, "must have an '@'"),
        ("", ByEmail, "is empty"),
        ("a@b.c\x00", ByEmail, "cannot be sent"),
        (None, ByEmail, "must be text"),
        (42, ByPhone, "must be text"),
        (object(), ByEmail, "must be text"),
        ("a@b.c", refuse, "'by' raised ZeroDivisionError"),
        ("a@b.c", lambda value: value, "a plain text is no matching"),
        ("a@b.c", lambda value: None, "not NoneType"),
        ("a@b.c", lambda: None, "'by' raised TypeError"),
        ("a@b.c", None, "a plain text is no matching"),
        (42, None, "not int"),
        (None, None, "not NoneType"),
    ],
)
async def test_a_bad_item_fails_alone(wire, item, by, sentence):
    """Its outcome carries a real query, nothing is sent for it, and the stream goes on."""
    async with opened(wire) as client:
        first, bad, last = await outcomes_of(client, [member(1), item, member(2)], by=by)
        assert (await client.get_balances([item], by=by))[0].query == bad.query
    assert isinstance(first, Found)
    assert isinstance(last, Found)
    assert isinstance(bad, Failed)
    assert isinstance(bad.error, InvalidQuery)
    assert sentence in str(bad.error)
    assert "a@b.c" not in str(bad.error)
    assert type(bad.query) is BalanceQuery
    assert (bad.index, bad.attempts, bad.requests) == (1, 0, 0)
    assert bad.error.__context__ is None
    assert len(wire.sent) == 2


async def test_by_makes_matchings_of_plain_values(wire):
    """Queries and matchings among them stay what they are."""
    tagged = BalanceQuery(ByPhone("+7 900"), tag="row 2")
    items = ["a@b.c", member(7), tagged]
    async with opened(wire) as client:
        outcomes = await outcomes_of(client, items, by=ByEmail)
    assert [outcome.query.matching for outcome in outcomes] == [
        ByEmail("a@b.c"),
        member(7),
        tagged.matching,
    ]
    assert outcomes[2].query is tagged


async def test_a_query_that_cannot_be_encoded_fails_alone(wire):
    """As one without a program, when the client has none."""
    async with opened(wire, loyalty_program_id=None) as client:
        items = [BalanceQuery(member(0), loyalty_program_id=5), member(1)]
        found, failed = await outcomes_of(client, items)
    assert found.balance.loyalty_program_id == 5
    assert "no loyalty_program_id" in str(failed.error)
    assert (failed.requests, len(wire.sent)) == (0, 1)


@pytest.mark.parametrize("item", ["plain", "ctrl\x00", 7, None, 1.5, ["a"], b"bytes", "\ud800"])
def test_a_stand_in_carries_any_item(item):
    """So that the outcome of a bad item says which it was, and can be sent to nobody by mistake."""
    query = stand_in(item)
    assert isinstance(query.matching, RawMatching)
    assert query.matching.fields["matching"] == "invalid"
    expected = item if item == "plain" else ascii(item)
    assert query.matching.fields["value"] == expected


def test_as_query_wraps_a_matching_and_passes_a_query_on():
    """A query is used as it is."""
    query = BalanceQuery(member(0))
    assert as_query(query, ByPhone) is query
    assert as_query(member(0), ByPhone) == query
    assert as_query("member-0@example.com", ByEmail) == query


def test_a_stand_in_carries_an_item_that_cannot_be_shown():
    """An object whose `repr` raises is a failed outcome like any other, under its type's name."""

    class Shy:
        def __repr__(self):
            raise LookupError

    assert stand_in(Shy()).matching.fields["value"] == "<Shy>"


async def test_a_plain_value_stays_with_its_query(wire):
    """Good or bad, as its tag, so that a row can be found again."""
    values = ["a@example.com", "no address", 5]
    async with opened(wire) as client:
        outcomes = await client.get_balances(values, by=ByEmail)
    assert [outcome.query.tag for outcome in outcomes] == values


async def test_what_is_not_callable_makes_no_matchings(wire):
    """It is refused at once, and not once for each item."""
    async with opened(wire) as client:
        with pytest.raises(InvalidQuery, match="by must be ByEmail"):
            client.stream_balances(["a@example.com"], by="email")


async def test_an_item_that_is_no_query_is_counted(wire):
    """Progress reaches its total, and the statistics name the kind."""
    progress = Progress()
    async with opened(wire, on_event=progress) as client:
        await client.get_balances(["a@example.com", "bad"], by=ByEmail)
        assert client.stats().failed == {"invalid_query": 1}
    assert (progress.snapshot().done, progress.snapshot().failed) == (2, {"invalid_query": 1})
