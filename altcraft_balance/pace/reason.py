"""Why a store is away, in words that show no password."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from altcraft_balance.secret import HiddenStr, redact

__all__ = ["reason_of"]

_LONGEST: Final = 200


def reason_of(error: BaseException, url: HiddenStr) -> str:
    """What `error` says, in one line of printable text, without what `url` hides."""
    text = "".join(char if char.isprintable() else " " for char in str(error))
    text = " ".join(text.split()) or type(error).__name__
    return redact(text, _secrets(url))[:_LONGEST]


def _secrets(url: HiddenStr) -> Iterator[HiddenStr]:
    parts = urlsplit(url)
    yield url
    userinfo = parts.netloc.rpartition("@")[0]
    for raw in (userinfo, *userinfo.split(":", 1)[1:]):
        yield HiddenStr(raw)
        yield HiddenStr(unquote(raw))
    for name, value in parse_qsl(parts.query):
        if "pass" in name.lower():
            yield HiddenStr(value)
