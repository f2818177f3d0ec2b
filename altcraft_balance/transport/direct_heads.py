"""Heads of replies that have been read before: the same bytes need not be read again.

What a server says before a body differs from reply to reply in the second of its ``Date`` and in
the length, so under load nearly every head is one that llhttp has read already. Only heads go in
here whose reply was wholly ordinary: of a known length, alone in what came, and with a connection
that lives on. The same bytes with a body of the same length are then the same reply but for the
body, whatever they say. A server that puts a number of its own into every head gains nothing here
and loses little.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from altcraft_balance.transport.direct_headers import ReplyHeaders

__all__ = ["END", "HeadsRead", "remember"]

#: By the head's bytes: the status, the headers, and the size of the reply, body included.
HeadsRead: TypeAlias = dict[bytes, tuple[int, ReplyHeaders, int]]

END: Final = b"\r\n\r\n"
_MOST_HEADS: Final = 64
_HEAD_BYTES: Final = 2048


def remember(
    heads: HeadsRead, data: bytes, body: bytes, status: int, headers: ReplyHeaders
) -> None:
    """Take note of the head in `data`, if nothing but it and `body` is in there."""
    end = data.find(END) + len(END)
    if end + len(body) != len(data) or end > _HEAD_BYTES:
        return  # something came before the reply, or behind it
    if "content-length" in headers.names:
        if len(heads) >= _MOST_HEADS:
            heads.clear()
        heads[data[:end]] = status, headers, len(data)
