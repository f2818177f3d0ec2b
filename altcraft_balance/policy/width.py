"""How many requests may be under way at once: fewer than asked for when that costs nothing.

By Little's law ``rate = under way / latency``, so width can be judged by what it buys. On a
healthy server narrowing costs rate in proportion; on one that only queues it costs none and takes
away the queue; on one that contends it gains. Latency alone cannot tell these apart from a server
that merely became slower, so it only raises the question, and a trial answers it:

- Latency twice what it was, and not by the loop's own lag: narrow for a moment. Kept if as much is
  answered as before; else undone, and part of the growth is taken for the server's own pace.
- Narrowed: widen for a moment, now and then. Kept if more is answered; else undone.
- Trials that fail are spaced so that together they cost about 1 % of the rate.
"""

from __future__ import annotations

import math
from typing import Final

from attrs import frozen

__all__ = ["AdaptiveWidth"]

_TICK_S: Final = 0.25
_FIRST: Final = (
    4  # attempts, or a quarter of the slots, that show the latency before our own load has built up
)
_GROWN: Final = 2.0  # at this growth a queue holds as many as are served: room to spare
_LAGS: Final = 4.0  # turns of the loop that an attempt may wait for, at most
_LAG_FADES: Final = 0.8  # a tick; one quiet turn says little about the turns before it
_NARROWEST_STEP: Final = 0.5
_NARROW_STEP: Final = 0.75  # less could not be told from chance
_ENOUGH: Final = 50  # attempts, and one for each slot, that show what a width is worth
_WIDER: Final = 1.25
_WIDEST_STEP: Final = 2.0
_FULL: Final = 0.8  # of the slots in use: fewer, and it is not the width that limits
_KEPT: Final = 0.9  # of the rate before
_STEADY: Final = 1.25
_CALM: Final = 1.5
_TAIL: Final = 3.0
_COST: Final = 0.01  # of the rate, for narrowing that turned out wrong
_PAUSE_S: Final = 1.0  # between trials of widening; doubles after each that bought nothing
_LONGEST_PAUSE_S: Final = 8.0


@frozen
class _Seen:
    """What was seen at one width: answers a second, typical and mean latency, slots in use."""

    rate_per_s: float
    typical_s: float
    mean_s: float
    in_use: float


