"""Where a run's time goes when it does not go into answers. Looked at a few times a second."""

from __future__ import annotations

from collections import Counter
from typing import Final

from altcraft_balance.session.stats import ClientStats

__all__ = ["reason_of"]

#: From the gravest on; a slot is waited for all the time, and lost only if nothing else is.
_REASONS: Final = ("gate", "breaker", "budget", "rate")


def reason_of(stats: ClientStats) -> str | None:
    """What holds lookups up at this moment, in one word; None when nothing does."""
    waiting = Counter(stats.waiting)
    for reason in _REASONS:
        if waiting[reason]:
            return reason
    full = stats.slots_in_use >= stats.width and waiting["slot"]
    return "slots" if full else None
