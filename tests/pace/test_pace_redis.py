"""What is Redis's own: two rates for one name are told, and the hash goes when nobody uses it."""

import asyncio

import pytest

from altcraft_balance.pace.store import open_store
from altcraft_balance.shared_rate import SharedRate

pytestmark = pytest.mark.server


@pytest.fixture
def said(caplog):
    """What was logged so far, and forgotten when asked for."""

    def since():
        lines = list(caplog.messages)
        caplog.clear()
        return lines

    return since


async def used_in_turn(*stores):
    """Each takes a permit some times, at once after the other and with its clock gone stale."""
    for store in stores * 3:
        store._clock.forget()
        await store.take(1)


async def test_two_rates_for_one_name_are_told(redis_server, opened, said):
    """By each of the processes once: neither rate is kept."""
    await used_in_turn(opened(redis_server.url, 2), opened(redis_server.url, 3))
    assert ["2:" in line for line in sorted(said())] == [True, False]


async def test_processes_that_agree_say_nothing(redis_server, opened, said):
    """Nor does one whose rate was changed when the others were gone."""
    await used_in_turn(opened(redis_server.url, 2), opened(redis_server.url, 2.0))
    assert said() == []


async def test_a_rate_that_nobody_uses_is_forgotten(redis_server, opened, said):
    """Once the processes with the old rate are gone, a new one finds nothing to say."""
    await used_in_turn(opened(redis_server.url, 2), opened(redis_server.url, 3))
    said()
    await used_in_turn(opened(redis_server.url, 3))
    assert said() == []


async def test_the_hash_goes_when_nobody_uses_it(redis_server, name):
    """It is worth nothing once the bucket is full again, and says so to Redis."""
    from redis.asyncio import Redis

    store = open_store(SharedRate.from_url(redis_server.url, 200, name=name))
    await store.take(1)
    await asyncio.sleep(0.2)
    async with Redis.from_url(redis_server.url) as redis:
        assert not await redis.exists(f"altcraft-balance:rate:{name}")
    await store.aclose()


async def test_a_take_cancelled_while_it_asks_for_the_time_harms_nobody(redis_server, opened):
    """At whatever moment, the next one works."""
    store = opened(redis_server.url, 1000, burst=1000)
    for turns in range(12):
        store._clock.forget()
        task = asyncio.create_task(store.take(64))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert (await store.take(1)).granted == 1
