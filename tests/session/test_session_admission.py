"""Who goes next: by rank, then in order of arrival; with one timer, and nothing held meanwhile."""

import asyncio
import logging
from itertools import pairwise

import pytest

from altcraft_balance.session.passes import Pass
from tests.session.fakes import (
    Slow,
    cancelled_at_every_turn,
    http,
    member,
    members,
    now,
    ok,
    opened,
    settle,
    throttled,
)


def calls(client, numbers, **options):
    return [asyncio.create_task(client.get_balance(member(n), **options)) for n in numbers]


def batch(client, numbers, **options):
    return asyncio.create_task(client.get_balances([member(n) for n in numbers], **options))


def timers():
    """The timers of the running loop that are set."""
    return [handle for handle in asyncio.get_running_loop()._scheduled if not handle.cancelled()]


def emails(*numbers):
    return [member(number).email for number in numbers]


async def test_calls_go_first_then_repeats_then_new_items(wire):
    """Whoever came first; and within each in the order in which they came."""
    wire.script.extend([http(500), http(500), Slow(5)])
    async with opened(wire, concurrency=1) as client:
        run = batch(client, range(8))
        await asyncio.sleep(1)  # two have slept and wait for the slot again
        late = calls(client, (20, 21))
        await asyncio.gather(run, *late)
    assert wire.emails == emails(0, 1, 2, 20, 21, 0, 1, 3, 4, 5, 6, 7)


async def test_a_throttled_item_does_not_go_before_others(wire):
    """It failed at nothing: it keeps the rank of an item, and those who wait were there before."""
    wire.script.append(Slow(1, throttled(1)))
    async with opened(wire, concurrency=1) as client:
        await asyncio.gather(batch(client, [0]), batch(client, range(1, 4)))
    assert sorted(wire.emails[1:]) == sorted(emails(0, 1, 2, 3))
    assert wire.emails[1] == member(1).email


async def test_a_call_is_not_stuck_behind_a_batch(wire):
    """Once calls come, the batch leaves room for the next of them."""
    wire.answer = lambda _: Slow(1)
    async with opened(wire, concurrency=8) as client:
        run = batch(client, range(80))
        await asyncio.sleep(0.5)
        began = now()
        await client.get_balance(member(100))
        assert now() - began == pytest.approx(1.5), "behind the page that was on the wire"
        for _ in range(5):
            began = now()
            await client.get_balance(member(101))
            assert now() - began == pytest.approx(1), "with a slot that was kept for it"
        await run
    assert wire.most_out == 8


async def test_nobody_holds_a_slot_while_waiting(wire):
    """Not for the gate, and not for the end of a backoff."""
    wire.script.extend([http(500, retry_after="20"), throttled(30)])
    async with opened(wire, concurrency=2, deadline_s=99) as client:
        waiting = calls(client, range(6))
        await asyncio.sleep(1)
        stats = client.stats()
        assert (stats.slots_in_use, wire.out, stats.in_progress) == (0, 0, 6)
        # By the first thing that stood in their way.
        assert dict(stats.waiting) == {"slot": 2, "gate": 3, "backoff": 1}
        await asyncio.gather(*waiting)


@pytest.mark.parametrize("count", [1, 10, 500])
async def test_one_timer_serves_all_who_wait(wire, count):
    """For whatever they wait."""
    wire.script.extend([http(500, retry_after="20"), throttled(30)])
    async with opened(wire, concurrency=2, deadline_s=None) as client:
        before = len(timers())
        waiting = calls(client, range(2 + count))
        await asyncio.sleep(1)
        assert len(timers()) == before + 1
        await asyncio.gather(*waiting)
        assert wire.most_out <= 2
    assert not timers()


