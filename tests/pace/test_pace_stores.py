"""Permits from a real Redis and a real PostgreSQL."""

import asyncio
import time

import pytest

from altcraft_balance.pace.store import Taken

pytestmark = pytest.mark.server


async def all_there_are(store, most=64):
    """What the bucket gives without a wait, and what it says when it gives no more."""
    granted = 0
    while True:
        taken = await store.take(most)
        if not taken.granted:
            return granted, taken
        granted += taken.granted


async def test_a_take_brings_no_more_than_was_asked_for(server, opened):
    """One permit when one is asked for, and a portion of a second's when many are."""
    store = opened(server.url, 1000, burst=50)
    assert await store.take(1) == Taken(granted=1, retry_after_s=0)
    assert await store.take(3) == Taken(granted=3, retry_after_s=0)
    assert await store.take(10_000) == Taken(granted=20, retry_after_s=0)


async def test_an_empty_bucket_says_when_to_ask_again(server, opened):
    """Nothing is granted, and after the wait that goes with it there is a permit."""
    store = opened(server.url, 9)
    assert (await store.take(5)).granted == 1
    refused = await store.take(5)
    assert refused.granted == 0
    assert 0 < refused.retry_after_s <= 0.12
    await asyncio.sleep(refused.retry_after_s)
    assert (await store.take(5)).granted == 1


async def test_a_burst_is_shared(server, opened):
    """After a rest the bucket gives its burst once, to all processes together."""
    first, second = (opened(server.url, 0.5, burst=6) for _ in range(2))
    granted = [(await store.take(64)).granted for store in (first, second) * 4]
    assert sum(granted) == 6
    assert set(granted) <= {0, 1}


async def test_a_name_is_a_bucket(server, opened, name):
    """Who gives the same name shares a bucket, in whatever case; another name is another one."""
    assert (await opened(server.url, 0.5).take(1)).granted == 1
    assert (await opened(server.url, 0.5, name=name.upper()).take(1)).granted == 0
    assert (await opened(server.url, 0.5, name=f"{name}_2").take(1)).granted == 1


@pytest.mark.parametrize("per_s", [1e-9, 0.5, 7.5, 100_000, 1e9])
async def test_any_rate_will_do(server, opened, per_s):
    """From one permit in thirty years to a billion in a second."""
    store = opened(server.url, per_s)
    granted, refused = await all_there_are(store) if per_s < 10 else (1, await store.take(64))
    assert granted == 1
    assert refused.granted == (0 if per_s < 10 else 64)


@pytest.mark.parametrize("per_s", [0.01, 50])
async def test_a_wait_is_as_long_as_the_rate_asks_for(server, opened, per_s):
    """A permit of a slow rate is waited for long, of a fast one some milliseconds."""
    store = opened(server.url, per_s, burst=1)
    started = time.monotonic()
    assert (await store.take(1)).granted == 1
    refused = await store.take(1)
    assert refused.granted == 0
    passed_s = time.monotonic() - started
    assert 1 / per_s - passed_s <= refused.retry_after_s <= 1.05 / per_s


async def test_a_cancelled_take_harms_nobody(server, opened):
    """Cancelled at whatever moment, the next take works."""
    store = opened(server.url, 1000, burst=1000)
    await store.take(1)
    for turns in range(12):
        task = asyncio.create_task(store.take(64))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert (await store.take(1)).granted == 1


async def test_a_store_closes_twice_and_unused(server, opened):
    """Closing needs no connection, and may be repeated."""
    await opened(server.url).aclose()
    store = opened(server.url)
    await store.take(1)
    await store.aclose()
    await store.aclose()
