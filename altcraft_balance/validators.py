"""Checks of single settings: each failure is one `ConfigurationError` with one sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from altcraft_balance.errors import ConfigurationError

__all__ = [
    "checked_number",
    "checked_seconds",
    "checked_wait",
    "choice",
    "number",
    "whole",
    "yes_or_no",
]

Validator: TypeAlias = Callable[[Any, Any, Any], None]

_LONGEST_S: Final = 1e9  # some thirty years; beyond it floats overflow


def _is_number(value: Any, low: float) -> bool:
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    return fits and low <= value <= _LONGEST_S


def checked_number(value: Any, name: str, low: float, *, above: bool = False) -> float:
    """A number of at least `low`, or, with `above`, greater than it."""
    if not _is_number(value, low) or (above and value == low):
        bound = f"{'greater than' if above else 'at least'} {low:g}, up to a billion"
        raise ConfigurationError(f"{name} must be a number {bound}, not {value!r}")
    return float(value)


def number(low: float, *, above: bool = False, optional: bool = False) -> Validator:
    """The same as a check of an attribute; with `optional` None is accepted too."""

    def validate(_: object, attribute: Any, value: Any) -> None:
        if value is not None or not optional:
            checked_number(value, attribute.name, low, above=above)

    return validate


def whole(low: int, most: int | None = None) -> Validator:
    """A whole number of at least `low` and, if that is given, at most `most`."""
    bound = f"of at least {low}" if most is None else f"from {low} to {most:,}"

    def validate(_: object, attribute: Any, value: Any) -> None:
        fits = isinstance(value, int) and not isinstance(value, bool) and value >= low
        if not fits or (most is not None and value > most):
            raise ConfigurationError(
                f"{attribute.name} must be a whole number {bound}, not {value!r}"
            )

    return validate


def checked_seconds(value: Any, name: str) -> float | None:
    """A number of seconds above 0, or None for no limit."""
    if value is not None and (not _is_number(value, 0) or value == 0):
        raise ConfigurationError(f"{name} must be a number of seconds above 0, or None")
    return value  # type: ignore[no-any-return]


def checked_wait(value: Any, name: str) -> float:
    """A number of seconds, 0 or more; there is no "for ever"."""
    if not _is_number(value, 0):
        raise ConfigurationError(
            f"{name} must be a number of seconds, 0 or more, up to a billion, not {value!r}"
        )
    return value  # type: ignore[no-any-return]


def choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """One of `choices`."""
    if value not in choices:
        raise ConfigurationError(f"{name} must be one of {', '.join(choices)}, not {value!r}")


def yes_or_no(_: object, attribute: Any, value: Any) -> None:
    """True or False."""
    if not isinstance(value, bool):  # "no" would count as yes
        raise ConfigurationError(f"{attribute.name} must be True or False, not {value!r}")
