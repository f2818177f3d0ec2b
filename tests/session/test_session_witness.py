"""To test the server a batch asks again what was answered before, and not its own question."""

import asyncio
import math
from collections import Counter
from itertools import pairwise
from unittest.mock import patch

import pytest

from altcraft_balance.errors import (
    AltcraftBalanceError,
    AuthenticationError,
    ClientClosed,
    HttpStatusError,
    RateLimited,
    TlsRefused,
)
from altcraft_balance.models import BalanceQuery, Failed, Found
from altcraft_balance.secret import Secret
from altcraft_balance.session.lookup import Lookup
from altcraft_balance.session.passes import Pass, Rank
from altcraft_balance.settings import Limits
from altcraft_balance.telemetry.events import BreakerChanged
from altcraft_balance.transport.port import SendFailed
from tests.session.fakes import (
    Slow,
    api,
    broken,
    http,
    make_client,
    member,
    members,
    now,
    number_of,
    ok,
    opened,
    settle,
    throttled,
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


async def outage_of(wire, ends_at):
    """The outcomes of a few items that meet an outage after one answer."""
    always_fail(wire, lambda _: now() < ends_at)
    async with opened(wire, max_attempts=12) as client:
        wire.script.append(ok())
        await client.get_balance(member(0))
        outcomes = await client.get_balances(members(3)[1:])
    assert sum(one.requests for one in outcomes) == len(wire.sent) - 1
    return outcomes


async def test_an_outage_costs_a_batch_no_attempt(wire):
    """What was answered before and the items' own questions are asked by turns."""
    outcomes = await outage_of(wire, 600)
    assert all(isinstance(one, Found) for one in outcomes)
    assert max(one.attempts for one in outcomes) <= 12
    asked = [asked_for(sent) == 0 for sent in wire.sent if 60 < sent.at < 600]
    assert len(asked) > 20
    assert all(one is not other for one, other in pairwise(asked))


async def test_an_outage_of_more_than_15_minutes_costs_attempts(wire):
    """The server may be gone: from then on items ask for themselves, and the batch ends."""
    outcomes = await outage_of(wire, math.inf)
    assert {(type(one), one.attempts) for one in outcomes} == {(Failed, 12)}
    late = [sent for sent in wire.sent if sent.at > FIFTEEN_MINUTES_S + 100]
    assert not [sent for sent in late if asked_for(sent) == 0]


async def test_a_witness_that_fails_by_now_stops_nobody(wire):
    """Its member has gone, say: the items' own questions find out that the server is back."""
    async with opened(wire, limits=Limits(64), draw=0.5) as client:
        await client.get_balance(member(0))
        always_fail(wire, lambda number: now() < 5 or number == 0)
        outcomes = await client.get_balances(members(200)[1:])
    assert all(isinstance(one, Found) for one in outcomes)
    assert now() < 15


async def test_an_outage_is_waited_out_while_the_token_changes(wire, tmp_path):
    """The witness is asked with the token in force."""
    path = tmp_path / "token"
    path.write_text("old-token-canary")

    def reply(sent):
        if sent.token != path.read_text():
            return api(401)
        return Slow(0.02, http(500) if 5 < now() < 60 else ok())

    wire.answer = reply
    async with opened(wire, limits=Limits(64), token=Secret.from_file(path), draw=0.5) as client:
        await client.get_balance(member(0))
        await asyncio.sleep(10)
        path.write_text("new-token-canary")
        outcomes = await client.get_balances(members(100)[1:])
    assert all(isinstance(one, Found) for one in outcomes)
    assert 60 < now() < 80


async def test_a_fatal_answer_to_a_test_is_no_secret(wire):
    """The server is back with a certificate that is not right: the run ends soon."""
    async with opened(wire, limits=Limits(64), draw=0.5) as client:
        await client.get_balance(member(0))
        wire.answer = lambda _: http(500) if now() < 5 else SendFailed(TlsRefused("who are you"))
        outcomes = await client.get_balances(members(100)[1:])
    assert {type(one.error) for one in outcomes} <= {TlsRefused, HttpStatusError}
    assert now() < 20


@pytest.mark.parametrize("to", ["a call", "a test", "another batch"])
async def test_a_pause_that_nobody_sits_out_ends_all_batches(wire, to):
    """Whoever is told of it: it is meant for everybody."""
    day = throttled(86_400)
    async with opened(wire, limits=Limits(64), draw=0.5, max_attempts=99) as client:
        await client.get_balance(member(0))
        wire.answer = lambda _: http(500) if to == "a test" else Slow(5)
        runs = [asyncio.create_task(client.get_balances(members(200)[1:])) for _ in range(2)]
        await asyncio.sleep(1)
        wire.script.append(day)
        if to == "a call":
            with pytest.raises(RateLimited):
                await client.get_balance(member(1))
        ends = await asyncio.gather(*runs)
    assert now() < 15
    unasked = [one for end in ends for one in end if not one.requests]
    assert all(one.error.retry_after_s == 86_400 for one in unasked)
    assert unasked


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


async def test_a_test_takes_no_free_repeat_from_the_item(wire):
    """Connections that died while the server was away are met by both."""
    async with opened(wire, max_attempts=1) as client:
        await client.get_balance(member(0))
        client._session.traffic.budget.tokens = 0
        lookup = BalanceQuery(member(1))
        wire.script.extend([broken(reused=True), ok(), broken(reused=True), ok()])
        passes = iter([Pass(call=False, unpaid=True), Pass(call=False)])
        with (
            patch.object(Lookup, "_enter_at_once", lambda *_: None),
            patch.object(Lookup, "_enter", lambda *_: taken(client, next(passes))),
        ):
            [outcome] = await client.get_balances([lookup])
        assert isinstance(outcome, Found)
        assert (outcome.attempts, outcome.requests) == (1, 4)


async def taken(client, passed):
    client._session.traffic.slots.take(now(), for_call=False)
    return passed


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
        await asyncio.sleep(2)
        await client.aclose()
        with pytest.raises(ClientClosed) as caught:
            await reading
    assert wire.emails[21:] == [member(0).email]
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


async def test_an_item_that_was_asked_once_is_not_among_the_unsent(wire):
    """Its token was refused, and the run ends before the next attempt."""
    tokens = iter(["old-token-canary", "new-token-canary"])

    async def token():
        return next(tokens)

    client = make_client(wire, concurrency=1, token=token)
    await client.open()
    wire.script.extend([Slow(1, api(401)), Slow(100)])
    async with client.stream_balances([member(1)]) as outcomes:
        reading = asyncio.create_task(anext(outcomes))
        await settle()
        call = asyncio.create_task(client.get_balance(member(2)))
        await asyncio.sleep(2)
        assert client.stats().waiting == {"slot": 1}
        await client.aclose(grace_s=0)
        outcome = await reading
        with pytest.raises(ClientClosed) as caught:
            await anext(outcomes)
    assert (type(outcome.error), outcome.requests) == (AuthenticationError, 1)
    assert not caught.value.unsent
    await asyncio.gather(call, return_exceptions=True)


async def test_a_doubt_that_was_right_lets_no_herd_loose(wire):
    """A few retries are paid for, and the rate is as it was."""
    always_fail(wire, lambda number: number > 1)
    seen = []

    def listen(event):
        if event == BreakerChanged(state="closed", retry_after_s=None):
            seen.append((client.stats().rate_per_s, client.stats().budget, now() < 0.2))

    async with opened(wire, limits=Limits(64), draw=0.5, on_event=listen) as client:
        await client.get_balance(member(1))
        client._session.traffic.budget.tokens = 0
        await client.get_balances(members(26)[2:])
    assert seen[0] == (None, 140, True)


async def test_a_test_that_was_never_sent_is_due_again_at_once(wire):
    """The budget's, whose item was cancelled in the turn in which it was let through."""
    async with opened(wire, concurrency=1) as client:
        traffic = client._session.traffic
        traffic.budget.tokens = 0
        passed = traffic.admit(Rank.RETRY, now(), lambda: 0.5, lambda: 0)
        assert (passed.unpaid, traffic.budget.wait_s(now())) == (True, 1.125)
        client._session.admission.give_back(passed)
        assert traffic.budget.wait_s(now()) == 0.0
