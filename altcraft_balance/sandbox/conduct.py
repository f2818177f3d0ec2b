"""How the server carries itself: delays, quota, statuses. Each wrong setting gets one sentence."""

from __future__ import annotations

import math
from random import Random
from typing import Any, Final, Literal

from attrs import Attribute, field, frozen

from altcraft_balance.errors import ConfigurationError

__all__ = ["Conduct"]

_DAY_S: Final = 86_400


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _seconds(_: object, attribute: Attribute[Any], value: Any) -> None:
    if not _is_number(value) or value < 0:
        raise ConfigurationError(
            f"{attribute.name} must be a number of seconds from 0, not {value!r}"
        )


def _whole_seconds(_: object, attribute: Attribute[Any], value: Any) -> None:
    if type(value) is not int or not 0 <= value <= _DAY_S:
        raise ConfigurationError(
            f"{attribute.name} must be an integer from 0 to {_DAY_S}, not {value!r}"
        )


def _rate(_: object, attribute: Attribute[Any], value: Any) -> None:
    if value is not None and (not _is_number(value) or value <= 0):
        raise ConfigurationError(
            f"{attribute.name} must be a number greater than 0, or None, not {value!r}"
        )


def _burst(_: object, attribute: Attribute[Any], value: Any) -> None:
    if value is not None and (not _is_number(value) or value < 1):
        raise ConfigurationError(
            f"{attribute.name} must be a number from 1, or None, not {value!r}"
        )


def _error_status(_: object, attribute: Attribute[Any], value: Any) -> None:
    if value not in ("ok", "envelope"):
        raise ConfigurationError(f"{attribute.name} must be 'ok' or 'envelope', not {value!r}")


@frozen(kw_only=True)
class Conduct:
    """The settings of `Sandbox` that say how, not what, it answers; they are described there."""

    latency_s: float = field(validator=_seconds)
    jitter_s: float = field(validator=_seconds)
    slow_s: float = field(validator=_seconds)
    rate_per_s: float | None = field(validator=_rate)
    burst: float | None = field(validator=_burst)
    retry_after_s: int = field(validator=_whole_seconds)
    error_status: Literal["ok", "envelope"] = field(validator=_error_status)

    def delay_s(self, fault: str | None, chance: Random) -> float:
        """How long a reply waits, in seconds."""
        delay_s = self.latency_s
        if self.jitter_s:
            delay_s += chance.uniform(0, self.jitter_s)
        return delay_s + self.slow_s if fault == "latency" else delay_s

    def status_of(self, code: int) -> int:
        """The HTTP status of an envelope with this code."""
        return code if self.error_status == "envelope" and 400 <= code <= 599 else 200
