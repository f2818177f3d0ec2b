"""The server's end of a connection: plain bytes on a socket, or the same under TLS."""

import asyncio
import socket
import ssl
import struct


class Peer:
    """The server's end of one connection, its socket read and written only when told so."""

    def __init__(self, sock):
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.received = b""
        self.requests = []
        self._readable = None

    async def ready(self):
        """Whether requests can come; over TLS that takes a handshake."""
        return True

    def send(self, data):
        """Send at once: when this returns the bytes lie in the client's kernel buffer."""
        assert self.sock.send(data) == len(data)

    async def send_all(self, data):
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def request(self):
        """The next whole request, as raw bytes; None at the end."""
        while (end := self._end_of_request()) is None:
            if not await self._receive():
                return None
        raw, self.received = self.received[:end], self.received[end:]
        self.requests.append(raw)
        return raw

    async def _receive(self):
        """Wait for bytes or the end, and whether there were bytes; `close` ends the wait."""
        loop = asyncio.get_running_loop()
        if self.sock.fileno() < 0:
            return False
        self._readable = loop.create_future()
        loop.add_reader(self.sock, self._wake)
        await self._readable
        try:
            data = self.sock.recv(65536)
        except OSError:
            return False
        return self._take(data)

    def _take(self, data):
        self.received += data
        return bool(data)

    def _wake(self):
        if self._readable is not None and self.sock.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self.sock)
        if self._readable is not None and not self._readable.done():
            self._readable.set_result(None)

    def _end_of_request(self):
        head, blank, _ = self.received.partition(b"\r\n\r\n")
        if not blank:
            return None
        end = len(head) + 4
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                end += int(line[15:])
        return end if len(self.received) >= end else None

    async def gone(self):
        """Wait until the client has closed this connection; what it still sent is kept."""
        while await self._receive():
            pass

    def half_close(self):
        """End what is sent, and go on reading."""
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self._wake()  # before the descriptor goes, or the loop would watch a stranger's
        self.sock.close()

    def abort(self):
        """Close with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


class TlsPeer(Peer):
    """The same under TLS, the handshake a step that may fail."""

    def __init__(self, sock, context):
        super().__init__(sock)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._is_shaken = False

    async def ready(self):
        """Shake hands. A refusal is sent as OpenSSL words it, and the other end's close awaited.

        A close at once would overtake the alert as a reset.
        """
        while not self._is_shaken:
            try:
                self._tls.do_handshake()
                self._is_shaken = True
            except ssl.SSLWantReadError:
                await super().send_all(self._out.read())
                if not await self._receive():
                    return False
            except ssl.SSLError:
                await super().send_all(self._out.read())
                self.half_close()
                await self.gone()
                return False
        await super().send_all(self._out.read())
        return True

    def _take(self, data):
        self._in.write(data) if data else self._in.write_eof()
        if not self._is_shaken:
            return bool(data)
        try:
            while piece := self._tls.read(65536):
                self.received += piece
        except ssl.SSLWantReadError:
            return bool(data)
        except ssl.SSLError:
            return False
        return False

    def sealed(self, data):
        """A record, to be sent in parts by `send_sealed`."""
        self._tls.write(data)
        return self._out.read()

    def send_sealed(self, data):
        super().send(data)

    def send(self, data):
        super().send(self.sealed(data))

    async def send_all(self, data):
        await super().send_all(self.sealed(data))
