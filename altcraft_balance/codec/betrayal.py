"""Whether a text betrays a value: a server may repeat it in a spelling that nobody has thought of.

The text is brought to a plain form: escapes undone, however often, without case, accents and what
is invisible. Then the value is looked for in its plain form, and as base64, as hex, as the digits
of a phone, as UTF-8 that was read as something else, and its beginning and end. Cheap enough for
each error; what is found is for others to take out.
"""

from __future__ import annotations

import html
import re
import unicodedata
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final
from urllib.parse import unquote

__all__ = ["betrays", "phone_digits"]

_ROUNDS: Final = 4
_LEAST: Final = 4  # characters: what is shorter is in every text
_LEAST_PART: Final = 8
_PHONE_DIGITS: Final = 10  # the rest says the country: 8 and +7 are the same one
_ESCAPE: Final = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([/\"\\]))")
_PHONE: Final = re.compile(r"\+?[\d ().-]{7,}\Z")
_MISREAD: Final = ("latin-1", "cp1251", "cp1252")
_BLANKS: Final = dict.fromkeys((*range(33), 127))
_URL_SAFE: Final = str.maketrans("-_", "+/")  # base64's other alphabet


def betrays(text: str, values: Iterable[str]) -> bool:
    """Whether one of `values` can be read out of `text`; those of three characters are not told."""
    unescaped = _unescaped(text)
    plain = _bare(unescaped)
    looked_at = (plain, plain.translate(_URL_SAFE), _digits(plain))
    ids = {number.lstrip("0") for number in re.findall(r"\d+", unescaped)}
    return any(
        _is_telling(number := value.lstrip("0")) and number in ids
        if value.isdecimal() and len(value) < _PHONE_DIGITS
        else any(form in there for form in _forms(value) for there in looked_at)
        for value in values
    )


def _unescaped(text: str) -> str:
    for _ in range(_ROUNDS):
        before = text
        text = html.unescape(text) if "&" in text else text
        text = unquote(text) if "%" in text else text
        text = _ESCAPE.sub(_character, text) if "\\" in text else text
        if text == before:
            break
    return text


def _character(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else match[3]


def _bare(text: str) -> str:
    """Without case, accents, blanks and what nobody sees."""
    if text.isascii():
        return text.lower().translate(_BLANKS)
    text = unicodedata.normalize("NFKD", text).casefold()
    return "".join(filter(_is_seen, text))


def _is_seen(character: str) -> bool:
    return (
        character.isprintable() and not character.isspace() and not unicodedata.combining(character)
    )


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def phone_digits(value: str) -> str | None:
    """The digits of a phone that tell whose it is; None: it is no phone."""
    return _digits(value)[-_PHONE_DIGITS:] if _PHONE.match(value) else None


def _forms(value: str) -> Iterator[str]:
    """The plain forms of a value and of its parts, as far as they are long enough to tell it."""
    raw = value.encode("utf-8", "surrogatepass")
    if (number := phone_digits(value)) is not None:
        yield number
    name = value.rpartition("@")[0]
    yield from filter(_is_telling, (_bare(value), _bare(name)))
    if not name and number is None and len(value) > _LEAST_PART:  # a token that was cut off
        yield _bare(value[:_LEAST_PART])
        yield _bare(value[-_LEAST_PART:])
    if not value.isascii():
        yield from filter(_is_telling, map(_bare, _misread(value)))
    if _is_telling(value):
        yield raw.hex()
    for before in range(3):
        encoded = b64encode(bytes(before) + raw).decode().lower()
        part = encoded[(0, 2, 3)[before] : -4]  # the rest depends on what stands beside it
        if len(part) >= _LEAST_PART:
            yield part


def _is_telling(form: str) -> bool:
    return len(form) >= _LEAST


def _misread(value: str) -> Iterator[str]:
    for charset in _MISREAD:
        yield value.encode("utf-8", "surrogatepass").decode(charset, "ignore")
    name, _, domain = value.rpartition("@")
    with suppress(UnicodeError):
        yield f"{name}@{domain.encode('idna').decode()}"
