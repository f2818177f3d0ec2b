"""A rate from a store, in virtual time: no permit is used twice, and nobody waits for ever."""

import asyncio
import itertools
import logging

import pytest
from attrs import define, field

from altcraft_balance.errors import DeadlineExceeded
from altcraft_balance.models import Found
from altcraft_balance.pace.store import LONGEST_TAKE_S, StoreAway, Taken
from altcraft_balance.settings import Limits
from altcraft_balance.shared_rate import SharedRate
from altcraft_balance.telemetry.events import RateStoreChanged
from tests.session.fakes import Slow, broken, make_client, member, members, now, ok, opened, settle

RATE = SharedRate.redis("redis://cache", "any", 100, workers=10)
CANARY = ZeroDivisionError("canary-5f1e")


@define
class FakeStore:
    """Gives up to `portion` permits a take, 10 ms after it was asked.

    Attributes:
        answer: gives what comes of a take, or an exception, in the place of that.
    """

    portion: int = 4
    takes_s: float = 0.01
    answer: object = None
    granted: list = field(factory=list)
    asked: int = 0
    closed: int = 0

    async def take(self, most):
        self.asked += 1
        await asyncio.sleep(self.takes_s)
        taken = Taken(min(most, self.portion)) if self.answer is None else self.answer(most)
        if isinstance(taken, BaseException):
            raise taken
        self.granted.append((now(), taken.granted))
        return taken

    async def aclose(self):
        self.closed += 1

    def granted_since(self, moment):
        return sum(count for at, count in self.granted if at >= moment)


@pytest.fixture
def store(monkeypatch):
    """The store that clients of this test open."""
    made = FakeStore()
    monkeypatch.setattr("altcraft_balance.session.session.open_store", lambda *_: made)
    return made


def limits(rate=RATE):
    return Limits(64, rate_per_s=rate, adaptive=False)


def sent_within(wire, begin, end):
    return sum(begin <= sent.at < end for sent in wire.sent)


async def test_free_repeats_while_permits_are_fetched_are_made_up_for(wire, store):
    """However many go out without a permit, there are never more requests than permits."""
    store.portion = 16
    wire.answer = lambda sent: (
        ok() if sent.fresh or sent.number % 2 else Slow(0.004, broken(reused=True))
    )
    async with opened(wire, limits=limits()) as client:
        await client.get_balances(members(500))
        assert client.stats().free_repeats > 100
        wire.answer = lambda _: ok()
        await asyncio.sleep(1)
        await client.get_balance(member(0))
    assert len(wire.sent) <= store.granted_since(0)


async def test_permits_that_lay_about_are_thrown_away(wire, store):
    """The second that they were for is over."""
    store.portion = 64
    store.answer = lambda _: Taken(5)
    async with opened(wire, limits=limits()) as client:
        for _ in range(10):
            began = now()
            await client.get_balance(member(0))
            await client.get_balances(members(5))
            assert sent_within(wire, began, now() + 1) <= store.granted_since(began)
            await asyncio.sleep(1)


async def test_come_again_at_once_is_no_spin(wire, store):
    """A store that has nothing and does not say for how long is asked each millisecond."""
    store.takes_s = 0
    store.answer = lambda _: Taken(3) if now() >= 1 else Taken(0, 0.0)
    async with opened(wire, limits=limits()) as client:
        outcomes = await client.get_balances(members(3))
        assert all(isinstance(outcome, Found) for outcome in outcomes)
        assert now() == pytest.approx(1, abs=0.01)
        assert store.asked <= 1100


async def test_a_cancelled_rate_task_hangs_nobody(wire, store):
    """Whoever cancels all tasks of a loop cancels this one as well: it is begun anew."""
    async with opened(wire, limits=limits()) as client:
        run = asyncio.create_task(client.get_balances(members(50)))
        for _ in range(5):
            await asyncio.sleep(0.015)
            for task in asyncio.all_tasks():
                if task.get_name() == "altcraft_balance rate":
                    task.cancel()
        await asyncio.wait([run], timeout=10)
        assert run.done()
        assert now() < 5


async def test_a_store_that_hangs_holds_no_caller_for_ever(wire, store):
    """A hasty call ends at its deadline, which says what it waited for; others go on; it closes."""
    store.takes_s = 1e6
    async with opened(wire, limits=limits()) as client:
        with pytest.raises(DeadlineExceeded) as caught:
            await client.get_balance(member(0), deadline_s=0.1)
        assert (caught.value.phase, now(), wire.sent) == ("rate", pytest.approx(0.1), [])
        await client.get_balance(member(0), deadline_s=0.2)
    assert store.closed == 1


