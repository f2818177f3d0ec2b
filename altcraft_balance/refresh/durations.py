"""Durations and counts, as people read them."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["duration_s", "milliseconds", "plural", "span"]

_DURATION: Final = re.compile(
    r"(?=[\d.])" + "".join(rf"(?:(\d+|\d*\.\d+){unit})?" for unit in "hms") + r"\Z",
    re.ASCII | re.IGNORECASE,
)


def duration_s(text: str) -> float | None:
    """The seconds in ``90s``, ``30m``, ``7h`` or ``1h30m``; None for other texts."""
    found = _DURATION.match("".join(text.split()))
    if found is None:
        return None
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def milliseconds(seconds: float | None) -> str:
    """``86 ms``."""
    return "unknown" if seconds is None else f"{seconds * 1000:,.0f} ms"


def span(seconds: float) -> str:
    """``6.8 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02} min"


def plural(count: int, noun: str) -> str:
    """``1 row``, ``2,000 rows``, ``3 processes``."""
    return f"{count:,} {noun}{'' if count == 1 else 'es' if noun.endswith('s') else 's'}"
