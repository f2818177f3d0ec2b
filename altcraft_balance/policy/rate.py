"""Finds the rate that a server allows, when nobody has said it.

A quota is taken for a bucket: it holds `stored` tokens, gains `rate` a second, and refuses when
empty. From one refusal to the next it goes from empty to empty, the pause in between included:

- all that it gained was taken or spilled, so the mean, `accepted / time`, is never above `rate`;
- it had at most `stored` at any moment since, so neither is `(accepted - stored) / time` over any
  stretch that ends with the refusal; over the stretch since it was last full, that is the rate.

The larger of the two is what was found. `stored` is what passed at once before the first refusal.
A refusal costs a pause, so a rate is looked for rarely: climb fast to the second refusal, keep
what was found, soon probe above it, and once findings agree, only each minute. If far more than
was found had passed before the refusal, there may be no bucket but a window: a higher rate is
kept on trial, once for a bucket. Probes grow by a cube of time, not in proportion, and a rate that
is refused while it is kept falls in proportion, so that clients which share a quota become equal
(Chiu and Jain, 1989; the cube is CUBIC's, RFC 9438). A rate that is not used up does not grow.

Some refusals have nothing to do with the rate: one broken server of many. What was under way tells
them: a bucket that has just refused is empty, so what passes after the refused request is at most
what it gains, and one. That is proven, for a while, and no refusal lowers the rate below nine
tenths of it, until most of what was sent after a refused request is refused too. Behind an empty
bucket that is about its rate; behind a server that refuses at random, about what was sent.

How it compares with CUBIC and AIMD: `python benchmarks/rates.py`.
"""

from __future__ import annotations

import math
from collections import deque
from enum import Enum
from typing import Final, NamedTuple

__all__ = ["AdaptiveRate"]

_SLOWEST: Final = 0.5
_START: Final = 10.0  # a climb begins here, or at what was answered before it
_CLIMB: Final = 4.0  # times faster each second: what the bucket gained in the pause may be used
_RECOVER: Final = 2.0  # likewise after an outage
_RESTART: Final = 0.25  # of what was answered before it, if that is more
_KEPT: Final = 0.995  # of what was found
_CUBE: Final = 0.4  # requests a second, over a second cubed (CUBIC's constant)
_LESS: Final = 0.7  # of the rate is left by a refusal while it is kept (CUBIC's beta)
_LESS_PROBED: Final = 0.9  # and at least so much by one above it
_TRIAL: Final = 1.2
_WIDE: Final = 1.3
_DOUBTED_S: Final = 1.5  # kept so long before it is probed
_TRUSTED_S: Final = 60.0
_NEAR: Final = 0.05  # two findings, or a finding and the rate that was refused, agree
_FEW: Final = 4  # accepted requests are no stretch
_TELLING: Final = 8  # requests from a refused one on, at least, prove something
_AT_ONCE_S: Final = 0.02  # requests closer together may arrive in another order
_PROVEN: Final = 0.9  # of what was proven is kept: others may want a share
_PROVEN_S: Final = 30.0
_LONGEST_CLIMB_S: Final = 30.0  # no float overflows
_LOOK_S: Final = 0.05
_FREE_LOOK_S: Final = 1.0
_LONGEST_STEP_S: Final = 0.5  # that one look ages a rate; slow rates have rare looks
_IN_USE: Final = 0.7  # of what was allowed: less, and it is not the rate that limits
_UNUSED: Final = 0.6  # of it: so little, and nothing is limited; twice the goodput is half used
_UNUSED_S: Final = 2.0


class _State(Enum):
    FREE = "nothing speaks for a limit"
    CLIMB = "faster each second, until it is refused or no longer limits"
    KEEP = "what was found, and after a while more and more above it"


class _Seen(NamedTuple):
    """Counts since sending was last resumed, as they stood at one moment."""

    at: float
    sent: float
    answered: int
    allowed: float


