"""Amounts of points: exact decimals or an error, never a float.

The platform sends decimal strings with any number of places, ``"1000.00"``, ``"50"`` (reference
page and its siblings). A JSON number is taken too, when it arrives here undamaged: as an `int`
or as its text.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

from altcraft_balance.codec.envelope import BadEnvelope

__all__ = ["read_amount"]

#: ASCII digits only: ``\\d`` and `Decimal` alone would take the digits of every script.
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?\Z")
_MAX_DIGITS: Final = 64
_MAX_EXPONENT: Final = 64


def read_amount(value: Any, name: str) -> Decimal:
    """The amount that `value` says, exactly.

    Raises:
        BadEnvelope: it is not a finite decimal number of at most 64 digits, scaled by a power
            of ten of at most 64 either way.
    """
    if isinstance(value, str):
        text = value.strip()
    elif isinstance(value, int) and not isinstance(value, bool):
        text = str(value)
    else:
        raise BadEnvelope(f"{name} is not an amount but {_shape(value)}")
    # The length comes first, so that a number of a million digits costs nothing.
    if len(text) > 2 * _MAX_DIGITS or not _NUMBER.match(text):
        raise BadEnvelope(f"{name} is not a decimal number")
    amount = Decimal(text)
    _, digits, exponent = amount.as_tuple()
    if len(digits) > _MAX_DIGITS or abs(int(exponent)) > _MAX_EXPONENT:
        raise BadEnvelope(f"{name} has more digits than any amount of points")
    return amount


def _shape(value: Any) -> str:
    if value is None:
        return "nothing"
    return "several values" if isinstance(value, list) else f"a {type(value).__name__}"
