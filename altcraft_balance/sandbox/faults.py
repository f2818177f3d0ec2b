"""Which misbehaviours there are, how often each happens, and the seeded draw between them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from random import Random
from types import MappingProxyType
from typing import Final

from altcraft_balance.errors import ConfigurationError

__all__ = ["FAULTS", "Draw", "checked_rates"]

#: Every fault's name and what it does, in one line.
FAULTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "latency": "the right reply comes late, by slow_s seconds",
        "reset_before": "a TCP reset in place of the reply",
        "reset_inside": "a TCP reset after some bytes of the reply",
        "reset": "a TCP reset before or inside the reply",
        "status429": "HTTP 429 with Retry-After and a plain-text page",
        "status503": "HTTP 503 with Retry-After and an HTML page",
        "status500": "HTTP 500 with a plain-text page",
        "app_error_200": "error 500 in the envelope, with HTTP 200",
        "app_error_4xx": "error 400 in the envelope, with HTTP 400: a final answer",
        "html": "an HTML page with HTTP 200",
        "empty": "an empty body with HTTP 200",
        "truncated": "a Content-Length greater than the body, then the connection ends",
        "wrong_content_type": "the right reply under a Content-Type that is not its own",
        "other_format": "the right reply in XML where JSON is due, and the reverse",
        "stray": "after the right reply a second, wrong one on the idle connection",
        "idle_close": "after the right reply the idle connection is closed unannounced",
        "late_408": "after the right reply an unasked HTTP 408, then the connection ends",
    }
)


def checked_rates(faults: Mapping[str, float] | str | None) -> dict[str, float]:
    """Rates by name, from a mapping or from text such as ``"reset=0.05,status503=0.05"``.

    Raises:
        ConfigurationError: an unknown name, a rate outside 0 to 1, or more than 1 together.
    """
    if isinstance(faults, str):
        faults = _parsed(faults)
    rates = {_known(name): _share(name, rate) for name, rate in (faults or {}).items()}
    if sum(rates.values()) > 1 + 1e-9:  # ten times 0.1 is not quite 1
        raise ConfigurationError(
            f"the faults' rates add up to {sum(rates.values()):g}: 1 is the most, "
            "since a request meets one fault at a time"
        )
    return rates


def _parsed(text: str) -> dict[str, float]:
    rates: dict[str, float] = {}
    for entry in filter(None, map(str.strip, text.split(","))):
        name, _, rate = map(str.strip, entry.partition("="))
        if name in rates:
            raise ConfigurationError(f"fault {name!r} stands twice")
        try:
            rates[name] = float(rate)
        except ValueError:
            raise ConfigurationError(
                f"faults are written name=rate, such as reset=0.05, not {entry!r}"
            ) from None
    return rates


def _known(name: str) -> str:
    if name not in FAULTS:
        raise ConfigurationError(f"unknown fault {name!r}: known are {', '.join(FAULTS)}")
    return name


def _share(name: str, rate: float) -> float:
    number = isinstance(rate, int | float) and not isinstance(rate, bool)
    if not number or not 0 <= rate <= 1:
        raise ConfigurationError(f"the rate of fault {name!r} must be from 0 to 1, not {rate!r}")
    return float(rate)


class Draw:
    """One draw for each request: at most one fault, the same sequence for the same seed.

    Attributes:
        chance: for details, such as where a reply is cut; apart from the draws, so that it does
            not change which fault comes next.
    """

    def __init__(self, rates: Mapping[str, float], seed: int) -> None:
        self._names = [name for name, rate in rates.items() if rate]
        self._thresholds = list(accumulate(rates[name] for name in self._names))
        self._random = Random(seed)
        self.chance = Random(f"{seed} details")

    def __call__(self) -> str | None:
        """The name of the fault that this request meets, or None."""
        if not self._names:
            return None
        place = bisect_right(self._thresholds, self._random.random())
        return self._names[place] if place < len(self._names) else None
