"""What is owed to a learnt rate: it never stops a batch for long on a server that is well."""

import asyncio
import math
from itertools import pairwise

import pytest

from altcraft_balance.models import Found
from altcraft_balance.policy.rate import AdaptiveRate
from altcraft_balance.sandbox.quota import Quota
from altcraft_balance.session.passes import Rank
from altcraft_balance.session.traffic import Traffic
from altcraft_balance.settings import Limits
from tests.session.fakes import Slow, http, member, members, now, ok, opened, throttled

pytestmark = pytest.mark.no_cover  # it would take four times as long


class FixedRate(AdaptiveRate):
    """A learnt rate that is what the test says."""

    per_s = 10.0

    def limit(self, now):
        return self.per_s


@pytest.fixture
def traffic():
    """A client's policies, with a rate of 10 a second."""
    made = Traffic(Limits(64), tell=lambda _: None)
    made.rate = FixedRate()
    return made


def wait_s(traffic, moment):
    obstacle = traffic.obstacle(Rank.ITEM, moment)
    return 0.0 if obstacle is None else obstacle.wait_s


def send(traffic, rank, moment):
    traffic.admit(rank, moment, lambda: 0.5, lambda: 0)
    traffic.slots.release()


def longest_silence(sent):
    return max(later.at - earlier.at for earlier, later in pairwise(sent))


def test_what_is_sent_while_nothing_limits_is_not_owed(traffic):
    """A limit that comes back counts from then on."""
    assert wait_s(traffic, 0.0) == 0.0
    traffic.rate.per_s = math.inf
    for number in range(2000):
        assert wait_s(traffic, number / 1000) == 0.0
        send(traffic, Rank.ITEM, number / 1000)
    traffic.rate.per_s = 10.0
    assert wait_s(traffic, 2.0) <= 0.1


@pytest.mark.parametrize(("per_s", "most_s"), [(2, 2.0), (10, 0.8), (500, 0.016)])
def test_a_batch_waits_a_second_or_eight_turns_for_what_calls_owe(traffic, per_s, most_s):
    """They do not wait for the rate; the batch does, but its eighth is left to it."""
    traffic.rate.per_s = per_s
    assert wait_s(traffic, 0.0) == 0.0
    send(traffic, Rank.ITEM, 0.0)
    for _ in range(5000):
        send(traffic, Rank.CALL, 0.0)
    assert most_s / 2 <= wait_s(traffic, 0.0) <= most_s + 1e-9
    assert wait_s(traffic, most_s) == 0.0


async def test_a_pause_after_a_long_fast_stream_is_no_freeze(wire):
    """What went while nothing limited it has no price, however much it was."""
    wire.script.append(throttled(1))
    async with opened(wire) as client:
        for number in range(40):  # so light that the limit soon goes
            await client.get_balances([member(number)])
            await asyncio.sleep(0.3)
        assert client.stats().rate_per_s is None
        began = len(wire.sent)
        wire.answer = lambda sent: throttled(1) if sent.number == began + 10_000 else Slow(0.01)
        outcomes = await client.get_balances(members(10_500))
    assert all(isinstance(outcome, Found) for outcome in outcomes)
    assert client.stats().throttled == 2
    assert longest_silence(wire.sent[began:]) < 3


@pytest.mark.parametrize("minutes", [1, 5])
async def test_a_batch_after_minutes_of_calls_takes_seconds(wire, minutes):
    """However far above the learnt rate the calls were."""
    quota = Quota(20, 20)
    wire.answer = lambda sent: Slow(0.05) if quota.take(sent.at) else throttled(1)
    async with opened(wire, limits=Limits(64)) as client:
        await client.get_balances(members(400))
        assert 10 < client.stats().rate_per_s < 40
        wire.answer = lambda _: ok()
        for number in range(minutes * 60 * 20):
            await asyncio.gather(*(client.get_balance(member(number)) for _ in range(5)))
            await asyncio.sleep(0.05)
        began = now()
        outcomes = await client.get_balances(members(5))
        assert all(isinstance(outcome, Found) for outcome in outcomes)
        assert now() - began < 4


async def test_a_batch_beside_calls_that_never_end_still_comes_through(wire):
    """Calls at twice the learnt rate leave it an eighth."""
    async with opened(wire, limits=Limits(64)) as client:
        client._session.traffic.rate = FixedRate()
        await client.get_balances([member(0)])

        async def keep_calling():
            while True:
                await client.get_balance(member(1))
                await asyncio.sleep(0.05)

        calls = asyncio.create_task(keep_calling())
        run = asyncio.create_task(client.get_balances(members(10)))
        await asyncio.wait([run], timeout=60)
        calls.cancel()
        assert run.done(), "starved"


async def test_a_probe_does_not_wait_for_the_learnt_rate(wire):
    """It goes when the breaker has it due: a server that is back is found as soon as ever."""
    async with opened(wire, limits=Limits(64), max_attempts=1) as client:
        rate = client._session.traffic.rate = FixedRate()
        rate.per_s = 0.25
        await client.get_balances([member(0)])
        wire.answer = lambda _: http(500)
        calls = (client.get_balance(member(n)) for n in range(20))
        await asyncio.gather(*calls, return_exceptions=True)
        assert client.health().breaker == "open"
        opened_at, wire.answer = now(), lambda _: ok()
        [outcome] = await client.get_balances([member(1)])
        assert isinstance(outcome, Found)
        test = wire.sent[-2]
        assert test.email == member(0).email
        assert test.at - opened_at == pytest.approx(1.5, abs=0.01)
