"""Closing and draining: what becomes of what is under way."""

import asyncio

import pytest

from altcraft_balance.errors import (
    ClientClosed,
    ConfigurationError,
)
from altcraft_balance.models import Failed
from altcraft_balance.secret import Secret
from tests.session.fakes import (
    Slow,
    assert_idle,
    http,
    make_client,
    member,
    members,
    now,
    opened,
    settle,
    used,
)


async def test_what_is_on_the_wire_finishes_within_the_grace(wire):
    """Closing waits for it, and no longer."""
    wire.script.append(Slow(2))
    client = make_client(wire)
    await client.open()
    call = asyncio.create_task(client.get_balance(member(0)))
    await settle()
    await client.aclose(grace_s=10)
    assert now() == pytest.approx(2)
    assert (await call).total_balance == 1000
    assert wire.closed == 1
    assert_idle(client)


@pytest.mark.parametrize("reused", [False, True])
async def test_what_is_on_the_wire_after_the_grace_is_cut(wire, reused):
    """The transport is closed under it; the caller gets `ClientClosed`, and nothing is resent."""
    wire.answer = lambda _: Slow(100)
    wire.reused_when_cut = reused
    client = make_client(wire, attempt_s=100, deadline_s=None)
    await client.open()
    call = asyncio.create_task(client.get_balance(member(0)))
    batch = asyncio.create_task(client.get_balances([member(1)]))
    await settle()
    await client.aclose(grace_s=3)
    assert now() == pytest.approx(3, abs=0.01)
    with pytest.raises(ClientClosed) as caught:
        await call
    assert caught.value.maybe_sent
    assert caught.value.attempts == 1
    [outcome] = await batch
    assert isinstance(outcome, Failed)
    assert outcome.error.kind == "connection_failed"
    assert len(wire.sent) == 2
    assert_idle(client)


async def test_what_waits_ends_at_once(wire):
    """A call without a slot and one that sleeps before a repeat don't use up the grace."""
    wire.script.extend([http(500, retry_after="20"), Slow(5)])
    client = make_client(wire, concurrency=1)
    await client.open()
    asleep, sending, waiting = (
        asyncio.create_task(client.get_balance(member(n))) for n in range(3)
    )
    await settle()
    closing = asyncio.create_task(client.aclose(grace_s=10))
    await settle()
    for call, sent, attempts in ((asleep, True, 1), (waiting, False, 0)):
        assert call.done()
        error = call.exception()
        assert isinstance(error, ClientClosed)
        assert (error.maybe_sent, error.attempts) == (sent, attempts)
        assert error.elapsed_s < 1
    assert not sending.done()
    assert client.health().state == "closing"
    assert "is closed" in await used(client)
    await closing
    await sending
    assert now() == pytest.approx(5, abs=0.01)
    assert [sent.email for sent in wire.sent] == [member(0).email, member(1).email]


async def test_a_call_that_waits_for_a_new_token_ends_at_once(wire):
    """A token service that hangs holds nobody up."""
    hanging = asyncio.Event()

    async def token():
        if hanging.is_set():
            await asyncio.Future()
        hanging.set()
        return "first-token"

    wire.answer = lambda _: http(401)
    client = make_client(wire, token=token, deadline_s=None)
    await client.open()
    call = asyncio.create_task(client.get_balance(member(0)))
    batch = asyncio.create_task(client.get_balances(members(3)))
    await settle()
    await client.aclose(grace_s=10)
    assert now() < 1
    with pytest.raises(ClientClosed):
        await call
    assert {outcome.error.kind for outcome in await batch} == {"http_status"}
    assert_idle(client)


async def test_closing_an_idle_client_takes_no_time(wire):
    """There is nothing to wait for."""
    client = make_client(wire)
    await client.open()
    await client.aclose()
    assert (now(), wire.closed) == (pytest.approx(0), 1)


async def test_a_second_close_while_the_first_drains_waits_for_it(wire):
    """Whoever closes a client that is closing returns when it is closed, and it is closed once."""
    wire.script.append(Slow(2))
    client = make_client(wire)
    await client.open()
    call = asyncio.create_task(client.get_balance(member(0)))
    await settle()
    closing = asyncio.create_task(client.aclose())
    await settle()
    assert client.health().state == "closing"
    await client.aclose()
    assert client.health().state == "closed"
    await closing
    await call
    assert (client.health().state, wire.closed) == ("closed", 1)


