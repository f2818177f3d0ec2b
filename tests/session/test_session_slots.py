"""Slots: how many requests are on the wire, and who waits for them."""

import asyncio

import pytest

from altcraft_balance.errors import ClientClosed, DeadlineExceeded
from altcraft_balance.models import BalanceQuery
from altcraft_balance.session.admission import Admission
from altcraft_balance.session.semaphore import Semaphore
from tests.session.fakes import Slow, broken, http, member, members, now, ok, opened, settle


@pytest.mark.parametrize("concurrency", [1, 2, 7])
async def test_no_more_requests_than_slots_are_on_the_wire(wire, concurrency):
    """Single calls and batches together stay within the one limit."""
    faults = [ok(), ok(), ok(), ok(), http(500), ok(), broken(reused=True)]
    wire.answer = lambda sent: Slow(0.01, faults[sent.number % 7])
    async with opened(wire, concurrency=concurrency, max_attempts=99) as client:
        await asyncio.gather(
            *(client.get_balance(member(n), deadline_s=None) for n in range(20)),
            client.get_balances(members(50)),
            client.get_balances(members(50)),
        )
    assert wire.most_out == concurrency


async def test_a_lookup_that_sleeps_before_a_repeat_holds_no_slot(wire):
    """While the first one waits for its repeat, the only slot serves the second."""
    wire.script.append(http(500, retry_after="10"))
    async with opened(wire, concurrency=1) as client:
        first = asyncio.create_task(client.get_balance(member(1)))
        await settle()
        assert client.stats().slots_in_use == 0
        await client.get_balance(member(2))
        assert now() < 1
        await first
    assert wire.emails == [member(n).email for n in (1, 2, 1)]


async def test_the_free_repeat_stays_in_its_slot(wire):
    """A repeat on a fresh connection does not queue again."""
    wire.script.append(broken(reused=True))
    async with opened(wire, concurrency=1) as client:
        await asyncio.gather(client.get_balance(member(1)), client.get_balance(member(2)))
    assert wire.emails == [member(n).email for n in (1, 1, 2)]


async def test_waiting_for_a_slot_is_no_timeout(wire):
    """The attempt's clock starts when its request is sent: 1,000 items of 0.3 s, 2 slots."""
    wire.answer = lambda _: Slow(0.3)
    async with opened(wire, concurrency=2, attempt_s=1) as client:
        outcomes = await client.get_balances(members(1000))
    assert [outcome.attempts for outcome in outcomes] == [1] * 1000
    assert now() == pytest.approx(150, abs=0.1)
    assert {sent.limit_s for sent in wire.sent} == {1}


async def test_single_calls_that_wait_for_a_slot_do_not_time_out_either(wire):
    """As long as their deadline is far."""
    wire.answer = lambda _: Slow(0.3)
    async with opened(wire, concurrency=2, attempt_s=1) as client:
        await asyncio.gather(*(client.get_balance(member(n)) for n in range(100)))
    assert len(wire.sent) == 100


async def test_a_call_that_gets_no_slot_before_its_deadline_says_so(wire):
    """It ends at its deadline, with nothing sent and the phase named."""
    wire.hold()
    async with opened(wire, concurrency=1) as client:
        first = asyncio.create_task(client.get_balance(member(1), deadline_s=None))
        await settle()
        began = now()
        with pytest.raises(DeadlineExceeded) as caught:
            await client.get_balance(member(2), deadline_s=2)
        assert now() - began == pytest.approx(2)
        error = caught.value
        assert (error.phase, error.attempts, error.last_error) == ("slot", 0, None)
        assert not error.maybe_sent
        assert error.elapsed_s == pytest.approx(2)
        assert client.stats().requests == 1
        assert client.health().failures_in_a_row == 0
        wire.release()
        await first


async def test_a_repeat_that_gets_no_slot_tells_what_came_before(wire):
    """The error of the attempt that was made hangs on the one about the slot."""
    wire.script.extend([http(500), Slow(9), Slow(9)])
    async with opened(wire, concurrency=1) as client:
        repeated = asyncio.create_task(client.get_balance(member(1), deadline_s=2))
        await settle()
        other = asyncio.create_task(client.get_balance(member(2)))
        with pytest.raises(DeadlineExceeded) as caught:
            await repeated
        error = caught.value
        assert (error.phase, error.attempts, error.last_error.status) == ("slot", 1, 500)
        assert error.maybe_sent
        assert now() == pytest.approx(2)
        await other


async def test_a_deadline_that_has_passed_sends_nothing(wire):
    """An item whose time is up before it comes to its request fails, and the server is spared."""
    async with opened(wire) as client:
        session = client._session
        ended = await session.look_up(
            BalanceQuery(member(0)), started=now() - 2, deadline=now() - 1, brake=session.brake
        )
        assert (ended.error.phase, ended.requests, wire.sent) == ("attempt", 0, [])
        assert client.health().ok, "no request was made, so nothing is known of the server"


async def test_waiters_are_served_in_order(wire):
    """First come, first served."""
    wire.answer = lambda _: Slow(0.1)
    async with opened(wire, concurrency=1) as client:
        await asyncio.gather(*(client.get_balance(member(n)) for n in range(10)))
    assert wire.emails == [member(n).email for n in range(10)]


@pytest.mark.parametrize(
    ("place", "step"), [(Semaphore, "release"), (Admission, "leave")], ids=["before", "after"]
)
async def test_a_slot_whose_waiter_was_cancelled_goes_to_the_next(wire, monkeypatch, place, step):
    """A cancel in the turn in which the slot is free, or has just been given, loses no slot."""
    wire.hold()
    async with opened(wire, concurrency=1) as client:
        holder, waiter, other = (
            asyncio.create_task(client.get_balance(member(n))) for n in range(3)
        )
        await settle()
        as_it_is = getattr(place, step)

        def and_cancel(self, *arguments):
            as_it_is(self, *arguments)
            waiter.cancel()

        monkeypatch.setattr(place, step, and_cancel)
        wire.release()
        await asyncio.gather(holder, other)
        assert waiter.cancelled()
    assert wire.emails == [member(0).email, member(2).email]


async def test_slots_come_back_after_a_bug_in_the_transport(wire):
    """Whatever goes through, the slot is released."""
    wire.script.extend([ZeroDivisionError()] * 8)
    async with opened(wire, concurrency=2) as client:
        for _ in range(8):
            with pytest.raises(ZeroDivisionError):
                await client.get_balance(member(0))
        await client.get_balance(member(0))


async def test_a_closed_client_gives_no_slot(wire):
    """A lookup that comes to its slot after the brake was pulled sends nothing."""
    async with opened(wire) as client:
        session = client._session
        session.brake.pull(ClientClosed("over"))
        ended = await session.look_up(
            BalanceQuery(member(0)), started=now(), deadline=None, brake=session.brake
        )
        assert ended.halted
        assert wire.sent == []