class AdaptiveRate:
    """The rate to send at so that a server with an unknown quota seldom refuses.

    All times are seconds of one monotonic clock. Never below 0.5 requests a second.

    Attributes:
        rate_per_s: the limit as of the last look; `math.inf`: none.
        look_at: when the next look is due, which `limit` takes.
    """

    __slots__ = (
        "_age_s", "_answered", "_before_at", "_closed", "_event_at", "_factor", "_found",
        "_goodput_before", "_open_at", "_passed", "_passed_after", "_passed_s",
        "_pause_s", "_proven", "_proven_at", "_refused", "_refused_at", "_resumed_at",
        "_seen", "_sent", "_start", "_state", "_stored", "_stores", "_trial", "_trusted", "look_at",
        "rate_per_s",
    )  # fmt: skip

    def __init__(self) -> None:
        self._state = _State.FREE
        self.rate_per_s = self._passed = math.inf  # what is allowed now, and what surely passed
        self.look_at = self._event_at = self._open_at = self._resumed_at = -math.inf
        self._before_at = self._refused_at = -math.inf  # the refusal before; a request of the last
        self._closed = self._trusted = False
        self._trial = self._stores = False  # whether the bucket is being tested, and passed as one
        self._sent = self._answered = 0
        self._refused = self._passed_after = 0  # of those sent from `_refused_at` on
        self._passed_s = self._proven = 0.0  # in so many seconds; and the rate that this proves
        self._proven_at = -math.inf
        self._found = self._stored = self._age_s = self._goodput_before = 0.0
        self._pause_s = 1.0
        self._start, self._factor = _START, _CLIMB
        self._seen: deque[_Seen] = deque(maxlen=256)

    def limit(self, now: float) -> float:
        """Requests a second that batch items may be sent at now; `math.inf` for no limit."""
        if now >= self.look_at:
            self._look(now)
        return self.rate_per_s

    def sent(self, now: float) -> None:
        """Count one request that is sent."""
        self._sent += 1

    def answered(self, now: float, sent_at: float = -math.inf) -> None:
        """Count one answer that does not ask for a pause, to a request sent at `sent_at`."""
        self._answered += 1
        if self._closed and sent_at > self._refused_at:
            self._passed_after += 1
            self._passed_s = max(self._passed_s, sent_at - self._refused_at)

    def throttled(self, now: float, sent_at: float, pause_s: float) -> None:
        """Learn from a refusal; those of requests that were under way together are one.

        Args:
            now: when it arrived.
            sent_at: when its request was sent.
            pause_s: seconds from now in which nothing is sent.
        """
        if sent_at > self._event_at:
            if not self._closed:
                self._refusal_begins(now, sent_at)
            self._event_at, self._pause_s, self._closed = now, pause_s, True
        self._refused += 1
        self.look_at = self._open_at = max(self._open_at, now + pause_s)

    def stopped(self, now: float) -> None:
        """An outage begins: the server answers nothing any more."""
        if self._seen:
            ago = self._ago(now - _UNUSED_S) or self._seen[0]
            self._goodput_before = (self._answered - ago.answered) / max(_UNUSED_S, now - ago.at)

    def recovered(self, now: float) -> None:
        """Start slowly: this is the first answer after an outage."""
        self._state, self._factor = _State.CLIMB, _RECOVER
        self._start = max(_START, _RESTART * self._goodput_before)
        self._event_at, self._proven = now, 0.0
        self._resume(now)
        self._look(now)

    def _refusal_begins(self, now: float, sent_at: float) -> None:
        self._before_at, self._refused_at = self._event_at, sent_at
        self._refused, self._passed_after, self._passed_s = 0, 0, 0.0
        last = self._seen[-1] if self._seen else _Seen(sent_at, 0, 0, 0.0)
        if not self._seen:
            self._seen.append(last)
        self._seen.append(_Seen(max(now, last.at), self._sent, self._answered, last.allowed))

    def _prove(self, now: float) -> None:
        """What passed after the refused request is at most what was gained since, and one."""
        if self._refused + self._passed_after < _TELLING:
            return
        proven = max(0, self._passed_after - 1) / max(_AT_ONCE_S, self._passed_s)
        if proven >= self._proven or self._refused > self._passed_after:
            self._proven, self._proven_at = proven, now

    def _look(self, now: float) -> None:
        """Take stock, and set the rate until the next look."""
        if self._closed:
            if now > self._proven_at + _PROVEN_S:
                self._proven = 0.0
            self._prove(now)
            (self._begin if self._state is _State.FREE else self._learn)(now)
        if self._closed or not self._seen:
            self._resume(now)
        elif now > self._seen[-1].at:
            self._note(now)
        before = self.rate_per_s
        self.rate_per_s = self._now_allowed(now)
        self._passed = min(before, self.rate_per_s)
        free = self._state is _State.FREE
        self.look_at = now + (_FREE_LOOK_S if free else max(_LOOK_S, 2.0 / self.rate_per_s))

    def _resume(self, now: float) -> None:
        self._closed = False
        self._sent = self._answered = 0
        self._age_s, self._resumed_at = 0.0, now
        self._seen.clear()
        self._seen.append(_Seen(now, 0, 0, 0.0))

    def _note(self, now: float) -> None:
        last = self._seen[-1]
        allowed = 0.0 if self._state is _State.FREE else self.rate_per_s * (now - last.at)
        if self._sent - last.sent >= _IN_USE * allowed:  # else the rate is not what limits
            self._age_s += min(now - last.at, _LONGEST_STEP_S)
        self._seen.append(_Seen(now, self._sent, self._answered, last.allowed + allowed))

    def _ago(self, then: float) -> _Seen | None:
        return next((seen for seen in reversed(self._seen) if seen.at <= then), None)

    def _now_allowed(self, now: float) -> float:
        if self._state is _State.CLIMB:
            rate = self._climbed(now)
            if self._unused(now) or 0.0 < self._found <= rate:
                self._state, self._age_s = (_State.KEEP if self._found else _State.FREE), 0.0
            else:
                return rate
        if self._state is _State.FREE:
            return math.inf
        over_s = max(0.0, self._age_s - self._hold_s())
        return max(_SLOWEST, _KEPT * self._found + _CUBE * math.pow(over_s, 3.0))

    def _climbed(self, now: float) -> float:
        rate = self._start * math.pow(self._factor, min(self._age_s, _LONGEST_CLIMB_S))
        ago = self._ago(now - 1.0) if self._factor == _RECOVER else None
        if ago is None:
            return rate
        goodput = (self._answered - ago.answered) / (now - ago.at)
        return min(rate, max(_START, 2.0 * goodput))

    def _unused(self, now: float) -> bool:
        ago, last = self._ago(now - _UNUSED_S), self._seen[-1]
        return ago is not None and last.sent - ago.sent < _UNUSED * (last.allowed - ago.allowed)

    def _hold_s(self) -> float:
        # In proportion to what a refusal costs.
        return (_TRUSTED_S if self._trusted else _DOUBTED_S) * max(1.0, self._pause_s)

    def _begin(self, now: float) -> None:
        """The first climb, after the first refusal."""
        before = self._ago(self._refused_at - _FREE_LOOK_S) or self._seen[0]
        self._stored = self._answered - before.answered
        self._state, self._factor = _State.CLIMB, _CLIMB
        self._start = max(_START, self._stored / max(_LOOK_S, now - before.at), self._proven)

    def _learn(self, now: float) -> None:
        sent_at = self._refused_at
        if not self._answered or sent_at <= self._resumed_at:
            # It is closed for longer than it said, which tells nothing of the rate.
            self._state, self._factor = _State.CLIMB, _CLIMB
            proven = _PROVEN * self._proven if self._passed_after else 0.0
            self._start = max(_SLOWEST, self.rate_per_s / 2.0, proven)
            return
        accepted = self._sent_until(sent_at)
        mean = accepted / (sent_at - self._before_at)
        if self._state is _State.KEEP and self._age_s <= self._hold_s():
            self._refused_while_kept(accepted - mean * (sent_at - self._resumed_at))
        else:
            self._refused_above(max(mean, self._drained(accepted, sent_at)))
        self._found = max(_SLOWEST, self._found, _PROVEN * self._proven)
        self._state = _State.KEEP

    def _refused_while_kept(self, stored: float) -> None:
        if self._trial:
            self._trial, self._stores, self._found = False, True, self._found / _TRIAL
            return
        if self._trusted:  # the quota has changed, or somebody shares it
            self._trusted = self._stores = False
        else:  # what was found was wrong: the bucket stores more than was thought
            self._stored = max(self._stored, stored)
        self._found *= _LESS

    def _refused_above(self, found: float) -> None:
        was = self._found
        found = max(min(found, self._passed), _LESS_PROBED * was)
        self._trusted = abs(found - was) <= _NEAR * was or found >= (1 - _NEAR) * self.rate_per_s
        self._trial = self._trusted and not self._stores and self._passed > _WIDE * found
        self._found = _TRIAL * found if self._trial else found

    def _drained(self, accepted: float, until: float) -> float:
        """The rate if it held `stored` tokens when it was last full."""
        return max(
            (
                (accepted - seen.sent - self._stored + 1) / (until - seen.at)
                for seen in self._seen
                if accepted - seen.sent >= _FEW and until > seen.at
            ),
            default=0.0,
        )

    def _sent_until(self, sent_at: float) -> float:
        """How many were sent from the resumption to `sent_at`: all of them were accepted."""
        after = next((seen for seen in self._seen if seen.at > sent_at), self._seen[-1])
        before = self._ago(sent_at) or self._seen[0]
        gap_s = after.at - before.at
        share = (sent_at - before.at) / gap_s if gap_s > 0 else 0.0
        return before.sent + share * (after.sent - before.sent)
