"""Finds the rate that a server allows, when nobody has said it.

(draft; theory to come)
"""

from __future__ import annotations

import math
from collections import deque
from enum import Enum
from typing import Final

__all__ = ["AdaptiveRate"]

_SLOWEST: Final = 0.5
_START: Final = 10.0
_SEEK: Final = 4.0  # a second
_RECOVER: Final = 2.0
_MARGIN: Final = 0.99
_PROBE: Final = 0.01
_DOUBT_S: Final = 3.0
_TRUST_S: Final = 60.0
_AGREE: Final = 0.05
_LOOK_S: Final = 0.1
_LOOK_SENT: Final = 4
_FEW: Final = 8


class _State(Enum):
    FREE = "free"
    CLIMB = "climb"
    KEEP = "keep"


class AdaptiveRate:
    """Finds an unknown rate."""

    def __init__(self) -> None:
        self._state = _State.FREE
        self._rate = math.inf
        self._look_at = math.inf
        self._answered = self._sent = 0
        self._first_at = math.inf
        self._event_at = self._open_at = -math.inf
        self._reopened = True
        self._found = math.inf
        self._hold_s = _DOUBT_S
        self._age_s = self._base = 0.0
        self._factor = _SEEK
        self._stored = 0.0
        self._allowed = 0.0
        self._marks: deque[tuple[float, int, int, float]] = deque(maxlen=256)

    def limit(self, now: float) -> float:
        if now >= self._look_at:
            self._look(now)
        return self._rate

    def sent(self, now: float) -> None:
        self._sent += 1
        if now < self._first_at:
            self._first_at = now

    def answered(self, now: float) -> None:
        self._answered += 1

    def throttled(self, now: float, sent_at: float, pause_s: float) -> None:
        again = sent_at > self._event_at and (self._state is _State.FREE or self._answered > 0)
        if again:
            if self._state is not _State.FREE:
                self._learn(now, sent_at)
            self._event_at = now
            self._reopened = False
            self._open_at = now
            if self._state is not _State.FREE:
                self._answered = 0
        self._open_at = max(self._open_at, now + pause_s)
        self._look_at = self._open_at

    def recovered(self, now: float) -> None:
        self._state, self._factor, self._base = _State.CLIMB, _RECOVER, _START
        self._restart(now)
        self._event_at = now
        self._look(now)

    def _restart(self, now: float) -> None:
        self._reopened = True
        self._age_s = self._allowed = 0.0
        self._sent = 0
        self._marks.clear()
        self._marks.append((now, 0, self._answered, 0.0))

    def _look(self, now: float) -> None:
        if not self._reopened:
            if self._state is _State.FREE:
                self._stored = self._answered
                self._state, self._factor = _State.CLIMB, _SEEK
                self._base = max(_START, self._answered / (now - self._first_at))
                self._answered = 0
            self._restart(now)
        self._count(now)
        self._rate = max(_SLOWEST, self._law(now))
        self._look_at = now + max(_LOOK_S, _LOOK_SENT / self._rate)

    def _count(self, now: float) -> None:
        then, sent, _, allowed = self._marks[-1]
        if now <= then:
            return
        due = self._rate * (now - then)
        self._marks.append((now, self._sent, self._answered, allowed + due))
        if self._sent - sent >= 0.7 * due:
            self._age_s += now - then
        if self._state is _State.CLIMB and now - self._marks[0][0] >= 1:
            t, s, _, a = self._ago(now, 1.0)
            if self._sent - s < 0.5 * (allowed + due - a):
                self._end_climb()

    def _ago(self, now: float, s: float) -> tuple[float, int, int, float]:
        for m in reversed(self._marks):
            if m[0] <= now - s:
                return m
        return self._marks[0]

    def _end_climb(self) -> None:
        if self._found < math.inf:
            self._state = _State.KEEP
            self._age_s = 0.0
        else:
            self._state = _State.FREE

    def _law(self, now: float) -> float:
        if self._state is _State.FREE:
            self._look_at = math.inf
            return math.inf
        if self._state is _State.CLIMB:
            rate = self._base * self._factor**self._age_s
            if self._factor == _RECOVER and now - self._marks[0][0] >= 1:
                t, _, n, _ = self._ago(now, 1.0)
                rate = min(rate, max(_START, 2 * (self._answered - n) / (now - t)))
            if rate >= self._found:
                self._end_climb()
            return min(rate, self._found)
        over = self._age_s - self._hold_s
        if over <= 0:
            return self._found * _MARGIN
        return self._found * _MARGIN * (1 + _PROBE * 2 ** min(over, 20.0))

    def _learn(self, now: float, sent_at: float) -> None:
        total = self._sent - self._rate * (now - sent_at)
        mean = total / (sent_at - self._event_at)
        peak = 0.0
        for t, s, _, _ in self._marks:
            n = total - s
            if n >= _FEW and sent_at > t:
                peak = max(peak, (n - self._stored + 0.5) / (sent_at - t))
        found = min(max(mean, peak), self._rate)
        if total < _FEW and self._state is _State.KEEP:
            found = max(found, 0.8 * self._found)
        agreed = abs(found - self._found) <= _AGREE * self._found
        self.log = (
            now,
            self._state.value,
            mean,
            peak,
            self._rate,
            found,
            self._hold_s,
            self._age_s,
        )
        self._hold_s = _TRUST_S if agreed else _DOUBT_S
        self._found = max(found, _SLOWEST)
        self._state = _State.KEEP
