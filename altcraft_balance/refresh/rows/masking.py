"""A server's words, as they may be shown to people who may not know its members."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["masked"]

_MOST: Final = 160
#: No more is looked at.
_READ: Final = 1_000
#: An address, or a number that is long enough for a phone, a card or a member's id.
_PERSONAL: Final = re.compile(
    r"""[^\s"'<>()\[\]{},;:=]+ (?: [@\uff20] | %40 ) \S*
    | (?: [@\uff20] | %40 ) [^\s"'] \S*
    | [+\uff0b]? \d (?: [\s().+_/-]* \d ){5,}""",
    re.VERBOSE | re.IGNORECASE,
)


def masked(text: str) -> str:
    """`text` on one line, without what looks like an address, a phone or a long number."""
    seen = text[:_READ]
    if len(text) > _READ:
        seen = seen.rpartition(" ")[0]  # what is cut may not look like what it was
    printable = "".join(letter if letter.isprintable() else " " for letter in seen)
    shown = _PERSONAL.sub("***", " ".join(printable.split()))
    cut = len(shown) > _MOST or len(text) > _READ
    return f"{shown[: _MOST - 1]}…" if cut else shown