async def test_nobody_sends_while_the_gate_is_closed(wire):
    """Also not those to whom a slot was given in the very turn in which it closes."""
    replies = [Slow(1), Slow(1), Slow(1, throttled(10)), Slow(1)]
    wire.answer = lambda sent: replies[sent.number] if sent.number < 4 else ok()
    async with opened(wire, concurrency=4) as client:
        await asyncio.gather(*calls(client, range(12)))
    assert [sent.at for sent in wire.sent[:4]] == [0.0] * 4
    assert min(sent.at for sent in wire.sent[4:]) >= 11
    assert len(wire.sent) == 13


async def test_a_probe_does_not_pass_a_gate_that_closes_in_its_turn(wire):
    """The breaker lets its probe go, but the gate stops it as it stops everybody."""
    async with opened(wire) as client:
        session = client._session
        breaker = session.traffic.breaker
        while not breaker.failed(now(), probe=False, draw=0.0, replied=True):
            pass
        run = batch(client, range(3))
        await settle()
        breaker._probe_at = now()
        session.admission.pump()
        assert breaker.state.value == "probing"
        late = Pass(call=False)
        session.traffic.throttled(late, now(), sent_at=now(), asked_s=10, draw=0.0)
        outcomes = await run
    assert {type(outcome).__name__ for outcome in outcomes} == {"Found"}
    assert min(sent.at for sent in wire.sent) >= 10


async def test_those_who_waited_at_the_gate_do_not_come_as_a_herd(wire):
    """They are let through over the second after it opens, in their order."""
    wire.script.append(throttled(5))
    async with opened(wire, concurrency=32, draw=0.5) as client:
        first = calls(client, [0])
        await settle()
        await asyncio.gather(*first, *calls(client, range(1, 20)))
    times = [sent.at for sent in wire.sent[1:]]
    gaps = [b - a for a, b in pairwise(times)]
    assert times[0] == pytest.approx(5.05)
    assert gaps == [pytest.approx(1 / 20, abs=1e-5)] * 19
    assert wire.emails == emails(0, *range(20))


async def test_one_who_waited_alone_holds_up_nobody(wire):
    """After its turn the next call goes at once."""
    wire.script.append(throttled(5))
    async with opened(wire) as client:
        await client.get_balance(member(0))
        began = now()
        await client.get_balance(member(1))
        assert now() == began


async def test_a_pause_begins_anew_for_those_who_were_let_through(wire):
    """A second wish reaches everybody who has not sent."""
    wire.script.extend([throttled(2), throttled(3)])
    async with opened(wire, concurrency=1, draw=0.0) as client:
        await asyncio.gather(*calls(client, range(5)))
    times = [sent.at for sent in wire.sent]
    assert times[:3] == [0.0, pytest.approx(2), pytest.approx(5)]
    assert len(times) == 7


async def test_what_is_under_way_when_the_client_closes_leaves_no_timer(wire):
    """Nor a word in the log."""
    wire.script.append(throttled(60))
    async with opened(wire, concurrency=1, deadline_s=None) as client:
        waiting = [*calls(client, range(3)), batch(client, range(5))]
        await settle()
        await client.aclose()
        assert not timers()
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(end).__name__ for end in ends] == ["ClientClosed"] * 3 + ["list"]


def test_a_wait_may_be_cancelled_at_every_turn(caplog):
    """Behind a slot, the gate, a backoff, the pace and the budget: nothing is left of it."""
    caplog.set_level(logging.WARNING)

    async def scenario(wire, client):
        client._session.traffic.budget.tokens = 14
        wire.script.extend([Slow(1), Slow(1), http(500), throttled(2), http(500), http(500)])
        await asyncio.gather(
            *(client.get_balance(member(n)) for n in range(3)),
            client.get_balances(members(6)),
            return_exceptions=True,
        )

    async def afterwards(wire, client):
        session = client._session
        await asyncio.sleep(60)
        wire.script.clear()
        wire.hold()
        two = calls(client, range(2))
        await settle()
        assert (wire.out, session.traffic.slots.in_use) == (2, 2)
        wire.release()
        await asyncio.gather(*two)
        assert not any(session.admission._queues)
        assert not session.admission._asleep

    assert cancelled_at_every_turn(scenario, afterwards) > 20
    assert not caplog.records
