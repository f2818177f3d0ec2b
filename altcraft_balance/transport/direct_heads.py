"""Heads of replies that have been read before: the same bytes need not be read again.

What a server says before a body differs from reply to reply in the second of its ``Date`` and in
the length, so under load nearly every head is one that llhttp has read already. Only heads go in
here whose reply was wholly ordinary: of a known length, alone in what came, and with a connection
that lives on. The same bytes with a body of the same length are then the same reply but for the
body, whatever they say. A server that puts a number of its own into every head gains nothing
here, and is given a rest from it.
"""

from __future__ import annotations

from typing import Final

from altcraft_balance.transport.direct_headers import ReplyHeaders

__all__ = ["END", "HeadsRead"]

END: Final = b"\r\n\r\n"
_MOST_HEADS: Final = 64
_HEAD_BYTES: Final = 2048
_REST: Final = 2000


class HeadsRead:
    """The heads that a transport has read under one `max_body_bytes`.

    Attributes:
        known: by a head's bytes the status, the headers, and the reply's size, body included.
        met: one of them has come again; for whoever finds it to say.
    """

    __slots__ = ("_rest", "known", "met")

    def __init__(self) -> None:
        self.known: dict[bytes, tuple[int, ReplyHeaders, int]] = {}
        self.met = False
        self._rest = 0

    def add(self, data: bytes, body: bytes, status: int, headers: ReplyHeaders) -> None:
        """Take note of the head in `data`, if nothing but it and `body` is in there."""
        if self._rest:  # replies for which it is not worth its while
            self._rest -= 1
            return
        end = data.find(END) + len(END)
        if end + len(body) != len(data) or end > _HEAD_BYTES:
            return  # something came before the reply, or behind it
        if len(self.known) >= _MOST_HEADS:
            self.known.clear()  # and while it is empty nobody looks into it
            self._rest, self.met = 0 if self.met else _REST, False
        elif "content-length" in headers.names:
            self.known[data[:end]] = status, headers, len(data)
