"""Which amounts fit a decimal column of Arrow. Pure."""

from __future__ import annotations

from typing import Any, Final

from altcraft_balance.errors import ConfigurationError

__all__ = ["PRECISION", "AmountScale", "checked_amount_scale"]

#: Digits of a ``decimal128``.
PRECISION: Final = 38


def checked_amount_scale(value: Any) -> int:
    """How many decimals amounts have."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= PRECISION:
        return value
    raise ConfigurationError(f"amount_scale must be a whole number from 0 to {PRECISION}")


class AmountScale:
    """A column of ``decimal128(38, decimals)``.

    Raises:
        ConfigurationError: `decimals` is no whole number from 0 to 38.
    """

    __slots__ = ("_surely_fits", "_whole_digits", "decimals")

    def __init__(self, decimals: int) -> None:
        self.decimals = checked_amount_scale(decimals)
        self._whole_digits = PRECISION - decimals
        self._surely_fits = min(decimals + 1, self._whole_digits)

    def refuses(self, amount: str) -> str | None:
        """Why `amount`, plain decimal text, has no exact place; None when it has."""
        if len(amount) <= self._surely_fits:
            return None
        whole, _, decimals = amount.partition(".")
        if len(whole) <= self._whole_digits and len(decimals) <= self.decimals:
            return None
        if len(decimals.rstrip("0")) > self.decimals:
            return f"the amount has more than the {self.decimals} decimals of amount_scale"
        if len(whole.lstrip("+-").lstrip("0")) > self._whole_digits:
            return f"the amount has more than {self._whole_digits} digits before its decimals"
        return None
