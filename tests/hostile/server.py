"""A raw TCP server that is told what to send and when, on a real socket, plain or under TLS."""

import asyncio
import socket

from tests.hostile.peer import Peer, TlsPeer
from tests.hostile.replies import balance_of, reply


async def turns(count=10):
    """Let the loop turn, so that what lies in kernel buffers is read."""
    for _ in range(count):
        await asyncio.sleep(0)


class RawServer:
    """Accepts on a loopback port and lets `script(peer)` play each connection.

    Without a script every request gets its own right answer. `window` is the size of the
    receive buffers: a small one keeps a client from writing a large request at once. With a
    `context` the server speaks TLS.
    """

    def __init__(self, script=None, *, window=None, context=None, host="127.0.0.1"):
        self.script = script or self.answer
        self._window, self._context, self._name = window, context, host
        self.peers = []
        self._tasks = set()
        self._came = asyncio.Event()

    async def __aenter__(self):
        self._sock = socket.create_server((self._name, 0), backlog=512)
        self._sock.setblocking(False)
        if self._window is not None:  # accepted sockets have it from this one
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._window)
        self.port = self._sock.getsockname()[1]
        self.host = f"{self._name}:{self.port}"
        self.url = f"{'http' if self._context is None else 'https'}://{self.host}"
        self._accepting = asyncio.create_task(self._accept())
        return self

    async def __aexit__(self, *_):
        tasks = [self._accepting, *self._tasks]
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for peer in self.peers:
            peer.close()
        self._sock.close()
        calm = (asyncio.CancelledError, ConnectionError, type(None))
        for result in results:
            if not isinstance(result, calm):
                raise result

    async def _accept(self):
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(self._sock)
            peer = Peer(sock) if self._context is None else TlsPeer(sock, self._context)
            self.peers.append(peer)
            self._came.set()
            self._tasks.add(asyncio.create_task(self._play(peer)))

    async def _play(self, peer):
        try:
            if await peer.ready():
                await self.script(peer)
        except Exception:  # raised at the end; until then nobody waits for what will not come
            peer.close()
            raise

    async def peer(self, number):
        """The connection with that number, from 0, once it is there."""
        while len(self.peers) <= number:
            self._came.clear()
            await self._came.wait()
        return self.peers[number]

    async def answer(self, peer):
        while (raw := await peer.request()) is not None:
            await peer.send_all(reply(balance_of(raw.partition(b"\r\n\r\n")[2])))

    async def requested(self, count):
        """Wait until so many requests have come, on all connections together."""
        while len(self.requests) < count:  # noqa: ASYNC110 - each turn of the loop may bring one
            await asyncio.sleep(0)

    @property
    def requests(self):
        return [raw for peer in self.peers for raw in peer.requests]
