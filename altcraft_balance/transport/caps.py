"""How much of a reply is read, whatever the other end goes on to send; both transports keep to it.

What a body may hold is for the settings to say. That alone bounds neither heads nor what chunks add
to a body on the wire, such as an extension without an end.
"""

from __future__ import annotations

from typing import Final

__all__ = ["HEAD_BYTES", "most_on_wire"]

#: A head's most, with the interim replies before it.
HEAD_BYTES: Final = 16_384


def most_on_wire(max_body_bytes: int) -> int:
    """How many bytes a reply with a body of up to `max_body_bytes` may have on the wire.

    Chunks may add up to eight times the body's cap, more than chunks of a single byte take.
    """
    return HEAD_BYTES + 8 * max_body_bytes
