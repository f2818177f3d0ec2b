r"""A reply without secrets, for a bug report: the files of one sample, as `tests/samples` has them.

A server may echo what it was asked as it likes: ``user%40x``, ``user\u0040x``, ``user&#64;x``, in
UTF-16, or half of it so. So a value is looked for character by character, each in any of its
spellings. Whatever else looks like somebody's address or phone goes as well: an unexpected reply
may speak of anybody. Every repetition has a limit, so that no body takes long.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from html.entities import html5
from typing import Any, Final

from altcraft_balance.codec.betrayal import betrays, phone_digits
from altcraft_balance.codec.request import WireRequest
from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.secret import HIDDEN, HiddenBytes

__all__ = ["MAX_KEPT_BYTES", "names_in", "redacted_bytes", "redacted_sample", "without_anybody"]

MAX_KEPT_BYTES: Final = 65536
_MAX_HEADER: Final = 500
#: Headers that say what a reply is and who made it. No others: what a gateway's mean is unknown.
_TELLING: Final = (
    "age", "allow", "cache-control", "connection", "content-encoding", "content-length",
    "content-type", "date", "duplicate-request", "retry-after", "server", "transfer-encoding",
    "vary", "via", "x-duplicate-request",
)  # fmt: skip
_HIDDEN: Final = HIDDEN.encode()
_LEGACY: Final = ("cp1251", "koi8-r", "latin-1")
_WORD: Final = rb"[0-9A-Za-z_\x80-\xff]"
_NAME: Final = rb"[\w.+\-\x80-\xff]"
_SOMEBODY: Final = re.compile(
    rb"(?<!" + _NAME + rb")" + _NAME + rb"+(?:@|%(?:25)?40|\\{1,8}u0040|&(?:amp;)?#(?:64|[xX]40);"
    rb"|&commat;)[\w\-\x80-\xff]+(?:\.[\w\-\x80-\xff]+)+"
    rb"|(?:\+|%2[bB])\d(?:[ ()\-]{0,2}\d){8,14}"
    rb"|[bB](?:asic|earer) {1,8}[\w.~+/=\-]{6,}"
)
#: Of the envelope: whose member has such a name, that body is hidden whole, and is not another one.
_WORDS: Final = frozenset({"active_balance", "data", "error", "error_text", "total_balance"})


def redacted_sample(
    wire: WireRequest,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    error: AltcraftBalanceError,
) -> dict[str, bytes]:
    """The files that tell of the reply to `wire`, by name.

    Args:
        wire: the request, whose values may not be in them.
        status: the HTTP status.
        headers: the reply's headers, asked for by lower-case names.
        body: the decoded body.
        error: what was made of it.
    """
    values = _values(wire)
    told = {name: headers[name][:_MAX_HEADER] for name in _TELLING if name in headers}
    says = str(error).partition(" (")[0]  # after it stand sizes and types, which redacting changes
    # Names of classes stay whole, whatever the member is called.
    said = redacted_bytes(HiddenBytes(says.encode("utf-8", "surrogateescape")), values)
    expected = {"raises": type(error).__name__, "transient": error.transient}
    expected["says"] = _silent(said, values).decode("utf-8", "replace")
    files = {
        "headers.json": redacted_bytes(_as_json(told), values),
        "body.bin": redacted_bytes(HiddenBytes(body), values)[:MAX_KEPT_BYTES],
    }
    kept = {name: _silent(text, values) for name, text in files.items()}
    return {"expected.json": _as_json({str(status): expected}), **kept}


def _silent(text: bytes, values: set[str]) -> bytes:
    """`text`, unless a value can be read out of it in a spelling that was not thought of."""
    return _HIDDEN if betrays(text.decode("utf-8", "replace"), values) else text


def redacted_bytes(text: bytes, values: set[str]) -> bytes:
    """`text` with ``***`` for each of `values`, however spelled, and for what looks like anybody's.

    A value of up to three characters goes only where it stands as a word of its own.
    """
    for value in sorted(values, key=len, reverse=True):
        text = re.sub(_anyhow(value), _HIDDEN, text)
    return _SOMEBODY.sub(_HIDDEN, text)


def without_anybody(text: str) -> str:
    """`text` with ``***`` for what looks like anybody's address, phone or password."""
    told = _SOMEBODY.sub(_HIDDEN, text.encode("utf-8", "surrogatepass"))
    return told.decode("utf-8", "replace")


def names_in(values: set[str]) -> set[str]:
    """The parts of addresses that name somebody."""
    return {name for value in values if (name := value.rpartition("@")[0])}


def _values(wire: WireRequest) -> set[str]:
    """What may not be told: the token, the member's values, and the caller's own headers."""
    values = {value.strip() for value in wire.hidden_values()}
    values |= names_in(values) - _WORDS
    plain = {"content-type", "accept"}
    values |= {text for name, text in wire.headers.items() if name.lower() not in plain}
    return values - {""}


def _as_json(value: Mapping[str, Any]) -> bytes:
    # Not escaped: a letter in UTF-8 and the same one in a header are then told by the same bytes.
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return HiddenBytes(text.encode("utf-8", "surrogateescape") + b"\n")


def _anyhow(value: str) -> bytes:
    """A pattern for `value` in any spelling."""
    pattern = rb"\x00{0,3}".join(map(_spelled, value))  # UTF-16 and UTF-32 have zeros there
    if len(value) < 4:
        return rb"(?<!" + _WORD + rb")" + pattern + rb"(?!" + _WORD + rb")"
    if (digits := phone_digits(value)) is not None:
        pattern += rb"|" + rb"[ ().\x00\-]{0,3}".join(map(_spelled, digits))
    return pattern


@lru_cache(maxsize=512)
def _spelled(character: str) -> bytes:
    """A pattern for one character in any spelling.

    Each way begins with a plain byte, for which the engine skips whatever cannot begin a match.
    """
    ways: dict[bytes, None] = {}
    for form in dict.fromkeys((character, character.lower(), character.upper())):
        ways |= dict.fromkeys(_ways(form))
    return b"(?:" + b"|".join(ways) + b")"


def _ways(form: str) -> Iterator[bytes]:
    plain = form.encode("utf-8", "surrogatepass")
    yield re.escape(plain)
    if form == " ":
        yield rb"\+"
    if not form.isalnum():
        yield rb"\\{1,8}" + re.escape(plain)
    for charset in ("utf-16-le", "utf-16-be", *_LEGACY) if not form.isascii() else ():
        yield from filter(None, [re.escape(form.encode(charset, "ignore"))])
    yield b"".join(rb"%%(?:25){0,3}%s" % _hex(byte, 2) for byte in plain)
    units = form.encode("utf-16-be", "surrogatepass")
    pairs = [units[at] << 8 | units[at + 1] for at in range(0, len(units), 2)]
    yield b"".join(rb"\\{1,8}u%s" % _hex(unit, 4) for unit in pairs)
    numbers = [rb"#0{0,6}%d" % ord(c) for c in form] + [rb"#[xX]0{0,6}%s" % _hex(ord(form[0]), 1)]
    names = [name.rstrip(";").encode() for name, text in html5.items() if text == form]
    yield rb"&(?:amp;){0,3}(?:" + b"|".join([*numbers, *names]) + rb");?"


def _hex(number: int, digits: int) -> bytes:
    text = f"{number:0{digits}x}"
    return "".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in text).encode()
