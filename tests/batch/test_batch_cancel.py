"""A cancel at every turn of a stream leaves nothing behind."""

import asyncio
from contextlib import suppress

import pytest

from altcraft_balance.errors import AuthenticationError
from tests.session.fakes import (
    Slow,
    api,
    broken,
    cancelled_at_every_turn,
    http,
    member,
    members,
    ok,
    throttled,
)

pytestmark = pytest.mark.no_cover  # it would take four times as long

FAULTS = [ok(), broken(reused=True), Slow(1), http(500), throttled(1), api(400), Slow(2, ok())]


async def as_async(items):
    for item in items:
        await asyncio.sleep(0.01)
        yield item


async def still_works(wire, client):
    """A further batch finds both slots, and no trace of the cancelled one."""
    wire.answer = lambda _: Slow(1)
    sent = len(wire.sent)
    assert len(await client.get_balances(members(4))) == 4
    assert len(wire.sent) == sent + 4
    assert not client._session.brake._below


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("make", [iter, as_async], ids=["plain", "async"])
def test_a_stream_may_be_cancelled_at_every_turn(make, ordered):
    """At its start, while it reads, sends, sleeps, gives and ends."""

    async def scenario(wire, client):
        wire.answer = lambda sent: FAULTS[sent.number % len(FAULTS)]
        source = make(members(12))
        async with client.stream_balances(source, ordered=ordered, run_deadline_s=60) as stream:
            async for _ in stream:
                await asyncio.sleep(0.1)

    assert cancelled_at_every_turn(scenario, still_works) > 20


def test_a_stream_that_ends_early_may_be_cancelled_at_every_turn():
    """Also while what is in flight after a fatal answer comes out."""

    async def scenario(wire, client):
        wire.answer = lambda sent: Slow(1, api(401) if sent.number == 3 else ok())
        with suppress(AuthenticationError):
            async with client.stream_balances(members(40)) as stream:
                async for _ in stream:
                    pass

    assert cancelled_at_every_turn(scenario, still_works) > 5


def test_a_reader_that_leaves_may_be_cancelled_while_it_leaves():
    """The tasks that it waits for are awaited all the same."""

    async def scenario(wire, client):
        wire.answer = lambda sent: Slow(sent.number)
        async with client.stream_balances(as_async(members(40))) as stream:
            async for _ in stream:
                break
        await client.get_balance(member(0))

    assert cancelled_at_every_turn(scenario, still_works) > 5


def test_a_batch_may_be_cancelled_at_every_turn():
    """The list is given up as a whole."""

    async def scenario(wire, client):
        wire.answer = lambda sent: FAULTS[sent.number % len(FAULTS)]
        await client.get_balances(as_async(members(6)))

    assert cancelled_at_every_turn(scenario, still_works) > 10