class AdaptiveWidth:
    """The width of a client's semaphore, between 1 and what the user allows.

    Attributes:
        width: requests that may be under way at once, now.
    """

    __slots__ = (
        "_answered",
        "_base_s",
        "_before",
        "_count",
        "_due_at",
        "_failed_s",
        "_first",
        "_in_use",
        "_lag_s",
        "_last",
        "_logs",
        "_most",
        "_narrow_at",
        "_pause_s",
        "_since",
        "_step",
        "_sum_s",
        "_trial_from",
        "_trial_since",
        "_widen_at",
        "width",
    )  # fmt: skip

    def __init__(self, most: int) -> None:
        """Start at `most`, the user's concurrency, which is never passed."""
        self.width = self._most = most
        self._first = max(_FIRST, most // 4)
        self._base_s = math.inf  # typical latency without a load to speak of
        self._failed_s = 0.0  # typical latency when narrowing last bought nothing
        self._narrow_at = self._widen_at = -math.inf  # no trial before
        self._pause_s = _PAUSE_S
        self._step = _WIDER
        self._trial_from = 0  # the width to go back to; 0 when no trial is on
        self._trial_since = 0.0
        self._before = _Seen(0.0, 0.0, 0.0, 0.0)
        self._last = self._before
        self._lag_s = 0.0
        self._due_at = -math.inf
        self._restart(-math.inf)

    def note(self, now: float, latency_s: float, in_use: int, answered: bool = True) -> None:
        """Count one attempt that was answered or timed out.

        Args:
            now: when it ended.
            latency_s: how long it took, waiting for a slot not included.
            in_use: slots in use when it ended, its own included.
            answered: False when it timed out.
        """
        if now < self._since:
            return
        self._count += 1
        self._answered += answered
        self._in_use += in_use
        self._sum_s += latency_s
        self._logs += math.log(latency_s + 1e-6)
        if self._first:
            self._first -= 1
            if not self._first:
                self._base_s = math.exp(self._logs / self._count)

    def due(self, now: float) -> bool:
        """Whether the loop's lag should be measured and `tick` called."""
        return now >= self._due_at

    def tick(self, now: float, lag_s: float) -> None:
        """Begin or end a trial, if enough has been seen.

        Args:
            now: the time.
            lag_s: seconds that one turn of the event loop takes now.
        """
        self._due_at = now + _TICK_S
        self._lag_s = max(lag_s, self._lag_s * _LAG_FADES)
        if self._since == -math.inf:
            self._since = now
        elif self._count and now > self._since and self._enough(now):
            seen = self._look(now)
            self._restart(now)
            if self._trial_from:
                seen = self._last = self._judge(now, seen)
            self._consider(now, seen)
            self._last = seen

    def _restart(self, since: float) -> None:
        self._since = since
        self._count = self._answered = self._in_use = 0
        self._sum_s = self._logs = 0.0

    def _enough(self, now: float) -> bool:
        enough = _ENOUGH + self.width
        if self._count >= enough:
            return True
        # Even if the rest came at once, less than enough would have been answered.
        return (
            0 < self._trial_from > self.width
            and (now - self._since) * _KEPT * self._before.rate_per_s > enough
        )

    def _look(self, now: float) -> _Seen:
        count = self._count
        return _Seen(
            self._answered / (now - self._since),
            math.exp(self._logs / count),
            self._sum_s / count,
            self._in_use / count,
        )

    def _consider(self, now: float, seen: _Seen) -> None:
        self._base_s = min(self._base_s, seen.typical_s)
        if seen.in_use < _FULL * self.width or seen.typical_s < _CALM * self._base_s:
            self.width = min(self._most, math.ceil(self.width * _WIDER))
            return
        servers_s = seen.typical_s - _LAGS * self._lag_s
        again = now >= self._narrow_at or servers_s > _GROWN * self._failed_s
        steady = (
            1 / _STEADY < seen.typical_s / (self._last.typical_s + 1e-9) < _STEADY
            and seen.mean_s < _TAIL * seen.typical_s
        )
        if servers_s > _GROWN * self._base_s and again and self.width > 1 and steady:
            step = _GROWN * self._base_s / servers_s
            step = min(_NARROW_STEP, max(_NARROWEST_STEP, step))
            self._try(now, max(1, int(self.width * step)), seen)
        elif self.width < self._most and now >= self._widen_at:
            self._try(now, min(self._most, math.ceil(self.width * self._step)), seen)

    def _try(self, now: float, width: int, seen: _Seen) -> None:
        self._trial_from, self._trial_since, self._before = self.width, now, seen
        self.width = width
        self._restart(now + seen.mean_s)  # those under way were sent at the old width

    def _judge(self, now: float, seen: _Seen) -> _Seen:
        """End the trial; what was seen at the width that is kept."""
        before, was, self._trial_from = self._before, self._trial_from, 0
        if self.width < was:
            fell = (1 + self.width / was) / 2
            gain = seen.rate_per_s / max(before.rate_per_s, 1e-9)
            kept = gain > _WIDER or (gain > _KEPT and seen.typical_s < fell * before.typical_s)
            self._after_narrowing(now, before, was, kept=kept)
        else:
            gain = (self.width / was - 1) / 2
            kept = seen.rate_per_s >= (1 + gain) * before.rate_per_s
            self._after_widening(now, kept=kept)
        if kept:
            return seen
        self.width = was
        self._restart(now + seen.mean_s)
        return before

    def _after_narrowing(self, now: float, before: _Seen, was: int, *, kept: bool) -> None:
        self._widen_at = now + self._pause_s
        if not kept:
            lost_s = (now - self._trial_since) * (1 - self.width / was)
            self._narrow_at = now + lost_s / _COST
            self._failed_s = before.typical_s
            self._base_s = math.sqrt(self._base_s * before.typical_s)

    def _after_widening(self, now: float, *, kept: bool) -> None:
        if kept:
            self._pause_s, self._step = _PAUSE_S, min(_WIDEST_STEP, self._step * _WIDER)
            return
        self._pause_s, self._step = min(_LONGEST_PAUSE_S, self._pause_s * 2), _WIDER
        self._widen_at = now + self._pause_s
