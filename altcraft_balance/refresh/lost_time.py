"""Where a run's time goes when it does not go into answers. Looked at a few times a second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from altcraft_balance.session.stats import ClientStats

__all__ = ["Waits", "reason_of"]

#: From the gravest on; a slot is waited for all the time, and lost only if nothing else is.
_REASONS: Final = ("gate", "breaker", "budget", "rate")


def _always() -> bool:
    return True


class Waits:
    """Seconds that one waited, the wait that is going on among them.

    Args:
        clock: gives seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._past_s = 0.0
        self._began: float | None = None
        self._counts: Callable[[], bool] = _always

    @contextmanager
    def going_on(self, counts: Callable[[], bool] = _always) -> Iterator[None]:
        """Within it one waits, as long as `counts` says that it is for this."""
        self._began, self._counts = self._clock(), counts
        try:
            yield
        finally:
            self._past_s, self._began = self.seconds(), None

    def seconds(self) -> float:
        """So far."""
        if self._began is None or not self._counts():
            return self._past_s
        return self._past_s + self._clock() - self._began


def reason_of(stats: ClientStats) -> str | None:
    """What holds lookups up at this moment, in one word; None when nothing does."""
    waiting = Counter(stats.waiting)
    for reason in _REASONS:
        if waiting[reason]:
            return reason
    full = stats.slots_in_use >= stats.width and waiting["slot"]
    return "slots" if full else None
