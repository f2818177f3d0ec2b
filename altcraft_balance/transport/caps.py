"""How much of a reply is read, whatever the other end goes on to send; both transports keep to it.

What a body may hold is for the settings to say. That alone bounds neither heads nor what chunks add
to a body on the wire, such as an extension without an end.
"""

from __future__ import annotations

from typing import Final

__all__ = ["HEAD_BYTES", "most_framing"]

#: A head's most, with the interim replies before it.
HEAD_BYTES: Final = 16_384
_LEAST_FRAMING: Final = 26_624


def most_framing(max_body_bytes: int) -> int:
    """How many bytes chunks and trailers may add to a body, by the cap on what it holds.

    Each chunk costs work, however little it carries: 5,000 chunks of a single byte pass, which take
    some 10 ms, and any number of chunks of 4 KiB.
    """
    return _LEAST_FRAMING + max_body_bytes // 256
