"""One connection of the fast lane: a request is written, and its reply wakes whoever asked.

A request costs one future and one write; its limit is the connection's `when`, which one sweep
watches for all. Whatever arrives while nothing is asked, be it bytes, the end or an error, makes
the connection useless, and it is closed at once: HTTP/1.1 tells answers apart by their order
alone, so that a reply which began before its request was written is somebody else's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, cast

from altcraft_balance.errors import AltcraftBalanceError, ConnectionFailed, TlsRefused
from altcraft_balance.secret import HiddenBytes
from altcraft_balance.transport.direct_reply import ReplyReader
from altcraft_balance.transport.look import Look, prepared
from altcraft_balance.transport.own_buffer import NO_ROOM, PIECE_BYTES
from altcraft_balance.transport.port import RawReply, SendFailed
from altcraft_balance.transport.trouble import CUT_SHORT, reason_of, refusal_by_tls

if TYPE_CHECKING:
    from altcraft_balance.transport.direct_pool import Pool

__all__ = ["Buffering", "Copying", "DirectConnection", "Outcome"]

#: What a request comes to; `TimeoutError`: its limit.
Outcome: TypeAlias = RawReply | SendFailed | TimeoutError


class DirectConnection(asyncio.BaseProtocol):
    """asyncio's side of a connection; `Buffering` and `Copying` are the two ways to read.

    Args:
        pool: where it lies while it is idle.
        reader: makes replies of what comes.
        host: who is at the other end, for the sentences.
        look: looks for what has arrived and was not read.

    Attributes:
        arrived: looks whether the kernel holds something for it; only while it is usable.
        when: the moment of the loop's clock at which the request on it must have ended, or at
            which it has been idle for long enough.
        retires_at: after this moment it is not laid into the pool.
        seasoned: it has carried a reply and was laid into the pool.
        transport: asyncio's.
        reader: as above.
    """

    __slots__ = (
        "_create_future",
        "_gone",
        "_host",
        "_look",
        "_pool",
        "_sweep",
        "_tls_reason",
        "_waiter",
        "arrived",
        "reader",
        "retires_at",
        "seasoned",
        "transport",
        "when",
    )

    transport: asyncio.Transport

    def __init__(self, pool: Pool, reader: ReplyReader, host: str, look: Look) -> None:
        self._pool, self.reader, self._host, self._look = pool, reader, host, look
        self._create_future = pool.loop.create_future
        self._waiter: asyncio.Future[Outcome] | None = None
        self._sweep = pool.sweep
        self._gone = True
        self.arrived: Callable[[], object] = bool
        self.when = self.retires_at = 0.0
        self.seasoned = False
        self._tls_reason: str | None = None

    @property
    def busy(self) -> bool:
        """Whether a request is on it."""
        return self._waiter is not None

    @property
    def usable(self) -> bool:
        """Whether the other end is there and has said nothing unasked, as far as was read."""
        return not (self._gone or self.transport.is_closing())

    def ask(self, head: HiddenBytes, body: bytes, when: float) -> asyncio.Future[Outcome]:
        """Write a request; what comes of it, until `when`."""
        self._waiter = waiter = self._create_future()
        self.when = when
        if when < self._sweep.due:  # else a timer that comes before it is set
            self._sweep.add(self)
        self.transport.write(head + body)
        return waiter

    def give_up(self, waiter: asyncio.Future[Outcome]) -> None:
        """Close the connection, unless it has done with `waiter`'s request."""
        if self._waiter is waiter:
            self.drop()

    def refusal(self) -> AltcraftBalanceError:
        """Why it cannot be used, though nothing was asked on it yet."""
        if self._tls_reason is not None:  # TLS 1.3 says so after the handshake
            return self._tls_refused(self._tls_reason, written=False)
        return ConnectionFailed(f"{self._host} spoke or hung up before it was asked")

    def cancel(self) -> None:
        """The moment `when` is here: end the request, or the rest, and the connection with it."""
        rests = self._waiter is None and not self._gone
        self._end(TimeoutError())
        if rests:  # those that have gone with an earlier one look at no others
            self._pool.end_rests()

    def drop(self) -> None:
        """Close the connection, now."""
        self._waiter = None
        if not self._gone:
            self._gone = True
            self._pool.forget(self)
            self.transport.abort()

    # ── asyncio's calls ──────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands, TLS included."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is not one by its class
        self._gone = False
        self.arrived = prepared(self._look, self.transport)

    def received(self, data: bytes) -> None:
        """These bytes have come."""
        waiter, reader = self._waiter, self.reader
        if waiter is None:
            self._pool.spoiled(self)
            return
        outcome = reader.feed(data)
        if outcome is None:
            return
        # A full piece may have more behind it, in the TLS object, which no look can see; and an
        # early reply leaves a rest of its request to be written.
        if (
            reader.kept
            and len(data) < PIECE_BYTES
            and not self.transport.get_write_buffer_size()
            and not waiter.done()
        ):
            self._waiter = None
            self._pool.lay_in(self)
            waiter.set_result(outcome)
        else:
            self._end(outcome)

    def eof_received(self) -> None:
        """The other end says no more."""
        if self._waiter is not None:
            self._end(self.reader.feed_end() or self._hung_up(None))
        self.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is no more."""
        if self._waiter is not None:
            self._end(self._hung_up(exc))
        elif exc is not None:
            self._tls_reason = refusal_by_tls(exc)
        self.drop()
        self.reader.close()

    def _end(self, outcome: Outcome) -> None:
        """Give the outcome to whoever waits, and close the connection."""
        waiter = self._waiter
        self.drop()
        if waiter is not None and not waiter.done():
            waiter.set_result(outcome)

    def _hung_up(self, exc: Exception | None) -> SendFailed:
        reader = self.reader
        error: AltcraftBalanceError
        if exc is not None and (trouble := refusal_by_tls(exc)) is not None:
            error = self._tls_refused(trouble, written=True)
        else:
            reason = CUT_SHORT if exc is None else reason_of(exc)
            error = ConnectionFailed(
                f"{self._host} closed the connection: {reason}", maybe_sent=True
            )
        return SendFailed(error, reused=reader.reused, began=reader.began)

    def _tls_refused(self, reason: str, *, written: bool) -> TlsRefused:
        return TlsRefused(f"TLS with {self._host} failed: {reason}", maybe_sent=written)


class Buffering(DirectConnection, asyncio.BufferedProtocol):
    """Reads into a buffer of its own: asyncio, and TLS, make one of 256 KiB for every read."""

    __slots__ = ("_buffer",)

    def __init__(self, pool: Pool, reader: ReplyReader, host: str, look: Look) -> None:
        super().__init__(pool, reader, host, look)
        self._buffer = memoryview(bytearray(PIECE_BYTES))

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes have come."""
        self.received(bytes(self._buffer[:nbytes]))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is no more, and its buffer neither."""
        super().connection_lost(exc)
        self._buffer = NO_ROOM


class Copying(DirectConnection, asyncio.Protocol):
    """Is given what was read: uvloop has one buffer for all, and copies no more than came."""

    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        """These bytes have come, in one piece however many; the caps count by pieces."""
        if len(data) <= PIECE_BYTES:
            self.received(data)
            return
        for start in range(0, len(data), PIECE_BYTES):
            self.received(data[start : start + PIECE_BYTES])
