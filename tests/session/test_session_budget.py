"""The retry budget in use: a call ends with its error, a batch is parked and loses nothing."""

import asyncio
from itertools import pairwise

import pytest

from altcraft_balance.errors import HttpStatusError
from altcraft_balance.models import Found
from altcraft_balance.session.passes import Pass, Rank
from altcraft_balance.settings import Limits
from tests.session.fakes import (
    Slow,
    broken,
    http,
    member,
    members,
    now,
    ok,
    opened,
    settle,
    throttled,
)


def empty(client):
    client._session.traffic.budget.tokens = 0


async def test_with_an_empty_budget_a_call_ends_with_its_error(wire):
    """At once, and with the error that it has; nothing is repeated."""
    wire.answer = lambda _: http(502)
    async with opened(wire) as client:
        empty(client)
        with pytest.raises(HttpStatusError) as caught:
            await client.get_balance(member(0))
        assert (caught.value.status, caught.value.attempts) == (502, 1)
        assert (len(wire.sent), now() < 0.01) == (1, True)


async def test_a_call_in_vain_takes_tokens_that_only_answers_bring(wire):
    """Some forty calls have their repeat, whatever their number; then one in fourteen has it."""
    # The other calls are answered, so that the breaker has nothing to say.
    wire.answer = lambda sent: ok() if sent.email == member(0).email else http(500)
    repeated = []
    async with opened(wire, max_attempts=2) as client:
        for number in range(1, 61):
            with pytest.raises(HttpStatusError) as caught:
                await client.get_balance(member(number))
            repeated.append(caught.value.attempts == 2)
            await client.get_balance(member(0))
        assert client.stats().budget == 500 - 14 * sum(repeated) + 60
    assert repeated[:38] == [True] * 38
    assert sum(repeated[38:]) <= 2


async def test_a_free_repeat_costs_nothing(wire):
    """It is the connection's fault, not the server's."""
    wire.script.append(broken(reused=True))
    async with opened(wire) as client:
        empty(client)
        await client.get_balance(member(0))
        assert client.stats().budget == 1


async def test_a_throttled_answer_costs_neither_attempt_nor_tokens(wire):
    """Only time."""
    wire.script.extend([throttled(1)] * 8)
    async with opened(wire, max_attempts=1) as client:
        empty(client)
        [outcome] = await client.get_balances([member(0)])
        assert isinstance(outcome, Found)
        assert (outcome.attempts, outcome.requests) == (1, 9)
        assert client.stats().throttled == 8
        assert client.stats().budget == 1
        wire.script.append(throttled(1))
        await client.get_balance(member(0))


async def test_a_parked_batch_probes_and_loses_nothing(wire):
    """One item at a time, a second apart and more, until there are tokens again."""
    down_until = 14.0
    wire.answer = lambda sent: http(500) if sent.at < down_until and is_bad(sent) else ok()

    def is_bad(sent):
        return int(sent.email.split("-")[1].split("@")[0]) < 10

    async with opened(wire, limits=Limits(4, adaptive=False), max_attempts=99) as client:
        empty(client)
        run = asyncio.create_task(client.get_balances(members(10)))
        await asyncio.sleep(10)
        stats = client.stats()
        assert (stats.budget, stats.breaker, stats.slots_in_use) == (0, "closed", 0)
        assert (stats.in_progress, sum(stats.waiting.values())) == (10, 10)
        assert stats.waiting["budget"] > 0
        outcomes = await run
    assert all(isinstance(outcome, Found) for outcome in outcomes)
    probes = [sent.at for sent in wire.sent[10:] if sent.at < down_until]
    gaps = [b - a for a, b in pairwise(probes)]
    assert 3 <= len(probes) <= 9
    assert all(1 - 1e-6 <= gap <= 30 + 1e-6 for gap in gaps)


async def test_new_items_do_not_wait_for_those_that_are_parked(wire):
    """They are no retries, and their answers bring the tokens."""
    wire.answer = lambda sent: http(500) if sent.number < 3 else Slow(0.1)
    async with opened(wire, concurrency=2, max_attempts=99) as client:
        empty(client)
        outcomes = await client.get_balances(members(60))
        assert all(isinstance(outcome, Found) for outcome in outcomes)
        assert now() < 5


async def test_a_pass_that_was_not_used_gives_its_tokens_back(wire):
    """The gate closes in the turn in which a repeat was let through: it pays once."""
    async with opened(wire, concurrency=1) as client:
        session = client._session
        session.traffic.slots.take(now(), for_call=False)
        repeat = asyncio.create_task(session.admission.enter(Rank.RETRY, None, 0.0))
        await settle()
        session.admission.leave(now())
        assert client.stats().budget == 486
        late = Pass(call=False)
        session.traffic.throttled(late, now(), sent_at=now(), asked_s=5, draw=0.0)
        assert (await repeat).paid == 14
        assert (client.stats().budget, now() >= 5) == (486, True)
        session.admission.leave(now())


async def test_a_repeat_is_paid_back_by_its_own_answer(wire):
    """And a call that gives up keeps its tokens from the others."""
    wire.script.extend([http(500), http(500), ok(), http(500), http(500), http(500)])
    async with opened(wire, max_attempts=3) as client:
        client._session.traffic.budget.tokens = 100
        await client.get_balance(member(0))
        assert client.stats().budget == 101
        with pytest.raises(HttpStatusError):
            await client.get_balance(member(1))
        assert client.stats().budget == 101 - 28


async def test_a_repeat_is_paid_back_once(wire):
    """Also when a 401, which is an answer, is followed by another one with a new token."""
    tokens = iter(["old-token", "new-token"])

    async def token():
        return next(tokens)

    wire.script.extend([http(500), http(401), ok()])
    async with opened(wire, token=token) as client:
        client._session.traffic.budget.tokens = 100
        await client.get_balance(member(0))
        assert client.stats().budget == 100 + 2
