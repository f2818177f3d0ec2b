"""How many permits a process asks for: no more than it can send, since the others want them too."""

import asyncio

import pytest
from attrs import define, field

from altcraft_balance.pace.store import Taken
from altcraft_balance.settings import Limits
from altcraft_balance.shared_rate import SharedRate
from tests.session.fakes import Slow, member, members, opened, settle

RATE = SharedRate.redis("redis://cache", "any", 1000)


@define
class Generous:
    """Grants what it is asked for, and remembers that."""

    asked: list = field(factory=list)

    async def take(self, most):
        self.asked.append(most)
        await asyncio.sleep(0.001)
        return Taken(most)

    async def aclose(self):
        """Nothing to close."""


@pytest.fixture
def store(monkeypatch):
    """The store that clients of this test open."""
    made = Generous()
    monkeypatch.setattr("altcraft_balance.session.session.open_store", lambda *_: made)
    return made


def limits(concurrency):
    return Limits(concurrency, rate_per_s=RATE, adaptive=False)


async def test_permits_are_asked_for_as_there_are_slots(wire, store):
    """However many wait: a permit for which there is no slot would be thrown away."""
    wire.answer = lambda _: Slow(0.5)
    async with opened(wire, limits=limits(4), deadline_s=None) as client:
        await client.get_balances(members(40))
    assert max(store.asked) <= 4
    assert sum(store.asked) == len(wire.sent) == 40


async def test_slots_in_use_are_not_counted(wire, store):
    """With three of four in use, one permit is asked for."""
    wire.answer = lambda _: Slow(5)
    async with opened(wire, limits=limits(4)) as client:
        first = asyncio.create_task(client.get_balances(members(3)))
        await asyncio.sleep(1)
        store.asked.clear()
        then = [asyncio.create_task(client.get_balance(member(n))) for n in range(10, 20)]
        await asyncio.sleep(0.1)
        assert store.asked == [1]
        await asyncio.gather(first, *then)


async def test_permits_are_asked_for_as_many_wait(wire, store):
    """However many slots there are."""
    async with opened(wire, limits=limits(64)) as client:
        calls = [asyncio.create_task(client.get_balance(member(n))) for n in range(3)]
        await settle()
        await asyncio.gather(*calls)
    assert store.asked == [3]
