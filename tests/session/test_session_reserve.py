"""The slots that a batch leaves to single calls, while these keep coming."""

import asyncio

import pytest

from tests.session.fakes import Slow, member, members, now, opened, settle


async def test_the_end_of_the_reserve_wakes_a_batch(wire):
    """By itself, ten seconds after the last call, though no slot is given back then."""
    async with opened(wire, concurrency=2, attempt_s=200) as client:
        await client.get_balance(member(99))
        wire.answer = lambda _: Slow(100)
        called_at = now()
        run = asyncio.create_task(client.get_balances(members(2)))
        await settle()
        assert (client.stats().slots_in_use, dict(client.stats().waiting)) == (1, {"slot": 1})
        await asyncio.sleep(10.01)
        assert client.stats().slots_in_use == 2
        assert wire.sent[-1].at - called_at == pytest.approx(10, abs=0.01)
        run.cancel()
        await asyncio.wait([run])


@pytest.mark.parametrize(("concurrency", "batch"), [(1, 1), (2, 1), (8, 7), (16, 14), (64, 56)])
async def test_a_batch_beside_calls_leaves_an_eighth(wire, concurrency, batch):
    """One slot at least, unless there is only one; a call finds it at once."""
    async with opened(wire, concurrency=concurrency) as client:
        await client.get_balance(member(99))
        wire.answer = lambda _: Slow(5)
        run = asyncio.create_task(client.get_balances(members(100)))
        await settle()
        assert client.stats().slots_in_use == batch
        run.cancel()
        await asyncio.wait([run])
