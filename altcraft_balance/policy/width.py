"""How many requests may be under way at once: fewer than allowed while that costs nothing.

By Little's law, answers a second are requests under way over latency. So on a healthy server
narrowing costs rate in proportion; on one that only queues it costs none and takes the queue away;
on one whose requests slow each other it gains. Latency alone cannot tell these from a server that
merely became slower, so it only raises the question, and a trial answers it:

- Latency twice what it was, and not by our loop's own lag: narrow. Kept if latency falls with the
  width while as much is answered; else undone, and part of the growth passes for the server's own.
- Narrowed, and latency back where it was, or slots idle: widen, step by step.
- Narrowed, and latency between the two: widen for a moment. Kept if more is answered; else undone.
- Trials that fail are spaced: all together they cost about 1 % of the rate.
- Nothing under way for a moment: window and trial begin anew. No window whole for half a minute:
  full width, for what was learnt is stale, and a queue is found again within seconds.

`benchmarks/widths.py` compares this with AIMD and with the ideas of Gradient2 and Vegas, which all
narrow on a healthy server that merely becomes slower, or whose attempts time out now and then.
"""

from __future__ import annotations

import math
from typing import Final

from attrs import frozen

__all__ = ["AdaptiveWidth"]

_TICK_S: Final = 0.25
_IDLE_S: Final = 0.25  # with nothing under way; less may be our own way to the next attempt
_STALE_S: Final = 30.0
_ENOUGH: Final = 50  # attempts, and one for each slot, show what a width is worth
_GROWN: Final = 2.0  # at this growth as many wait in a queue as are served: room to spare
_CALM: Final = 1.5  # growth under which nothing speaks for being narrow
_STEADY: Final = 1.25  # a window may differ from the one before by so much, to be compared with
_STUCK: Final = 2.5  # mean over typical latency: a few slow attempts hold most of the slots
_FULL: Final = 0.8  # of the slots in use; fewer, and it is not the width that limits
_LAGS: Final = 4.0  # turns of the loop that an attempt waits for, at most
_LAG_FADES: Final = 0.8  # at each tick; one quiet turn says little about the others
_NARROW: Final = 0.75  # less of a step could not be told from chance
_NARROWEST: Final = 0.5
_WIDER: Final = 1.25
_WIDEST: Final = 2.0
_KEPT: Final = 0.9  # of the rate before narrowing
_COST: Final = 0.01  # of the rate may be lost to narrowing that is undone
_PAUSE_S: Final = 1.0  # between trials of widening, doubled by each that bought nothing
_LONGEST_PAUSE_S: Final = 8.0
_LEAST_S: Final = 1e-6  # has a logarithm, and no latency is shorter


@frozen
class _Seen:
    """What a window of attempts showed.

    Attributes:
        answered_per_s: attempts that were answered, a second.
        ended_per_s: those and the ones that timed out.
        typical_s: latency, its geometric mean: a tail of one attempt in a hundred moves it little.
        in_use: slots in use, the mean.
    """

    answered_per_s: float
    ended_per_s: float
    typical_s: float
    in_use: float

    @property
    def mean_s(self) -> float:
        """Latency by Little's law, as attempts that have not ended count; bounded by those seen."""
        return min(self.in_use / self.ended_per_s, _STUCK * self.typical_s)

    def like(self, other: _Seen) -> bool:
        """Whether `other` shows the same, within chance."""
        return (
            1 / _STEADY < self.typical_s / other.typical_s < _STEADY
            and 1 / _STEADY < self.ended_per_s / other.ended_per_s < _STEADY
        )


@frozen
class _Trial:
    """A width that is tried since `since`: the width and the sight before it."""

    since: float
    width: int
    before: _Seen


