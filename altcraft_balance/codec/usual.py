"""The replies of success as the reference page shows them, read in one step.

This decides nothing that the parsers would decide otherwise: it takes only what can be read in one
way, byte for byte as documented, and leaves all else to them: other keys or another order, blanks,
escapes, numbers, letters beyond ASCII. It is quicker: 1 µs in the place of 4, and of 20 for XML.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

__all__ = ["usual_amounts"]

#: Within the bounds of `amounts.read_amount`, whatever the digits are.
_AMOUNT: Final = rb"(-?[0-9]{1,32}(?:\.[0-9]{1,32})?)"
_JSON: Final = re.compile(
    rb'\{"error":0,"error_text":"[ !#-\[\]-~]*",'
    rb'"data":\{"total_balance":"%b","active_balance":"%b"\}\}\n?' % (_AMOUNT, _AMOUNT)
)
_XML: Final = re.compile(
    rb"<xml><error>0</error><error_text>[ -%%'-;=?-~]*</error_text><data>"
    rb"<total_balance>%b</total_balance><active_balance>%b</active_balance></data></xml>\n?"
    % (_AMOUNT, _AMOUNT)
)


def usual_amounts(body: bytes) -> tuple[Decimal, Decimal] | None:
    """The total and the active balance, when `body` is the documented reply; None: look closer."""
    found = (_JSON if body[:1] == b"{" else _XML).fullmatch(body)
    if found is None:
        return None
    total, active = found.groups()
    return Decimal(total.decode()), Decimal(active.decode())
