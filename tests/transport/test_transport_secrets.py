"""No token in sight: not in errors, their frames, their chains, nor in any log."""

import asyncio
import traceback

import pytest

from altcraft_balance.secret import HiddenBytes
from altcraft_balance.transport.port import SendFailed

CANARY = "canary-token-5f1e"


def everything(error):
    """All that a tool could print of an exception: chain, frames and their locals."""
    seen, queue, texts = set(), [error], []
    while queue:
        one = queue.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        texts += [repr(one), str(one), repr(vars(one))]
        texts += traceback.TracebackException.from_exception(one, capture_locals=True).format()
        frame = one.__traceback__
        while frame is not None:
            texts += [repr(value) for value in frame.tb_frame.f_locals.values()]
            frame = frame.tb_next
        queue += [one.__cause__, one.__context__, getattr(one, "error", None)]
    return seen, "\n".join(texts)


def secrets():
    """A body as the encoder makes it."""
    return HiddenBytes(b'{"token":"%s","email":"canary@example.com"}' % CANARY.encode())


async def what_it_raises(transport, tools, *, limit_s=5, size=0):
    body = secrets()
    if size:
        body = HiddenBytes(body + bytes(size))
    headers = {**tools.JSON, **tools.hidden({"Authorization": f"Bearer {CANARY}"})}
    try:
        await transport.send(body, headers, limit_s=limit_s)
    except BaseException as error:
        return error


async def hang_up(peer):
    await peer.request()
    peer.close()


async def reset(peer):
    await peer._receive()
    peer.abort()


async def reset_unread(peer):
    await asyncio.sleep(0)
    peer.abort()


async def silence(peer):
    await peer.gone()


async def broken(peer):
    await peer.request()
    peer.send(b"HTTP/1.1 2x0 \r\n\r\n")


async def echo_broken(peer):
    raw = await peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nX: \0" + raw)


async def echo_cut(peer):
    raw = await peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + raw)
    peer.close()


async def too_large(peer):
    await peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")


async def encoded(peer):
    raw = await peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 9\r\n\r\n" + raw[:9])


async def stall(peer):
    await asyncio.Event().wait()


@pytest.fixture
async def debug(every_log):
    """asyncio's debug mode, with a word on each step that takes any time at all."""
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0
    yield every_log
    loop.set_debug(False)


def assert_unseen(error, log, transport):
    chain, text = everything(error)
    assert CANARY not in text
    assert "canary@" not in text
    assert CANARY not in log.text
    assert "canary@" not in log.text
    assert CANARY not in repr(vars(transport))
    return chain


@pytest.mark.parametrize(
    "script",
    [hang_up, reset, reset_unread, silence, broken, echo_broken, echo_cut, too_large, encoded],
)
@pytest.mark.parametrize("warm", [0, 1])
async def test_a_failure_shows_no_secret(debug, serve, ask, tools, script, warm):
    """Whatever went wrong, neither the token nor an address stands anywhere."""
    asker = await ask(await serve(script), warm=warm)
    error = await what_it_raises(asker.transport, tools, limit_s=0.1 if script is silence else 5)
    assert isinstance(error, SendFailed)
    chain = assert_unseen(error, debug, asker.transport)
    assert len(chain) == 2  # itself and our error: no exception of aiohttp's
    frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert frames == ["what_it_raises", "send"]  # nor a frame that holds one
    assert error.error.__traceback__ is None
    assert debug.text  # asyncio did speak


@pytest.mark.parametrize("size", [0, 900_000])
async def test_a_cancelled_request_shows_no_secret(debug, serve, ask, tools, size):
    """A cancel carries aiohttp's frames, and what they hold shows as ***."""
    for count in range(0, 40, 3):
        server = await serve(stall, window=4096)
        asker = await ask(server)
        task = asyncio.create_task(what_it_raises(asker.transport, tools, size=size))
        await tools.turns(count)
        task.cancel()
        await asyncio.wait([task])
        if task.cancelled():  # before its first step
            continue
        error = task.result()
        assert isinstance(error, asyncio.CancelledError)
        assert_unseen(error, debug, asker.transport)
        await asker.aclose()


async def test_a_reset_while_a_large_body_is_written(debug, serve, ask, tools):
    """The writer's own failure is hidden as well, and is not left to asyncio's log."""
    server = await serve(reset, window=4096)
    asker = await ask(server)
    error = await what_it_raises(asker.transport, tools, size=900_000)
    assert isinstance(error, SendFailed)
    assert_unseen(error, debug, asker.transport)


async def test_a_refused_connection_shows_no_secret(debug, ask, tools):
    """Nor does one that never stood."""
    asker = await ask("https://no-such-host.test/")
    error = await what_it_raises(asker.transport, tools)
    chain = assert_unseen(error, debug, asker.transport)
    assert len(chain) == 2


async def test_closing_shows_no_secret(debug, serve, ask, tools):
    """Nor one that closing ended."""
    asker = await ask(await serve(stall))
    task = asyncio.create_task(what_it_raises(asker.transport, tools))
    await tools.turns(20)
    await asker.aclose()
    error = await task
    assert isinstance(error, SendFailed)
    assert len(assert_unseen(error, debug, asker.transport)) == 2


async def test_a_reply_shows_no_body(serve, ask, tools):
    """A reply may name a member: its repr does not."""
    asker = await ask(await serve())
    answer = await asker.send(secrets())
    assert CANARY.encode() in answer.body
    assert CANARY not in repr(answer)


async def test_what_we_look_for_can_be_seen():
    """The search finds a token that stands in a frame."""
    token = CANARY + ""

    def fail(told):
        raise ValueError(len(told))

    with pytest.raises(ValueError, match=str(len(token))) as caught:
        fail(token)
    assert CANARY in everything(caught.value)[1]