class AdaptiveWidth:
    """The width of one client's semaphore.

    Attributes:
        width: requests that may be under way at once, now; 1 to the `most` that the user allows.
        due_at: when it is time to measure the loop's lag and call `tick`.
    """

    __slots__ = (
        "_answered",
        "_count",
        "_ended_at",
        "_failed_s",
        "_first",
        "_in_use",
        "_lag_s",
        "_last",
        "_learnt_at",
        "_logs",
        "_most",
        "_narrow_at",
        "_pause_s",
        "_since",
        "_step",
        "_trial",
        "_unloaded_s",
        "_widen_at",
        "due_at",
        "width",
    )

    def __init__(self, most: int) -> None:
        self.width = self._most = most
        self._first = max(4, most // 4)  # attempts that end before our own load has built up
        self._unloaded_s = math.inf  # typical latency without such a load
        self._failed_s = math.inf  # typical latency when narrowing last bought nothing
        self._trial: _Trial | None = None
        self._last: _Seen | None = None
        self._narrow_at = self._widen_at = self.due_at = -math.inf
        self._ended_at = self._learnt_at = -math.inf  # the last attempt, and the last whole window
        self._pause_s, self._step, self._lag_s = _PAUSE_S, _WIDER, 0.0
        self._restart(-math.inf)

    def note(self, now: float, latency_s: float, in_use: int, answered: bool = True) -> None:
        """Count one attempt that was answered or timed out.

        Args:
            now: when it ended.
            latency_s: how long it took, the wait for a slot not included.
            in_use: slots in use when it ended, its own included.
            answered: False when it timed out.
        """
        if now - latency_s > self._ended_at + _IDLE_S:
            self._begin(now - latency_s)
        self._ended_at = now
        if now < self._since:
            return
        self._count += 1
        self._answered += answered
        self._in_use += in_use
        self._logs += math.log(latency_s + _LEAST_S)
        if self._count == self._first:
            self._first = 0
            self._unloaded_s = math.exp(self._logs / self._count)

    def tick(self, now: float, lag_s: float) -> None:
        """Begin, end or leave a trial, when enough has been seen.

        Args:
            now: the time.
            lag_s: how long one turn of the event loop takes now.
        """
        self.due_at = now + _TICK_S
        self._lag_s = max(lag_s, self._lag_s * _LAG_FADES)
        if now > self._since and self._count and self._enough(now):
            seen = self._look(now)
            self._restart(now)
            self._last, self._learnt_at = self._decide(now, seen), now

    def _begin(self, since: float) -> None:
        """Leave the window and the trial that idling has cut short."""
        if self._trial is not None:
            self._undo(self._ended_at, self._trial)
        if since > self._learnt_at + _STALE_S:
            self.width = self._most
        self._since = since
        if not self._first:  # those of the first that come one by one are the least loaded
            self._restart(since)

    def _restart(self, since: float) -> None:
        self._since = since  # the window's start; attempts that end before it don't count
        self._count, self._answered, self._in_use, self._logs = 0, 0, 0, 0.0

    def _enough(self, now: float) -> bool:
        enough, trial = _ENOUGH + self.width, self._trial
        if self._count >= enough or trial is None or trial.width < self.width:
            return self._count >= enough
        # So late that less is answered than before, even if all the rest came at once.
        return (now - self._since) * trial.before.answered_per_s * _KEPT > enough

    def _look(self, now: float) -> _Seen:
        count, took_s = self._count, now - self._since
        typical_s = math.exp(self._logs / count)
        return _Seen(self._answered / took_s, count / took_s, typical_s, self._in_use / count)

    def _decide(self, now: float, seen: _Seen) -> _Seen:
        """Do what follows from `seen`; what was seen at the width that is kept."""
        trial, self._trial = self._trial, None
        if trial is not None and not self._bought(now, trial, seen):
            self._undo(now, trial)
            self._restart(now + seen.mean_s)
            return trial.before
        self._unloaded_s = min(self._unloaded_s, seen.typical_s)
        steady = trial is not None or (self._last is not None and seen.like(self._last))
        self._consider(now, seen, steady=steady)
        return seen

    def _consider(self, now: float, seen: _Seen, *, steady: bool) -> None:
        if seen.in_use < _FULL * self.width or seen.typical_s < _CALM * self._unloaded_s:
            self.width = min(self._most, math.ceil(self.width * _WIDER))
        elif steady and self._may_narrow(now, seen):
            step = min(_NARROW, max(_NARROWEST, _GROWN * self._unloaded_s / seen.typical_s))
            self._try(now, max(1, int(self.width * step)), seen)
        elif self.width < self._most and now >= self._widen_at:
            self._try(now, min(self._most, math.ceil(self.width * self._step)), seen)

    def _may_narrow(self, now: float, seen: _Seen) -> bool:
        servers_s = seen.typical_s - _LAGS * self._lag_s
        return (
            self.width > 1
            and servers_s > _GROWN * self._unloaded_s
            and (now >= self._narrow_at or servers_s > _GROWN * self._failed_s)
            and seen.mean_s < _STUCK * seen.typical_s
        )

    def _try(self, now: float, width: int, seen: _Seen) -> None:
        self._trial = _Trial(now, self.width, seen)
        self.width = width
        self._restart(now + seen.mean_s)  # those under way belong to the old width

    def _undo(self, now: float, trial: _Trial) -> None:
        lost = 1 - self.width / trial.width
        self._narrow_at = max(self._narrow_at, now + (now - trial.since) * lost / _COST)
        self.width, self._trial = trial.width, None

    def _bought(self, now: float, trial: _Trial, seen: _Seen) -> bool:
        """Whether the width that was tried is worth keeping."""
        if self.width < trial.width:
            return self._narrowing_bought(now, trial, seen)
        return self._widening_bought(now, trial, seen)

    def _narrowing_bought(self, now: float, trial: _Trial, seen: _Seen) -> bool:
        before, step = trial.before, self.width / trial.width
        fell = seen.typical_s < before.typical_s * (1 + step) / 2
        more = seen.answered_per_s > before.answered_per_s * _WIDER
        self._widen_at = now + self._pause_s
        if more or (fell and seen.answered_per_s > before.answered_per_s * _KEPT):
            return True
        self._failed_s = before.typical_s
        self._unloaded_s = math.sqrt(self._unloaded_s * before.typical_s)
        return False

    def _widening_bought(self, now: float, trial: _Trial, seen: _Seen) -> bool:
        if seen.answered_per_s > trial.before.answered_per_s * (1 + self.width / trial.width) / 2:
            self._pause_s, self._step = _PAUSE_S, min(_WIDEST, self._step * _WIDER)
            return True
        self._pause_s, self._step = min(_LONGEST_PAUSE_S, self._pause_s * 2), _WIDER
        self._widen_at = now + self._pause_s
        return False
