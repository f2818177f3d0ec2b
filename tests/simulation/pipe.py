"""A connection in memory: two asyncio transports, and nothing that is a matter of chance.

What is written on one end is handed to the other end's protocol in a later turn of the loop, in
order. There are no sockets, so nothing has to be polled, and no object's address decides who is
served first.
"""

import asyncio
from collections import deque

_END, _RESET = object(), object()


class Pipe(asyncio.Transport):
    """One end; `pair` makes both.

    Attributes:
        peer: the other end.
        open_ends: how many ends have been made and not been lost, of all pipes of one network.
    """

    def __init__(self, open_ends):
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._unread = deque()
        self._protocol, self._paused = None, False
        self._closing = self._lost = False
        self.peer, self.open_ends = None, open_ends

    def begin(self, protocol):
        """Hand this end to its protocol."""
        self._protocol = protocol
        self.open_ends.add(1)
        protocol.connection_made(self)

    def has_unread(self):
        """Whether something has come that the protocol has not been given yet."""
        return bool(self._unread)

    # ── asyncio.Transport ────────────────────────────────────────────────────────────────────

    def get_protocol(self):
        return self._protocol

    def set_protocol(self, protocol):
        self._protocol = protocol

    def is_closing(self):
        return self._closing

    def is_reading(self):
        return not (self._paused or self._closing)

    def pause_reading(self):
        self._paused = True

    def resume_reading(self):
        self._paused = False
        self._loop.call_soon(self._deliver)

    def get_write_buffer_size(self):
        return 0

    def set_write_buffer_limits(self, high=None, low=None):
        """Nothing is held back, so there is nothing to limit."""

    def can_write_eof(self):
        return False

    def write(self, data):
        if data and not self._closing:
            self.peer.receive(bytes(data))

    def close(self):
        self._leave(_END)

    def abort(self):
        self._leave(_RESET)

    # ── between the ends ─────────────────────────────────────────────────────────────────────

    def receive(self, what):
        """Lay in bytes, the end or a reset, to be handed over in a later turn."""
        if not self._closing:
            self._unread.append(what)
            self._loop.call_soon(self._deliver)

    def _deliver(self):
        if self._closing or self._paused or not self._unread:
            return
        what = self._unread.popleft()
        if what is _RESET:
            self._lose(ConnectionResetError("reset by the other end"))
        elif what is _END:
            if not self._protocol.eof_received():
                self.close()
        elif isinstance(self._protocol, asyncio.BufferedProtocol):
            self._pour(what)
        else:
            self._protocol.data_received(what)

    def _pour(self, what):
        """Into the protocol's own buffer, as much at a time as it takes."""
        while what and not self._closing:
            buffer = self._protocol.get_buffer(len(what))
            poured = min(len(what), len(buffer))
            buffer[:poured] = what[:poured]
            what = what[poured:]
            self._protocol.buffer_updated(poured)

    def _leave(self, farewell):
        if self._closing:
            return
        self._closing = True
        self._unread.clear()
        self.peer.receive(farewell)
        self._loop.call_soon(self._lose, None)

    def _lose(self, error):
        self._closing = True
        if not self._lost:
            self._lost = True
            self.open_ends.add(-1)
            self._protocol.connection_lost(error)


class OpenEnds:
    """A count that pipes share."""

    def __init__(self):
        self.count = 0

    def add(self, change):
        self.count += change


def pair(open_ends):
    """Two ends that belong together; `begin` them, the server's first."""
    one, other = Pipe(open_ends), Pipe(open_ends)
    one.peer, other.peer = other, one
    return one, other
