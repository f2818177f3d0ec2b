"""Reading a connection into one buffer that stays, and not into a new one for each read.

asyncio reads a plain connection, and any loop reads TLS, into a bytes object of 256 KiB, of which a
reply fills a few hundred bytes. As a rule its memory goes back to the system each time, and to get
it anew takes two page faults: 13 to 20 µs of a lookup that takes some 80. Chance, the state of the
heap, decides whether a process pays it. A protocol that brings a buffer never does.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

__all__ = ["NO_ROOM", "PIECE_BYTES", "OwnBuffer", "read_into_own_buffer", "wants_own_buffer"]

#: A TLS record's most. A full piece may have more behind it, in the TLS object, where no look at
#: the kernel's buffer sees it.
PIECE_BYTES: Final = 16_384
#: What a connection has that is no more. The collector may come for it much later: an error's
#: traceback holds it.
NO_ROOM: Final = memoryview(b"")


def wants_own_buffer(loop: asyncio.AbstractEventLoop, *, tls: bool) -> bool:
    """Whether `loop` would make a buffer for each read; uvloop's plain connections share one."""
    return tls or isinstance(loop, asyncio.BaseEventLoop)


class OwnBuffer(asyncio.BufferedProtocol):
    """Stands between a connection and a protocol that is given what was read.

    Args:
        protocol: hears of everything.
    """

    __slots__ = ("_buffer", "_protocol")

    def __init__(self, protocol: asyncio.Protocol) -> None:
        self._protocol = protocol
        self._buffer = memoryview(bytearray(PIECE_BYTES))

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes have come."""
        self._protocol.data_received(bytes(self._buffer[:nbytes]))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Passed on, as all that follows."""
        self._protocol.connection_made(transport)

    def eof_received(self) -> bool | None:  # noqa: D102
        return self._protocol.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102
        self._protocol.connection_lost(exc)
        self._buffer = NO_ROOM

    def pause_writing(self) -> None:  # noqa: D102
        self._protocol.pause_writing()

    def resume_writing(self) -> None:  # noqa: D102
        self._protocol.resume_writing()


def read_into_own_buffer(transport: asyncio.Transport, protocol: asyncio.Protocol) -> None:
    """Let `transport`, which has `protocol`, read like this, if it can change its ways."""
    with suppress(NotImplementedError):  # asyncio's own word of a transport that cannot
        transport.set_protocol(OwnBuffer(protocol))
