"""Durations and counts, as people read them."""

from __future__ import annotations

__all__ = ["milliseconds", "plural", "span"]


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