async def test_leaving_with_an_error_cuts_at_once(wire):
    """Whoever leaves by an exception does not wait for the rest."""
    wire.script.append(Slow(5))
    client = make_client(wire)
    calls = []

    async def leave():
        async with client:
            calls.append(asyncio.create_task(client.get_balance(member(0))))
            await settle()
            raise KeyError

    with pytest.raises(KeyError):
        await leave()
    assert now() < 1
    with pytest.raises(ClientClosed):
        await calls[0]


async def test_leaving_without_an_error_waits_ten_seconds(wire):
    """The grace of `async with`."""
    wire.script.append(Slow(11))
    async with make_client(wire, attempt_s=20) as client:
        call = asyncio.create_task(client.get_balance(member(0)))
        await settle()
    assert now() == pytest.approx(10, abs=0.01)
    with pytest.raises(ClientClosed):
        await call


async def test_a_cancelled_close_still_closes_the_wire(wire):
    """Whatever happens to the one who closes, no connection stays open."""
    wire.script.append(Slow(100))
    client = make_client(wire, attempt_s=100)
    await client.open()
    call = asyncio.create_task(client.get_balance(member(0)))
    await settle()
    closing = asyncio.create_task(client.aclose())
    await settle()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert (wire.closed, client.health().state) == (1, "closed")
    with pytest.raises(ClientClosed):
        await call


# ── closing while opening ────────────────────────────────────────────────────────────────────


async def test_a_client_that_is_closed_while_it_opens_never_opens(wire):
    """Whoever waits for it to open hears so at once, and nothing is left open."""
    asked = asyncio.Event()

    async def vault():
        asked.set()
        await asyncio.sleep(3600)

    client = make_client(wire, token=vault)
    opening = asyncio.create_task(client.open())
    await asked.wait()
    assert client.health().state == "opening"
    assert "not open yet" in await used(client)
    await client.aclose()
    with pytest.raises(ClientClosed, match="while it was opening"):
        await opening
    assert now() < 1
    assert "is closed" in await used(client)


async def test_a_client_that_could_not_open_is_closed(wire):
    """A token that is not to be had leaves it closed, and `aclose` has nothing to do."""
    client = make_client(wire, token=Secret.from_env("ALTCRAFT_NO_SUCH_VARIABLE"))
    with pytest.raises(ConfigurationError, match="empty or not set"):
        await client.open()
    await client.aclose()
    assert (client.health().state, wire.closed) == ("closed", 0)


async def test_a_client_is_closed_on_its_own_loop(wire):
    """Another loop may not end it; a forked child closes nothing of its parent's."""
    client = make_client(wire)
    await client.open()

    def elsewhere():
        with pytest.raises(ClientClosed, match="close it there"):
            asyncio.run(client.aclose())

    await asyncio.to_thread(elsewhere)
    await client.get_balance(member(0))
    client._session._pid += 1
    await client.aclose()
    assert wire.closed == 0


@pytest.mark.parametrize("attempts", [1, 6])
async def test_a_call_that_is_cut_off_says_that_the_client_was_closed(wire, attempts):
    """However many attempts it had left."""
    wire.script.append(Slow(60))
    client = make_client(wire, max_attempts=attempts, attempt_s=100, deadline_s=None)
    await client.open()
    call = asyncio.create_task(client.get_balance(member(0)))
    await settle()
    await client.aclose(grace_s=1)
    with pytest.raises(ClientClosed) as caught:
        await call
    assert caught.value.maybe_sent
    assert client.stats().in_progress == 0


@pytest.mark.parametrize("grace_s", [-1, float("nan"), "soon", None, False, "", []])
async def test_a_grace_that_is_no_time_is_refused(wire, grace_s):
    """And the client stays open."""
    async with opened(wire) as client:
        with pytest.raises(
            ConfigurationError, match="grace_s must be a number of seconds, 0 or more"
        ):
            await client.aclose(grace_s=grace_s)
        assert client.health().ok
