"""Single flight: a caller that leaves hurts nobody, and the last one leaves nothing."""

import asyncio
import uuid

import pytest

from tests.session.fakes import (
    Slow,
    broken,
    cancelled_at_every_turn,
    http,
    member,
    ok,
    opened,
    settle,
    throttled,
)


def flying(wire, **settings):
    """An open client that shares requests."""
    return opened(wire, single_flight=True, **settings)


def ask(client, **options):
    return asyncio.create_task(client.get_balance(member(0), **options))


async def errors(*calls):
    return await asyncio.gather(*calls, return_exceptions=True)


def assert_no_flights(client):
    assert not client._session.flights._flights


@pytest.mark.parametrize("victim", [0, 1, 2])
async def test_a_cancelled_caller_only_leaves(wire, victim):
    """Whether it led, had joined, or waits for the next: the others have their answers."""
    wire.script.append(Slow(1))
    async with flying(wire) as client:
        calls = [ask(client), ask(client)]
        await settle()
        calls.append(ask(client))
        await settle()
        calls[victim].cancel()
        ends = await errors(*calls)
        assert [type(end).__name__ for end in ends].count("Balance") == 2
        assert isinstance(ends[victim], asyncio.CancelledError)
        assert len(wire.sent) == (1 if victim == 2 else 2)
        assert client.stats().cancelled == 0


async def test_when_all_have_left_the_lookup_is_cancelled(wire):
    """Nothing is on the wire any more, and no task is left."""
    wire.hold()
    async with flying(wire) as client:
        calls = [ask(client) for _ in range(3)]
        await settle()
        for call in calls:
            call.cancel()
        await errors(*calls)
        await settle()
        assert (wire.out, client.stats().cancelled, client.stats().in_progress) == (0, 1, 0)
        assert len(asyncio.all_tasks()) == 1
        assert_no_flights(client)


@pytest.mark.parametrize("turns", range(6))
async def test_whoever_comes_as_the_last_one_leaves_has_an_answer(wire, turns):
    """In whatever turn of the loop it comes."""
    wire.hold()
    async with flying(wire) as client:
        first = ask(client)
        await settle()
        first.cancel()
        for _ in range(turns):
            await asyncio.sleep(0)
        second = ask(client)
        await settle()
        wire.release()
        await second
        await errors(first)
        assert_no_flights(client)


@pytest.mark.parametrize("turns", range(6))
async def test_whoever_comes_as_the_lookup_ends_has_an_answer(wire, turns):
    """In whatever turn of the loop it comes."""
    wire.hold()
    async with flying(wire) as client:
        first = ask(client)
        await settle()
        wire.release()
        for _ in range(turns):
            await asyncio.sleep(0)
        await asyncio.gather(first, ask(client))
        assert len(wire.sent) == 2


async def test_a_lookup_is_cancelled_once(wire):
    """A second cancel would disturb what the first one has begun to clean up."""
    cleaned, send = [], wire.send

    async def send_and_clean(*arguments, **options):
        try:
            return await send(*arguments, **options)
        except asyncio.CancelledError:
            await asyncio.sleep(0.1)
            cleaned.append(True)
            raise

    def answer(_):
        second.cancel()  # in the turn in which the first call has its answer
        return Slow(60)

    wire.send, wire.answer = send_and_clean, answer
    wire.script.append(Slow(1))
    async with flying(wire) as client:
        first = ask(client)
        await settle()
        second = ask(client)
        await errors(first, second)
        await asyncio.sleep(1)
        assert cleaned == [True]


async def fresh_token():
    """Another token each time."""
    await asyncio.sleep(0.1)
    return f"token-{uuid.uuid4().hex}"


@pytest.mark.parametrize("role", ["alone", "leads", "joins", "waits"])
def test_a_cancel_at_every_turn_leaves_nothing(role):
    """The wait for another, slot, request, free repeat, new token, pause, backoff."""

    async def scenario(wire, client):
        replies = [Slow(1, broken(reused=True)), http(401), throttled(1), http(500), Slow(1, ok())]
        wire.script.extend(replies)
        others = [ask(client)] if role in {"joins", "waits"} else []
        if role == "leads":
            asyncio.get_running_loop().call_soon(lambda: others.append(ask(client)))
        try:
            if role == "waits":
                await asyncio.sleep(0.5)
            await client.get_balance(member(0))
        finally:
            for other in others:
                other.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    async def afterwards(wire, client):
        assert_no_flights(client)
        await asyncio.sleep(30)
        wire.script.clear()
        await client.get_balance(member(0))

    settings = {"token": fresh_token, "single_flight": True}
    assert cancelled_at_every_turn(scenario, afterwards, **settings) > 10
