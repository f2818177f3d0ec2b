"""Tokens of the retry budget come back when the retry that they were for was never sent."""

import asyncio
import random

import pytest

from altcraft_balance.errors import AltcraftBalanceError, ClientClosed, DeadlineExceeded
from tests.session.fakes import (
    Slow,
    http,
    make_client,
    member,
    members,
    now,
    ok,
    opened,
    settle,
    throttled,
)


def tokens(client):
    return client._session.traffic.budget.tokens


def start(client, number=0, **options):
    return asyncio.create_task(client.get_balance(member(number), **options))


async def in_its_nap(wire, client, **options):
    """A call that has failed once and sleeps, for 5 s, before its retry."""
    wire.script.append(http(500, retry_after="5"))
    call = start(client, **options)
    await settle()
    assert (tokens(client), len(wire.sent)) == (486, 1)
    return call


async def test_a_cancelled_nap(wire):
    """Its caller has gone away."""
    async with opened(wire) as client:
        call = await in_its_nap(wire, client)
        call.cancel()
        await asyncio.wait([call])
        assert (tokens(client), len(wire.sent)) == (500, 1)


async def test_a_client_that_closes(wire):
    """The brake ends all naps."""
    client = make_client(wire)
    await client.open()
    call = await in_its_nap(wire, client)
    await client.aclose()
    with pytest.raises(ClientClosed):
        await call
    assert (tokens(client), len(wire.sent)) == (500, 1)


async def test_a_pause_that_outlasts_the_deadline(wire):
    """It is refused in its sleep."""
    async with opened(wire) as client:
        call = await in_its_nap(wire, client, deadline_s=20)
        wire.script.append(throttled(60))
        other = start(client, 1, deadline_s=5)
        with pytest.raises(DeadlineExceeded):
            await call
        with pytest.raises(DeadlineExceeded):
            await other
        assert now() < 1
        assert (tokens(client), len(wire.sent)) == (500, 2)


async def test_a_circuit_that_opens(wire):
    """Nobody's retry is sent, and nobody has paid for one."""
    wire.answer = lambda sent: http(500) if sent.at else http(500, retry_after="5")
    async with opened(wire, concurrency=64) as client:
        calls = [start(client, number) for number in range(19)]
        await settle()
        assert tokens(client) == 500 - 19 * 14
        with pytest.raises(AltcraftBalanceError):
            await client.get_balance(member(20))
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert [end.status for end in ends] == [500] * 19
        assert len(wire.sent) == 20
        assert tokens(client) == 500


async def test_no_slot_before_the_deadline(wire):
    """Its time was up while it stood in the queue."""
    wire.script.extend([http(500, retry_after="1"), Slow(9)])
    async with opened(wire, concurrency=1) as client:
        call = start(client, deadline_s=3)
        await settle()
        other = start(client, 1)
        with pytest.raises(DeadlineExceeded) as caught:
            await call
        assert (caught.value.phase, caught.value.attempts) == ("slot", 1)
        assert tokens(client) == 500
        await other


async def test_too_little_time_for_an_answer(wire):
    """It has a slot at last, and leaves it to others."""
    wire.script.extend([Slow(0.5), Slow(0.1, http(500, retry_after="1")), Slow(1.7)])
    async with opened(wire, concurrency=1) as client:
        await client.get_balance(member(9))
        call = start(client, deadline_s=2)
        await asyncio.sleep(0.11)
        other = start(client, 1)
        with pytest.raises(DeadlineExceeded) as caught:
            await call
        assert (caught.value.phase, caught.value.attempts) == ("attempt", 1)
        await other
        assert (tokens(client), len(wire.sent)) == (500, 3)


async def test_a_retry_that_is_cancelled_on_the_wire(wire):
    """Nobody knows whether it was in vain."""
    wire.script.extend([http(500), Slow(9)])
    async with opened(wire) as client:
        call = start(client)
        await asyncio.sleep(2)
        assert (tokens(client), wire.out) == (486, 1)
        call.cancel()
        await asyncio.wait([call])
        assert tokens(client) == 500


async def test_a_cancelled_item_of_a_batch(wire):
    """Asleep, it has not paid yet; on the wire, it has, and its tokens come back."""
    wire.script.extend([http(500, retry_after="1"), Slow(9)])
    async with opened(wire) as client:
        for sent, paid in ((1, 0), (2, 14)):
            run = asyncio.create_task(client.get_balances(members(1)))
            await asyncio.sleep(0.5 if sent == 1 else 1.5)
            assert tokens(client) == 500 - paid
            run.cancel()
            await asyncio.wait([run])
            assert (tokens(client), len(wire.sent)) == (500, sent)
            wire.script.clear()
            wire.script.extend([http(500, retry_after="1"), Slow(9)])
            wire.sent.clear()


async def test_a_retry_in_vain_stays_paid(wire):
    """Only what was not sent, or not waited for, comes back."""
    wire.answer = lambda _: http(500)
    async with opened(wire, max_attempts=3) as client:
        with pytest.raises(AltcraftBalanceError):
            await client.get_balance(member(0))
        assert tokens(client) == 500 - 28


async def test_a_retry_that_its_callers_deadline_cut_stays_paid(wire):
    """It was sent and nothing came of it; or callers in a hurry had retries without end."""
    wire.script.extend([http(500, retry_after="1"), Slow(9)])
    async with opened(wire) as client:
        with pytest.raises(AltcraftBalanceError):
            await client.get_balance(member(0), deadline_s=1.2)
        assert (tokens(client), len(wire.sent)) == (486, 2)


@pytest.mark.parametrize("seed", range(5))
async def test_there_are_never_more_than_500(wire, seed):
    """Whatever is cancelled, answered and given back, in whatever order."""
    rng, seen = random.Random(seed), []
    replies = [ok(), http(500), http(503), Slow(0.5), Slow(2), throttled(1)]
    wire.answer = lambda _: rng.choice(replies)
    async with opened(wire, concurrency=4, draw=0.5) as client:
        for _ in range(60):
            calls = [start(client, n, deadline_s=rng.choice([0.3, 1, 5])) for n in range(6)]
            await asyncio.sleep(rng.random())
            for call in rng.sample(calls, 3):
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            seen.append(tokens(client))
    assert min(seen) >= 0
    assert max(seen) <= 500
