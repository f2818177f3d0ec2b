"""Checks of single settings: each failure is one `ConfigurationError` with one sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from altcraft_balance.errors import ConfigurationError

__all__ = ["checked_seconds", "choice", "number", "whole", "yes_or_no"]

Validator: TypeAlias = Callable[[Any, Any, Any], None]

_LONGEST_S: Final = 1e9  # some thirty years; beyond it floats overflow


def _is_number(value: Any, low: float) -> bool:
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    return fits and low <= value <= _LONGEST_S


def number(low: float, *, above: bool = False, optional: bool = False) -> Validator:
    """A number of at least `low`, or, with `above`, greater than it."""
    bound = f"{'greater than' if above else 'at least'} {low:g}, up to a billion"

    def validate(_: object, attribute: Any, value: Any) -> None:
        if value is None and optional:
            return
        if not _is_number(value, low) or (above and value == low):
            raise ConfigurationError(f"{attribute.name} must be a number {bound}, not {value!r}")

    return validate


def whole(low: int) -> Validator:
    """A whole number of at least `low`."""

    def validate(_: object, attribute: Any, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise ConfigurationError(
                f"{attribute.name} must be a whole number of at least {low}, not {value!r}"
            )

    return validate


def checked_seconds(value: Any, name: str) -> float | None:
    """A number of seconds above 0, or None for no limit."""
    if value is not None and (not _is_number(value, 0) or value == 0):
        raise ConfigurationError(f"{name} must be a number of seconds above 0, or None")
    return value  # type: ignore[no-any-return]


def choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """One of `choices`."""
    if value not in choices:
        raise ConfigurationError(f"{name} must be one of {', '.join(choices)}, not {value!r}")


def yes_or_no(_: object, attribute: Any, value: Any) -> None:
    """True or False."""
    if not isinstance(value, bool):  # "no" would count as yes
        raise ConfigurationError(f"{attribute.name} must be True or False, not {value!r}")
