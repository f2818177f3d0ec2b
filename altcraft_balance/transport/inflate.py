"""Decoding a body under a cap on what comes out, so that a bomb costs no more than the cap.

A cut stream is noticed by its missing end, which aiohttp's own decoding passes over.
"""

from __future__ import annotations

import zlib
from typing import Final

__all__ = ["CannotDecode", "TooLarge", "decode_body"]

#: IANA's "HTTP Content Coding Registry", but for those that are understood.
_REGISTERED: Final = frozenset(
    ("aes128gcm", "br", "compress", "dcb", "dcz", "exi", "pack200-gzip", "x-compress", "zstd")
)
_MAX_MEMBERS: Final = 16  # RFC 1952 lets a gzip body be several; nobody needs many


class TooLarge(Exception):
    """More comes out than is allowed."""


class CannotDecode(Exception):
    """Not what its ``Content-Encoding`` says, or cut short."""


def decode_body(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """`body` without its ``Content-Encoding`` (RFC 9110, section 8.4.1).

    Raises:
        TooLarge: it is longer than `max_bytes`.
        CannotDecode: the encoding is unknown, or the body is damaged or cut short.
    """
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        if len(body) > max_bytes:
            raise TooLarge
        return body
    if name in {"gzip", "x-gzip"}:
        return _inflate(body, 16 + zlib.MAX_WBITS, max_bytes)
    if name == "deflate":
        # The standard means zlib's format; some servers send the bare stream (RFC 9110).
        wraps = body[:1] == b"\x78"
        return _inflate(body, zlib.MAX_WBITS if wraps else -zlib.MAX_WBITS, max_bytes)
    # A header is the server's text, which may repeat the token: only a known word of it is shown.
    shown = repr(name) if name in _REGISTERED else "one that nobody knows"
    raise CannotDecode(f"its Content-Encoding is {shown} and was not asked for")


def _inflate(body: bytes, wbits: int, max_bytes: int) -> bytes:
    whole, rest = b"", body
    for _ in range(_MAX_MEMBERS):
        member = zlib.decompressobj(wbits)
        try:
            # One byte more than is left tells a full measure from too much.
            whole += member.decompress(rest, max_bytes - len(whole) + 1)
        except zlib.error:
            raise CannotDecode("its compressed data is damaged") from None
        if len(whole) > max_bytes:
            raise TooLarge
        if not member.eof:
            raise CannotDecode("its compressed data is cut short")
        rest = member.unused_data
        if not rest:
            return whole
    raise CannotDecode("it has too many compressed parts")
