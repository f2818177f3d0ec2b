"""A store that is away is one error, soon, without a secret; one that is back works again."""

import asyncio
import time
import traceback

import pytest

from altcraft_balance.pace.store import LONGEST_TAKE_S, StoreAway

pytestmark = pytest.mark.server

CANARY = "canary-pass-5f1e"


async def trouble(store):
    """What a take raises, within its time."""
    started = time.monotonic()
    with pytest.raises(StoreAway) as caught:
        await store.take(1)
    assert time.monotonic() - started < LONGEST_TAKE_S + 0.5
    return caught.value


def assert_unseen(error):
    """The password is neither in the error nor in its frames, and no other error hangs on it."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True).format()
    assert CANARY not in "".join(shown)
    assert CANARY not in repr(error) + repr(vars(error)) + str(error)
    assert error.__context__ is None
    assert error.__cause__ is None


async def test_a_stopped_store_is_away_until_it_is_started(server, opened):
    """Stopped in the middle it is away at once, each time; started again it works by itself."""
    store = opened(server.url)
    assert (await store.take(1)).granted == 1
    server.stop()
    for _ in range(3):
        error = await trouble(store)
        assert str(server.port) in error.reason
        assert error.args == (error.reason,)
    server.start()
    assert (await store.take(1)).granted == 1


async def test_a_restart_between_two_takes_goes_unnoticed(server, opened):
    """A connection that died meanwhile is no news of the server."""
    store = opened(server.url)
    assert (await store.take(1)).granted == 1
    server.stop()
    server.start()
    assert (await store.take(1)).granted == 1


async def test_a_store_that_stands_still_is_away(server, opened):
    """With its connections open and no answer on them, it is away after two seconds."""
    store = opened(server.url)
    await store.take(1)
    server.freeze()
    assert (await trouble(store)).reason == "no answer within 2 s"
    assert (await trouble(store)).reason
    server.thaw()
    for _ in range(3):  # what it was asked before it stood still may come first
        try:
            assert (await store.take(1)).granted == 1
            break
        except StoreAway:
            continue
    else:
        pytest.fail("it did not come back")


async def test_a_store_that_stands_still_can_be_closed(server, opened):
    """Closing waits for a silent server no longer than a take."""
    store = opened(server.url)
    await store.take(1)
    server.freeze()
    try:
        await trouble(store)
        started = time.monotonic()
        await store.aclose()
        assert time.monotonic() - started < LONGEST_TAKE_S + 0.5
    finally:
        server.thaw()


async def test_a_store_that_nobody_listens_at_is_away(server, opened):
    """Nothing is connected before the first take, which says where nobody was."""
    store = opened(server.url.replace(str(server.port), "1"))
    assert "1" in (await trouble(store)).reason


async def test_a_wrong_user_is_told_without_the_password(server, opened):
    """The server's refusal is the reason; the password stands nowhere."""
    scheme, _, rest = server.url.partition("://")
    place = rest.rpartition("@")[2]
    error = await trouble(opened(f"{scheme}://nobody-known:{CANARY}@{place}"))
    assert_unseen(error)
    assert "nobody-known" in error.reason or "username-password" in error.reason


async def test_the_password_of_a_store_that_is_away_is_not_shown(server, opened):
    """Neither when it is stopped nor when it stands still."""
    scheme, _, rest = server.url.partition("://")
    place = rest.rpartition("@")[2].replace(str(server.port), "1")
    assert_unseen(await trouble(opened(f"{scheme}://someone:{CANARY}@{place}")))


async def test_a_server_that_quotes_the_password_is_not_quoted(opened):
    """What answers on the port need not be Redis: it may send back what it was sent."""

    async def echo(reader, writer):
        await reader.readuntil(CANARY.encode())
        writer.write(f"-ERR what is {CANARY}?\r\n".encode())
        writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        error = await trouble(opened(f"redis://:{CANARY}@127.0.0.1:{port}"))
        assert error.reason == "what is ***?"
        assert_unseen(error)


async def test_a_clock_that_was_set_back_is_a_store_away(redis_server, opened, name):
    """A permit that was taken in the future would be waited for until then."""
    from redis.asyncio import Redis

    store = opened(redis_server.url)
    await store.take(1)
    async with Redis.from_url(redis_server.url) as redis:
        await redis.hset(f"altcraft-balance:rate:{name}", "tat1", 4_000_000_000_000_000)
    assert "clock was set back" in (await trouble(store)).reason
