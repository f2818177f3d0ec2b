"""One gate for everybody on a client: a server that asks for a pause asks all of them.

A 429, or a 503 with ``Retry-After``, closes it. What was asked for is obeyed in full, never cut
short, and a little is added at random so that clients that were turned away together do not come
back together; the addition grows while nothing but throttling comes. Those who waited are then
let through one by one, over as long a time as the pause was, a second at most: a herd at the
gate would only close it again.

Answers to requests that were under way when it closed may prolong the pause, but they are the
same trouble, and do not make it a worse one.
"""

from __future__ import annotations

import math
from typing import Final

from altcraft_balance.policy.backoff import MAX_PAUSE_S, backoff_s
from altcraft_balance.settings import RetryPolicy

__all__ = ["TELLING_S", "Gate"]

#: The pause of an answer that asks for one and does not say how long.
_UNSAID_S: Final = 1.0
#: Who counts in whole seconds says 0 for less than one. A stray wish is believed; if more come with
#: few answers between them, it is a quota that speaks, and that is not to be stormed.
TELLING_S: Final = 0.2
_FEW: Final = 6  # answers between two wishes
_STORM: Final = 2  # times in a row
_LONGEST_SPREAD_S: Final = 1.0
_JITTER: Final = RetryPolicy()
_CLOCK_STEP_S: Final = 1e-6  # a shorter wait is none: loops fire early, by up to a clock's step


class Gate:
    """Open, or closed until a moment of the caller's clock.

    Attributes:
        busy_until: after this moment nobody waits for it at all.
    """

    def __init__(self) -> None:
        self._until = self._closed_at = self.busy_until = self._next_at = -math.inf
        self._spread_s = self._gap_s = 0.0
        self._streak, self._storm, self._answers = 0, 0, _FEW

    def close(self, now: float, *, sent_at: float, asked_s: float | None, draw: float) -> bool:
        """Close it, since a request sent at `sent_at` was answered with a wish for a pause.

        Args:
            now: the moment of the answer.
            sent_at: when its request was sent.
            asked_s: seconds that the server asked for; None when it did not say.
            draw: a number from 0 up to 1, drawn by the caller.

        Returns:
            Whether everybody waits longer than before.
        """
        if sent_at > self._closed_at:
            self._streak += 1
            self._storm = self._storm + 1 if self._answers < _FEW else 0
            self._closed_at, self._answers = now, 0
        asked_s = _UNSAID_S if asked_s is None else min(asked_s, MAX_PAUSE_S)
        if self._storm >= _STORM:
            asked_s = max(TELLING_S, asked_s)
        until = now + asked_s + backoff_s(_JITTER, self._streak, draw)
        if until <= self._until:
            return False
        self._until, self._spread_s = until, min(until - now, _LONGEST_SPREAD_S)
        self.busy_until, self._gap_s = until + self._spread_s, math.inf
        return True

    def wait_s(self, now: float) -> float:
        """Seconds until one more may pass; 0.0 is now."""
        if now >= self.busy_until:
            return 0.0
        return _shown(min(max(self._until, self._next_at), self.busy_until) - now)

    def closed_s(self, now: float) -> float:
        """Seconds until it opens; 0.0 when it is open."""
        return _shown(self._until - now)

    def passed(self, now: float, waiting: int) -> None:
        """One has passed, and `waiting` others stood behind it."""
        if now >= self.busy_until:
            return
        if self._gap_s == math.inf:  # the first one since it has opened
            self._gap_s = self._spread_s / (waiting + 1) if waiting else 0.0
        self._next_at = now + self._gap_s

    def answered(self) -> None:
        """The server answered a request in earnest: the next throttling is a new trouble."""
        self._streak = 0
        self._answers += 1


def _shown(wait_s: float) -> float:
    return wait_s if wait_s > _CLOCK_STEP_S else 0.0
