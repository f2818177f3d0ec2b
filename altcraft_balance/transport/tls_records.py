"""TLS, record by record: what has come of one that is not whole yet can be seen.

OpenSSL takes in whatever part of a record there is, and says nothing of it. If that is the first
half of a reply that nobody asked for, no look at the kernel's buffer shows it, and its rest would
be taken for the answer to the next request. So the parts of a record are kept here, in front of
OpenSSL, until it is whole.

`ssl.SSLContext.sslobject_class` is the documented place to hang this in, also for a context of the
user's; asyncio and uvloop both make their TLS by `wrap_bio`.
"""

from __future__ import annotations

import ssl
from typing import Any, Final

__all__ = ["WholeRecords", "record_by_record"]

_HEAD_BYTES: Final = 5  # type, version, length (RFC 8446, 5.1)
_MOST_BYTES: Final = 16_384 + 2_048  # of a record's body (RFC 5246, 6.2.3)
_TYPES: Final = frozenset(range(20, 25))


class WholeRecords(ssl.SSLObject):
    """A TLS connection that is given whole records.

    Attributes:
        unfinished: what has come of a record that is not whole yet.
    """

    unfinished = b""
    _arrived: ssl.MemoryBIO
    _given: ssl.MemoryBIO

    @classmethod
    def _create(cls, incoming: ssl.MemoryBIO, *args: Any, **kwargs: Any) -> WholeRecords:
        given = ssl.MemoryBIO()
        made: WholeRecords = super()._create(given, *args, **kwargs)  # type: ignore[misc]
        made._arrived, made._given = incoming, given
        return made

    def do_handshake(self) -> None:
        """As in `ssl.SSLObject`, like the rest."""
        self._admit()
        super().do_handshake()

    def read(self, len: int = 1024, buffer: Any = None) -> Any:  # noqa: A002, D102
        self._admit()
        return super().read(len, buffer)

    def write(self, data: Any) -> int:  # noqa: D102
        self._admit()
        return super().write(data)

    def unwrap(self) -> Any:  # noqa: D102
        self._admit()
        return super().unwrap()

    def _admit(self) -> None:
        """Let OpenSSL have the records that are whole."""
        if self._arrived.pending:
            data = self.unfinished + self._arrived.read()
            end = _whole(data)
            self.unfinished = data[end:]
            self._given.write(data[:end] if end < len(data) else data)
        if self._arrived.eof:
            self._given.write(self.unfinished)
            self.unfinished = b""
            self._given.write_eof()


def _whole(data: bytes) -> int:
    """How many bytes of `data` are whole records; all, where they are none of TLS."""
    at, size = 0, len(data)
    while size - at >= _HEAD_BYTES:
        length = int.from_bytes(data[at + 3 : at + 5], "big")
        if data[at] not in _TYPES or length > _MOST_BYTES:
            return size  # to be refused by who knows more of it
        if at + _HEAD_BYTES + length > size:
            break
        at += _HEAD_BYTES + length
    return at


def record_by_record(context: ssl.SSLContext) -> None:
    """Let the connections of `context` be like this, unless somebody has made them his own."""
    if context.sslobject_class is ssl.SSLObject:
        context.sslobject_class = WholeRecords
