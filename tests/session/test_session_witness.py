"""To test the server a batch asks again what was answered before, and not its own question."""

import asyncio
from collections import Counter

import pytest

from altcraft_balance.errors import AltcraftBalanceError, ClientClosed
from altcraft_balance.models import Failed, Found
from altcraft_balance.settings import Limits
from tests.session.fakes import (
    Slow,
    http,
    make_client,
    member,
    members,
    now,
    number_of,
    ok,
    opened,
    settle,
)

FIFTEEN_MINUTES_S = 900.0


def always_fail(wire, bad, answer=lambda: http(500)):
    """A healthy server with members for whom it never has an answer."""

    wire.answer = lambda sent: Slow(0.02, answer() if bad(asked_for(sent)) else ok())


def asked_for(sent):
    return int(sent.email.split("-")[1].split("@")[0])


async def calls_beside(client, run):
    """How calls end, two each second until the batch is over."""
    ends = Counter()
    while not run.done():
        try:
            await client.get_balance(member(1))
            ends["found"] += 1
        except AltcraftBalanceError as error:
            ends[error.kind] += 1
        await asyncio.sleep(0.5)
    return ends


@pytest.mark.parametrize(
    ("bad", "within_s"),
    [
        (lambda number: number >= 970, 6),
        (lambda number: number % 33 == 0, 6),
        (lambda number: number % 2 == 0, 30),
        (lambda number: number != 1, 30),
    ],
    ids=["the last", "here and there", "half", "all but one"],
)
async def test_members_that_always_fail_stop_nobody_else(wire, bad, within_s):
    """They fail by themselves, the others are found, and single calls are answered."""
    always_fail(wire, bad)
    async with opened(wire, limits=Limits(64), draw=0.5) as client:
        await client.get_balance(member(1))
        run = asyncio.create_task(client.get_balances(members(1000)))
        ends = await calls_beside(client, run)
        outcomes = await run
    assert [isinstance(one, Failed) for one in outcomes] == [bad(n) for n in range(1000)]
    assert {one.attempts for one in outcomes if isinstance(one, Failed)} == {6}
    assert now() < within_s
    assert ends["circuit_open"] <= 8, "a second or two after each false alarm, of which few follow"


async def test_an_outage_costs_a_batch_no_attempt(wire):
    """Two items of ten minutes ago: each failure was their own before, none is since."""
    always_fail(wire, lambda _: now() < 600)
    async with opened(wire, max_attempts=12) as client:
        wire.script.append(ok())
        await client.get_balance(member(0))
        outcomes = await client.get_balances(members(3)[1:])
    assert all(isinstance(one, Found) for one in outcomes)
    assert max(one.attempts for one in outcomes) <= 12
    tests = [sent.at for sent in wire.sent if sent.email == member(0).email][1:]
    assert len(tests) > 20
    assert 600 <= tests[-1] < 630
    assert sum(one.requests for one in outcomes) == len(wire.sent) - 1


async def test_an_outage_of_more_than_15_minutes_costs_attempts(wire):
    """The server may be gone: from then on items ask for themselves, and the batch ends."""
    always_fail(wire, lambda _: True)
    async with opened(wire, max_attempts=12) as client:
        wire.script.append(ok())
        await client.get_balance(member(0))
        outcomes = await client.get_balances(members(3)[1:])
    assert {(type(one), one.attempts) for one in outcomes} == {(Failed, 12)}
    own = [sent.at for sent in wire.sent if sent.email != member(0).email]
    assert not [at for at in own if 60 < at < FIFTEEN_MINUTES_S]
    assert own[-1] > FIFTEEN_MINUTES_S


async def test_without_an_answer_so_far_items_ask_for_themselves(wire):
    """It may be the wrong address: the batch ends."""
    always_fail(wire, lambda _: True)
    async with opened(wire) as client:
        outcomes = await client.get_balances(members(4))
    assert {(type(one), one.attempts) for one in outcomes} == {(Failed, 6)}
    assert len(wire.sent) == 24


async def test_a_call_asks_for_itself(wire):
    """Its answer is the test."""
    async with opened(wire, max_attempts=1, concurrency=64) as client:
        await client.get_balance(member(0))
        wire.answer = lambda _: http(500)
        failing = (client.get_balance(member(n)) for n in range(1, 21))
        await asyncio.gather(*failing, return_exceptions=True)
        wire.answer = lambda _: ok()
        await asyncio.sleep(2)
        await client.get_balance(member(99))
        assert client.health().breaker == "closed"
    assert wire.emails[-2:] == [member(20).email, member(99).email]


async def test_an_empty_budget_is_tested_too(wire):
    """The answer pays for a few retries."""
    async with opened(wire) as client:
        await client.get_balance(member(0))
        client._session.traffic.budget.tokens = 0
        wire.script.append(http(500))
        [outcome] = await client.get_balances([member(1)])
        assert isinstance(outcome, Found)
        assert client.stats().budget > 100
    assert [asked_for(sent) for sent in wire.sent] == [0, 1, 0, 1]
    assert (outcome.attempts, outcome.requests) == (2, 3)


async def test_an_item_that_has_only_tested_was_never_sent(wire):
    """When the run ends it is among the unsent."""
    client = make_client(wire, concurrency=64, max_attempts=1)
    await client.open()
    await client.get_balance(member(0))
    wire.answer = lambda _: http(500)
    failing = (client.get_balance(member(n)) for n in range(1, 21))
    await asyncio.gather(*failing, return_exceptions=True)
    async with client.stream_balances([member(99)]) as outcomes:
        reading = asyncio.create_task(anext(outcomes))
        await asyncio.sleep(5)
        await client.aclose()
        with pytest.raises(ClientClosed) as caught:
            await reading
    assert wire.emails[21:] == [member(0).email] * len(wire.emails[21:])
    assert len(wire.emails) > 22
    assert [query.matching for query in caught.value.unsent] == [member(99)]


async def test_a_test_that_asks_for_a_pause_is_an_answer(wire):
    """The server is back, and busy."""
    async with opened(wire, max_attempts=6, concurrency=64) as client:
        await client.get_balance(member(0))
        wire.answer = lambda sent: http(500) if now() < 1 else ok()
        run = asyncio.create_task(client.get_balances(members(64)[1:]))
        await settle()
        assert client.health().breaker == "open"
        wire.script.append(http(429, retry_after="5"))
        outcomes = await run
        assert all(isinstance(one, Found) for one in outcomes)
    tested = next(sent.at for sent in wire.sent if sent.at > 1)
    assert min(sent.at for sent in wire.sent if sent.at > tested) >= tested + 5


async def test_a_deadline_ends_an_item_while_it_tests(wire):
    """The item's time is its own, whoever is asked about."""
    async with opened(wire, max_attempts=99, item_deadline_s=20.0, concurrency=64) as client:
        await client.get_balance(member(0))
        wire.answer = lambda _: Slow(1000)
        began = now()
        outcomes = await client.get_balances(members(30)[1:])
    assert {one.error.kind for one in outcomes} == {"deadline_exceeded"}
    assert now() - began <= 20.01
    assert [number_of(one.query) for one in outcomes] == list(range(1, 30))
