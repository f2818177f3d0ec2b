"""An await that is begun at once goes on as if it had been awaited from the first."""

import asyncio

import pytest

from altcraft_balance.batch.begun import Begun, begin


async def test_what_need_not_wait_is_there_at_once():
    """Also from an async generator."""

    async def numbers():
        yield 1

    async def two():
        return 2

    generator = numbers()
    assert begin(anext(generator)) == 1
    assert begin(anext(generator, "end")) == "end"
    assert begin(two()) == 2


async def test_what_raises_at_once_raises_at_once():
    """It was not begun then."""

    async def broken():
        raise ValueError("bad row")

    with pytest.raises(ValueError, match="bad row"):
        begin(broken())


async def test_the_rest_is_awaited():
    """Over as many waits as there are, with what they give and raise."""

    async def slow():
        first = await asyncio.sleep(0, 1)
        try:
            async with asyncio.timeout(0):
                await asyncio.Future()
        except TimeoutError:
            second = await asyncio.sleep(0, 2)
        return first, second

    begun = begin(slow())
    assert isinstance(begun, Begun)
    assert await begun == (1, 2)


async def test_a_cancel_while_it_is_awaited_is_its_own_to_handle():
    """It cleans up before it goes on."""
    steps = []

    async def slow():
        try:
            await asyncio.Future()
        except asyncio.CancelledError:
            steps.append(await asyncio.sleep(0, "cleaned up"))
            raise

    async def wait(begun):
        await begun

    waiting = asyncio.create_task(wait(begin(slow())))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert steps == ["cleaned up"]


@pytest.mark.parametrize("waits_again", [False, True])
async def test_what_nobody_awaits_is_cancelled(waits_again):
    """In one step: nobody is there for another wait."""
    ended = []

    async def slow():
        try:
            await asyncio.Future()
        finally:
            ended.append(True)
            if waits_again:
                await asyncio.sleep(0)

    begin(slow()).cancel()
    assert ended == [True]
