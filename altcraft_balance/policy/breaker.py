"""The circuit breaker: a server that answers nothing is asked now and then, by one probe.

It counts attempts that failed in a row. Twenty are no accident: a server that fails half of its
requests at random does so once in a million attempts. Where few are under way, five without any
reply are enough, if they are half a second apart, so that the last items of a batch do not use up
their attempts on a server that is down. A throttled attempt is an answer, and a lookup whose time
ran out in the queue is no attempt.

Members that always fail, with replies such as HTTP 500, look like an outage when nobody else is
asked. So a batch may doubt the alarm: its first probe goes at once, and asks again what was
answered before (`session.witness`). Silence says little to a caller who has far more time than
those who met it: such a call, too, becomes the probe at once.

The transitions are a table. In ``OPEN`` nothing is sent until a probe is due, 1 s after the trip
at the earliest, and each 1 to 30 s from then on, the rarer the longer it lasts; in ``PROBING`` one
attempt is under way, and everybody else waits for its end. Answers to attempts that were sent
before the trip change nothing.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Final

from altcraft_balance.policy.backoff import MAX_PAUSE_S, probe_after_s

__all__ = ["FAILURES_TO_OPEN", "Breaker", "BreakerState"]

FAILURES_TO_OPEN: Final = 20
_FAR_MORE: Final = 3.0
_SILENT_TO_OPEN: Final = 5
_SILENT_FOR_S: Final = 0.5


class BreakerState(Enum):
    """Where the breaker is."""

    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"


class _Event(Enum):
    TRIPPED = "too many attempts in a row failed"
    DUE = "a probe is sent"
    ANSWERED = "the probe was answered"
    FAILED = "the probe failed"
    LOST = "the probe's caller went away before its end"


_NEXT: Final = {
    (BreakerState.CLOSED, _Event.TRIPPED): BreakerState.OPEN,
    (BreakerState.OPEN, _Event.DUE): BreakerState.PROBING,
    (BreakerState.PROBING, _Event.ANSWERED): BreakerState.CLOSED,
    (BreakerState.PROBING, _Event.FAILED): BreakerState.OPEN,
    (BreakerState.PROBING, _Event.LOST): BreakerState.OPEN,
}


class Breaker:
    """One client's breaker.

    Attributes:
        state: where it is.
        failures: attempts that failed since the last answer; counted while it is closed.
        probes: probes since it opened.
        false_alarm: whether it closed at last because a batch's doubt was right.
    """

    def __init__(self) -> None:
        self.state = BreakerState.CLOSED
        self.failures = self.probes = 0
        self._silent, self._silent_since = 0, math.inf
        self._probe_at = self._opened_at = math.inf
        self._doubted = self.false_alarm = False
        self._patience_s = 0.0  # of the most patient attempt that failed since the last answer

    def wait_s(self, now: float) -> float:
        """Seconds until something may be sent: 0.0 is now, `math.inf` is "a probe decides"."""
        if self.state is BreakerState.CLOSED:
            return 0.0
        if self.state is BreakerState.PROBING:
            return math.inf
        return max(0.0, self._probe_at - now)

    def sent(self, now: float, draw: float) -> bool:
        """An attempt that it allows is sent; whether that is the probe."""
        if self.state is BreakerState.CLOSED:
            return False
        self._move(_Event.DUE)
        self.probes += 1
        self._probe_at = now + probe_after_s(now - self._opened_at, draw)
        return True

    def answered(self, *, probe: bool) -> bool:
        """An attempt was answered; whether that has closed the breaker."""
        if probe:
            self._move(_Event.ANSWERED)
            self.false_alarm = self._doubted and self.probes == 1
            self.probes = 0
        if self.state is BreakerState.CLOSED:
            self.failures, self._silent, self._patience_s = 0, 0, 0.0
        return probe

    def failed(
        self,
        now: float,
        *,
        probe: bool,
        draw: float,
        replied: bool = False,
        patience_s: float = math.inf,
    ) -> bool:
        """An attempt failed; whether that has opened the breaker.

        Args:
            now: the moment.
            probe: whether it was the probe.
            draw: a number from 0 up to 1, drawn by the caller.
            replied: whether there was some reply.
            patience_s: seconds that its caller gave it; `math.inf` if more would not have helped.
        """
        self._patience_s = max(self._patience_s, patience_s)
        if probe:
            self._move(_Event.FAILED)
            return True
        if self.state is not BreakerState.CLOSED:
            return False
        self._count(now, replied)
        silent = self._silent >= _SILENT_TO_OPEN and now - self._silent_since >= _SILENT_FOR_S
        if self.failures < FAILURES_TO_OPEN and not silent:
            return False
        self._move(_Event.TRIPPED)
        self._opened_at, self._probe_at = now, now + probe_after_s(0, draw)
        self._doubted = False
        return True

    def doubt(self, now: float) -> None:
        """It has opened just now, and somebody can find out at once whether that is right."""
        self._probe_at, self._doubted = now, True

    def hurry(self, now: float, patience_s: float) -> None:
        """A call that has so many seconds has come: if that is far more, a probe is due."""
        if self.state is BreakerState.OPEN and patience_s > _FAR_MORE * self._patience_s:
            self._probe_at = min(self._probe_at, now)

    def is_lasting(self, now: float) -> bool:
        """Whether the server has been down for 15 minutes, and may be gone.

        What is shorter a batch waits out; from then on probes cost attempts.
        """
        return self.state is not BreakerState.CLOSED and now - self._opened_at >= MAX_PAUSE_S

    def _count(self, now: float, replied: bool) -> None:
        self.failures += 1
        if replied:
            self._silent = 0
            return
        if not self._silent:
            self._silent_since = now
        self._silent += 1

    def lost(self, now: float, *, sent: bool) -> None:
        """The probe has no end that says anything: the next one goes when it would have gone.

        One that was never sent leaves its turn to the next at once.
        """
        self._move(_Event.LOST)
        if not sent:
            self._probe_at = now

    def _move(self, event: _Event) -> None:
        self.state = _NEXT[self.state, event]
