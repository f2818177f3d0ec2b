"""A cancel at every await point of a lookup leaves nothing behind."""

import asyncio
import uuid

import pytest

from tests.session.fakes import (
    Slow,
    broken,
    cancelled_at_every_turn,
    http,
    make_client,
    member,
    now,
    ok,
    opened,
    settle,
    throttled,
)


async def still_works(wire, client):
    """Both slots can be used at once, as soon as the gate has opened."""
    wire.script.clear()
    await asyncio.sleep(60)
    wire.hold()
    calls = [asyncio.create_task(client.get_balance(member(n))) for n in range(2)]
    await settle()
    assert wire.out == 2
    wire.release()
    await asyncio.gather(*calls)


async def fresh_token():
    """Another token each time."""
    await asyncio.sleep(0.1)
    return f"token-{uuid.uuid4().hex}"


def test_a_lookup_may_be_cancelled_at_every_turn():
    """Slot, request, free repeat, new token, pause, backoff: no task, slot or count is left."""

    async def scenario(wire, client):
        wire.script.extend([Slow(1), Slow(1)])
        others = [asyncio.create_task(client.get_balance(member(n))) for n in (1, 2)]
        try:
            await asyncio.sleep(0.5)
            replies = [broken(reused=True), http(401), throttled(1), http(500), Slow(1, ok())]
            wire.script.extend(replies)
            await client.get_balance(member(0))
        finally:
            for other in others:
                other.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    assert cancelled_at_every_turn(scenario, still_works, token=fresh_token) > 15


@pytest.mark.parametrize("grace_s", [0, 5])
async def test_a_lookup_may_be_cancelled_while_its_client_closes(wire, grace_s):
    """The drain ends when the last lookup has ended, however it ended."""
    wire.hold()
    client = make_client(wire)
    await client.open()
    call = asyncio.create_task(client.get_balance(member(0)))
    await settle()
    closing = asyncio.create_task(client.aclose(grace_s=grace_s))
    await asyncio.sleep(0)
    call.cancel()
    await closing
    await asyncio.wait([call])
    assert now() < 1


async def test_a_cancelled_call_is_cancelled_and_nothing_else(wire):
    """No error of ours stands in for the cancel, and others go on."""
    wire.hold()
    async with opened(wire) as client:
        calls = [asyncio.create_task(client.get_balance(member(n))) for n in range(3)]
        await settle()
        calls[1].cancel()
        wire.release()
        ends = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(ends[1], asyncio.CancelledError)
    assert [end.total_balance for end in (ends[0], ends[2])] == [1000, 1000]


async def test_the_callers_own_timeout_works(wire):
    """`asyncio.timeout` around a call ends it in time, whatever it waits for."""
    wire.hold()
    async with opened(wire, concurrency=1) as client:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await asyncio.gather(*(client.get_balance(member(n)) for n in range(3)))
        assert now() == pytest.approx(3, abs=0.01)
        wire.release()
