"""Single flight: closing, bugs and memory; whatever happens, nobody waits in vain."""

import asyncio
import gc

import pytest

from altcraft_balance.errors import ClientClosed
from tests.session.fakes import Slow, http, make_client, member, now, ok, opened, settle

SOON = pytest.approx


def flying(wire, **settings):
    """An open client that shares requests."""
    return opened(wire, single_flight=True, **settings)


def ask(client, **options):
    return asyncio.create_task(client.get_balance(member(0), **options))


async def errors(*calls):
    return await asyncio.gather(*calls, return_exceptions=True)


def assert_no_flights(client):
    assert not client._session.flights._flights


# ── closing and bugs ─────────────────────────────────────────────────────────────────────────


async def test_closing_ends_who_waits_and_lets_the_wire_finish(wire, caplog):
    """Who waits for the next request hears ClientClosed at once; who is aboard has its answer."""
    wire.script.append(Slow(5))
    client = make_client(wire, single_flight=True)
    await client.open()
    aboard = [ask(client), ask(client, deadline_s=3), ask(client)]
    await asyncio.sleep(1)
    waits = ask(client)
    await asyncio.sleep(1)
    closing = asyncio.create_task(client.aclose(grace_s=10))
    with pytest.raises(ClientClosed) as caught:
        await waits
    assert (now(), caught.value.elapsed_s, caught.value.maybe_sent) == (2, SOON(1), False)
    ends = await errors(*aboard)
    await closing
    assert [type(end).__name__ for end in ends] == ["Balance", "DeadlineExceeded", "Balance"]
    assert (now(), len(asyncio.all_tasks())) == (SOON(5), 1)
    assert not caplog.records


@pytest.mark.parametrize("grace_s", [0, 3])
@pytest.mark.parametrize("turns", [0, 5])
async def test_what_outlasts_the_grace_is_cut_off(wire, grace_s, turns, caplog):
    """All callers hear ClientClosed, whatever their deadlines and however slow the cut is."""
    wire.hold()
    send = wire.send

    async def send_and_linger(*arguments, **options):
        try:
            return await send(*arguments, **options)
        finally:
            for _ in range(turns):
                await asyncio.sleep(0)

    wire.send = send_and_linger
    client = make_client(wire, single_flight=True)
    await client.open()
    calls = [ask(client, deadline_s=s) for s in (10, 20, None)]
    await settle()
    await client.aclose(grace_s=grace_s)
    ends = await errors(*calls)
    assert [type(end) for end in ends] == [ClientClosed] * 3
    assert all(end.maybe_sent for end in ends)
    await settle()
    gc.collect()
    assert len(asyncio.all_tasks()) == 1
    assert_no_flights(client)
    assert not caplog.records


@pytest.mark.parametrize("bug", [RuntimeError("bug"), TimeoutError("bug"), KeyError("bug")])
@pytest.mark.parametrize("cancelled", [None, 0, 1])
async def test_a_bug_reaches_every_caller_and_leaves_nothing(wire, bug, cancelled, caplog):
    """Also who waits for the next; one cancelled in the same turn leaves no warning."""
    wire.script.append(Slow(1, bug))
    async with flying(wire) as client:
        calls = [ask(client), ask(client)]
        await settle()
        calls.append(ask(client))
        if cancelled is not None:
            asyncio.get_running_loop().call_at(1, calls[cancelled].cancel)
        ends = await errors(*calls)
        if cancelled is not None:
            assert isinstance(ends.pop(cancelled), asyncio.CancelledError)
        assert all(end is bug for end in ends)
        assert_no_flights(client)
        await client.get_balance(member(0))
    gc.collect()
    assert not caplog.records


async def test_a_lookup_that_is_killed_leaves_nobody_waiting(wire):
    """Somebody cancels all tasks but the callers': they are cancelled too, and do not hang."""
    wire.hold()
    async with flying(wire) as client:
        calls = [ask(client, deadline_s=None) for _ in range(2)]
        await settle()
        for task in asyncio.all_tasks():
            if task.get_name() == "altcraft_balance flight":
                task.cancel()
        ends = await errors(*calls)
        assert [type(end) for end in ends] == [asyncio.CancelledError] * 2
        assert_no_flights(client)
        wire.release()


# ── memory ───────────────────────────────────────────────────────────────────────────────────


async def test_nothing_grows(wire):
    """Ten thousand shared lookups, failures and cancels among them, leave no objects behind."""
    async with flying(wire, max_attempts=1) as client:

        async def some():
            wire.script.extend([http(500), ok()])
            calls = [asyncio.create_task(client.get_balance(member(n % 2))) for n in range(20)]
            await asyncio.sleep(0)
            calls[7].cancel()
            await errors(*calls)
            wire.sent.clear()

        for _ in range(50):
            await some()
        gc.collect()
        before = len(gc.get_objects())
        for _ in range(500):
            await some()
        gc.collect()
        assert len(gc.get_objects()) - before < 200
        assert client.stats().failed["http_status"] > 100
