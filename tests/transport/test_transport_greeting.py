"""A server that speaks first on a new connection is not listened to, nor asked."""

import asyncio
import contextlib
import socket
import threading

import pytest

from altcraft_balance.transport.look import has_arrived
from altcraft_balance.transport.port import SendFailed
from tests.transport.strays import STRAY, each_cut

SPOKE = "spoke or hung up before it was asked"


class Greeter:
    """A TLS server in a thread: a reply follows the handshake; `sent` once it has left."""

    def __init__(self, context):
        self.sent, self.received = threading.Event(), b""
        self._context, self._listening = context, socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)

    def _serve(self):
        plain, _ = self._listening.accept()
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or it waits for the tickets
        with contextlib.suppress(OSError), self._context.wrap_socket(plain, server_side=True) as it:
            it.sendall(STRAY)
            self.sent.set()
            self.received = it.recv(65536)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._thread.join(5)
        self._listening.close()

    async def connect(self, factory, host, port, **options):
        """A connection that is handed over when the reply lies in its kernel's buffer."""
        loop = asyncio.get_running_loop()
        made = await loop.create_connection(factory, host, port, **options)
        assert self.sent.wait(5)
        return made


async def test_a_reply_behind_the_handshake_is_not_the_answer(authority, ask):
    """TLS's tickets lie there with it, so the kernel's buffer alone does not tell."""
    with Greeter(authority.serving()) as greeter:
        asker = await ask(greeter, ca_file=authority.file, connect=greeter.connect)
        with pytest.raises(SendFailed, match=SPOKE) as caught:
            await asker.send()
        await asker.aclose()
    assert not caught.value.error.maybe_sent
    assert greeter.received == b""


@each_cut
async def test_what_comes_while_it_is_listened_for_is_heard(serve, ask, stray):
    """It may come in the turn in which the connection would have been used."""
    server, spoken = await serve(), []

    def look(transport):
        if not spoken:
            spoken.append(stray)
            server.peers[-1].send(stray)
        return has_arrived(transport)

    asker = await ask(server, look=look)
    with pytest.raises(SendFailed, match=SPOKE):
        await asker.send()
    assert server.requests == []


async def test_a_connection_that_never_falls_silent_is_not_used(serve, ask):
    """Listening ends after a handful of turns."""
    looks = []
    server = await serve()
    asker = await ask(server, look=lambda _: looks.append(1) or True)
    with pytest.raises(SendFailed, match=SPOKE):
        await asker.send()
    assert len(looks) < 10
    assert asker.idle == asker.taken == 0
    assert server.requests == []


async def test_a_cancel_while_it_is_listened_for_closes_the_connection(serve, ask):
    """It is in no pool yet, and nobody else would."""
    server = await serve()
    asker = await ask(server, look=lambda _: sending.cancel() or True)
    sending = asyncio.create_task(asker.send())
    with pytest.raises(asyncio.CancelledError):
        await sending
    await (await server.peer(0)).gone()
    assert asker.idle == asker.taken == 0