@pytest.mark.parametrize("trouble", [StoreAway("gone"), CANARY], ids=["away", "bug"])
async def test_away_and_back(wire, store, caplog, trouble):
    """Its share meanwhile, and while the others may not know that it is back; said once each."""
    caplog.set_level(logging.INFO, "altcraft_balance")
    store.answer = lambda most: trouble if 2 <= now() < 20 else Taken(min(most, 4))
    store.takes_s, events = 0.04, []  # 4 in 40 ms: the whole rate

    def hear(event):
        if isinstance(event, RateStoreChanged):
            events.append((now(), event.away, event.rate_per_s))

    async with opened(wire, limits=limits(), on_event=hear) as client:
        run = asyncio.create_task(client.get_balances(members(1200)))
        await asyncio.sleep(10)
        assert client.stats().rate_per_s == 10
        await asyncio.sleep(25)
        assert client.stats().rate_per_s == 100
        outcomes = await run
    assert all(isinstance(outcome, Found) for outcome in outcomes)
    [(gone_at, *gone), (back_at, *back)] = events
    assert (gone, back) == ([True, 10], [False, 100])
    assert 2 <= gone_at < 2.2
    assert 20 <= back_at < 20 + 5.1
    assert sent_within(wire, gone_at, back_at) == pytest.approx((back_at - gone_at) * 10, abs=2)
    whole_at = back_at + 5 + LONGEST_TAKE_S
    assert 45 <= sent_within(wire, back_at, whole_at) <= 71  # it waits for permits as well
    assert sent_within(wire, whole_at, whole_at + 1) > 80
    assert [("away" in line, "back" in line) for line in caplog.messages] == [
        (True, False),
        (False, True),
    ]
    assert "canary" not in caplog.text


async def test_the_share_begins_after_a_lull(wire, store):
    """What was granted last was for this second: for a tenth of it nothing is sent."""
    store.answer = lambda most: StoreAway("gone") if now() >= 2 else Taken(min(most, 4))
    store.takes_s, gone_at = 0.04, []

    def hear(event):
        if isinstance(event, RateStoreChanged):
            gone_at.append(now())

    alone = SharedRate.redis("redis://cache", "any", 100, workers=1)
    async with opened(wire, limits=limits(alone), on_event=hear) as client:
        await client.get_balances(members(300))
    [began] = gone_at
    assert sent_within(wire, began, began + 0.1) == 0
    assert sent_within(wire, began + 0.1, began + 0.2) == pytest.approx(10, abs=1)


async def test_a_mistake_that_stays_is_said_once(wire, store, caplog):
    """A wrong password is asked with every 5 s, as long as there is work, and told no more."""
    caplog.set_level(logging.INFO, "altcraft_balance")
    store.answer = lambda _: StoreAway("WRONGPASS invalid username-password pair")
    async with opened(wire, limits=limits(), deadline_s=None) as client:
        await client.get_balances(members(600))
    assert store.asked == pytest.approx(60 / 5, abs=1)
    [said] = caplog.messages
    assert "is away (WRONGPASS" in said


@pytest.mark.parametrize("end", ["error", "cancelled", "well"])
async def test_closing_lets_go_of_the_store(wire, store, monkeypatch, end):
    """While it is being asked, and whatever becomes of the transport."""
    before, store.takes_s = asyncio.all_tasks(), 1.0

    async def broken_aclose():
        if end == "error":
            raise ZeroDivisionError
        if end == "cancelled":
            await asyncio.sleep(9)

    monkeypatch.setattr(wire, "aclose", broken_aclose)
    client = make_client(wire, limits=limits())
    await client.open()
    calls = [asyncio.create_task(client.get_balance(member(n))) for n in range(9)]
    await settle()
    closing = asyncio.create_task(client.aclose())
    await asyncio.sleep(0.1)
    closing.cancel()
    await asyncio.wait([closing, *calls])
    assert store.closed == 1
    assert asyncio.all_tasks() <= before
    if end == "error":
        assert isinstance(closing.exception(), ZeroDivisionError)


@pytest.mark.parametrize("grace_s", [0, 0.001, 5])
@pytest.mark.parametrize("turns", range(8))
async def test_a_closed_client_asks_no_more(wire, store, grace_s, turns):
    """No task, no timer and no request is left, however short its grace and whatever waits."""
    before = asyncio.all_tasks()
    client = make_client(wire, limits=limits())
    await client.open()
    run = asyncio.create_task(client.get_balances(members(100)))
    calls = [asyncio.create_task(client.get_balance(member(n))) for n in range(9)]
    for _ in range(turns):
        await asyncio.sleep(0)
    await client.aclose(grace_s=grace_s)
    asked, sent = store.asked, len(wire.sent)
    await asyncio.wait([run, *calls])
    await asyncio.sleep(10)
    assert (store.closed, store.asked, len(wire.sent)) == (1, asked, sent)
    assert asyncio.all_tasks() <= before


@pytest.mark.parametrize(("burst", "at_once"), [(100, 5), (10, 1), (None, 1)])
async def test_a_split_burst_is_split_as_well(wire, burst, at_once):
    """Each of 20 processes has its part of the rate, and of what may follow at once."""
    rate = SharedRate.split(200, workers=20)
    settings = Limits(64, rate_per_s=rate, burst=burst, adaptive=False)
    async with opened(wire, limits=settings) as client:
        await client.get_balances(members(21))
    times = [sent.at for sent in wire.sent]
    assert sum(at < 0.001 for at in times) == at_once
    gaps = [later - earlier for earlier, later in itertools.pairwise(times[at_once:])]
    assert gaps == [pytest.approx(0.1, abs=0.001)] * (20 - at_once)
