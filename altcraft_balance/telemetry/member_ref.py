"""A member's reference in logs: the same for the same member, and of no use to who lacks the key.

A keyed hash, since an address alone can be guessed: there are only so many phone numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

from attrs import astuple

from altcraft_balance.models import Matching, RawMatching
from altcraft_balance.secret import HiddenBytes, HiddenStr

__all__ = ["key_of", "member_ref"]

_DIGITS: Final = 8


def key_of(secret: HiddenStr) -> HiddenBytes:
    """The hash's key, of a secret of any length; BLAKE2 takes 64 bytes at most."""
    return HiddenBytes(hashlib.blake2b(secret.encode()).digest())


def member_ref(matching: Matching, key: bytes) -> str:
    """Eight hexadecimal digits, to follow a member in a log; a few members may share them."""
    told = "\0".join(_words(matching)).encode()
    return hashlib.blake2b(told, digest_size=_DIGITS // 2, key=key).hexdigest()


def _words(matching: Matching) -> Iterator[str]:
    """How the member is found, each value with its type: 42 is another than "42"."""
    yield type(matching).__name__
    values = (
        sum(sorted(matching.fields.items()), ())
        if isinstance(matching, RawMatching)
        else astuple(matching, recurse=False)
    )
    for value in values:
        yield f"{'i' if isinstance(value, int) else 's'}{value}"
