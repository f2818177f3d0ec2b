"""What stands in the way of an attempt, and what its end teaches: all policies of one client.

Pure but for the objects that it holds: the moment and the random draw are arguments.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Protocol

from altcraft_balance.policy.breaker import Breaker, BreakerState
from altcraft_balance.policy.budget import Budget
from altcraft_balance.policy.gate import TELLING_S, Gate
from altcraft_balance.policy.pace import Gcra
from altcraft_balance.policy.rate import AdaptiveRate
from altcraft_balance.policy.width import AdaptiveWidth
from altcraft_balance.session.passes import Obstacle, Pass, Rank
from altcraft_balance.session.semaphore import Semaphore
from altcraft_balance.session.timed_pace import TimedPace
from altcraft_balance.settings import Limits
from altcraft_balance.shared_rate import SharedRate
from altcraft_balance.telemetry.events import BreakerChanged, Event, GateClosed, WidthChanged
from altcraft_balance.timetable import RateTimetable

__all__ = ["Pace", "Traffic"]


class Pace(Protocol):
    """A rate that is known: of this process alone, or shared by several."""

    @property
    def rate_per_s(self) -> float:
        """The agreed rate; of a shared one, as much as this process may use now."""
        ...

    def wait_s(self, now: float, ahead: int = 0) -> float:
        """Seconds until one more may be sent, when `ahead` others go first."""
        ...

    def spend(self, now: float) -> None:
        """One is sent."""


_CALL: Final = Pass(call=True)
_ITEM: Final = Pass(call=False)
_CALL_RANK, _RETRY_RANK = Rank.CALL, Rank.RETRY  # looked up once: that takes a search
_CLOSED: Final = BreakerState.CLOSED
_MOST_OWED_S: Final = 1.0  # by calls, which do not wait for a batch's rate
_BATCH_SHARE: Final = 1 / 8  # of a found rate is a batch's, however many calls there are
_NO_SLOT: Final = Obstacle("slot", math.inf)


class Traffic:
    """The policies that all lookups of one client share.

    Args:
        limits: what the user knows, and whether the rest is looked for.
        tell: is called with an event when something changes for everybody.
    """

    def __init__(self, limits: Limits, *, tell: Callable[[Event], None]) -> None:
        self.slots = Semaphore(limits.concurrency)
        self.gate, self.breaker, self.budget = Gate(), Breaker(), Budget()
        self.pace: Pace | None = _known_pace(limits)
        self.timed: TimedPace | None = None  # the same, when it goes by a timetable
        self.adaptive = limits.adaptive
        self.rate, self.width = AdaptiveRate(), AdaptiveWidth(limits.concurrency)
        self._batch_pace = Gcra(math.inf)
        self._batch_least = Gcra(math.inf)  # whatever calls do, so that they do not starve it
        self._is_limited = False  # whether these two have a rate
        self._tell = tell

    # ── before an attempt ────────────────────────────────────────────────────────────────────

    def admit_freely(self, rank: Rank, now: float) -> Pass | None:
        """Let one of this rank through in a good hour, when there is nothing to be asked.

        None: `obstacle` has to be asked. What it does is what `admit` would do then.
        """
        slots, rate, call = self.slots, self.rate, rank is _CALL_RANK
        if (
            rank is _RETRY_RANK
            or self.pace is not None
            or self.breaker.state is not _CLOSED
            or now < self.gate.busy_until
            or slots.in_use >= slots.width
            or self._is_limited
        ):
            return None
        if call:
            slots.take(now, for_call=True)
            rate.sent(now)
            return _CALL
        if now < slots.reserved_until or now >= rate.look_at or rate.rate_per_s != math.inf:
            return None
        slots.in_use += 1
        rate.sent(now)
        return _ITEM

    def obstacle(self, rank: Rank, now: float, ahead: int = 0) -> Obstacle | None:
        """What keeps the next of this rank from being sent now; None when nothing does."""
        calm = self.breaker.state is _CLOSED
        if not calm or now < self.gate.busy_until:
            shut = self.shut(now, paced=self._is_paced(rank, now))
            if shut is not None:
                return shut
        if not self.slots.has_room(now, for_call=rank is _CALL_RANK):
            free_s = self.slots.reserved_for_s(now)
            return Obstacle("slot", free_s) if free_s else _NO_SLOT
        # A probe of the breaker is sent unpaid.
        if rank is _RETRY_RANK and calm and (wait_s := self.budget.wait_s(now)):
            return Obstacle("budget", wait_s)
        if self.pace is not None and (wait_s := self.pace.wait_s(now, ahead)):
            return Obstacle("rate", wait_s)
        if rank is not _CALL_RANK and calm:
            limit = self.rate.limit(now)
            if (limit != math.inf or self._is_limited) and (
                wait_s := self._batch_wait_s(now, limit)
            ):
                return Obstacle("rate", wait_s)
        return None

    def shut(self, now: float, *, paced: bool = False) -> Obstacle | None:
        """A quiet time, the breaker or the gate, when one of them stops everybody.

        Whoever is `paced` need not be spread once the gate is open: the pace does it.
        """
        if self.timed is not None and (wait_s := self.timed.quiet_s(now)):
            return Obstacle("rate", wait_s)
        if wait_s := self.breaker.wait_s(now):
            return Obstacle("breaker", wait_s)
        if wait_s := self.gate.closed_s(now) if paced else self.gate.wait_s(now):
            return Obstacle("gate", wait_s)
        return None

    def _is_paced(self, rank: Rank, now: float) -> bool:
        if self.pace is not None:
            return True
        return rank is not _CALL_RANK and self.rate.limit(now) != math.inf

    @property
    def is_down(self) -> bool:
        """Whether the server answers nothing, as far as is known."""
        return self.breaker.state is not _CLOSED

    def is_stopped(self, now: float, *, probe: bool = False) -> bool:
        """Whether those let through a moment ago are stopped; the breaker spares its probe."""
        if self.timed is not None and self.timed.quiet_s(now):
            return True
        if self.breaker.state is _CLOSED and now >= self.gate.busy_until:
            return False
        return self.gate.closed_s(now) > 0 or (not probe and self.breaker.wait_s(now) > 0)

    def _batch_wait_s(self, now: float, limit: float) -> float:
        self._batch_pace.rate_per_s = limit  # without one nothing is owed
        self._batch_least.rate_per_s = limit * _BATCH_SHARE
        self._is_limited = limit != math.inf
        if not self._is_limited:
            return 0.0
        return min(self._batch_pace.wait_s(now), self._batch_least.wait_s(now))

    def admit(
        self, rank: Rank, now: float, draw: Callable[[], float], waiting: Callable[[], int]
    ) -> Pass:
        """Let one of this rank through, for whom there is no obstacle.

        Args:
            rank: whose turn it is.
            now: the moment.
            draw: draws a number from 0 up to 1; asked in bad hours only, as is the next.
            waiting: says how many stand behind.
        """
        call = rank is _CALL_RANK
        probe = self.breaker.state is not _CLOSED and self.breaker.sent(now, draw())
        retry = rank is _RETRY_RANK and not probe
        paid = self.budget.spend(now, draw()) if retry else 0
        if now < self.gate.busy_until and not self._is_paced(rank, now):
            self.gate.passed(now, waiting())
        self.slots.take(now, for_call=call)
        self.spend(now)
        if not call and self._is_limited:
            self._batch_least.spend(now)
        if probe:
            self._tell_breaker(now)
        if probe or retry:
            return Pass(call, probe, paid, unpaid=retry and not paid)
        return _CALL if call else _ITEM

    def spend(self, now: float) -> None:
        """One request goes out, with or without having asked."""
        if self.pace is not None:
            self.pace.spend(now)
        self.rate.sent(now)
        # Calls do not wait for it, so what they owe to the batch is bounded.
        if self._is_limited and self._batch_pace.wait_s(now) < _MOST_OWED_S:
            self._batch_pace.spend(now)

    # ── after an attempt ─────────────────────────────────────────────────────────────────────

    def answered(self, passed: Pass, now: float, sent_at: float, taken: int) -> None:
        """A healthy server answered; the lookup's retries had taken so many tokens."""
        self.gate.answered()
        self.budget.answered(taken)
        if passed.unpaid:
            self.budget.trust()
        self.rate.answered(now, sent_at)  # the return after an outage is gentle in any case
        if (passed.probe or self.breaker.failures) and self.breaker.answered(probe=passed.probe):
            self._recovered(now)

    def throttled(
        self, passed: Pass, now: float, *, sent_at: float, asked_s: float | None, draw: float
    ) -> bool:
        """The server asks for a pause, of `asked_s` seconds if it says for how long.

        Returns:
            Whether everybody waits longer than before.
        """
        if self.breaker.answered(probe=passed.probe):
            self._recovered(now)
        longer = self.gate.close(now, sent_at=sent_at, asked_s=asked_s, draw=draw)
        pause_s = self.gate.closed_s(now)
        if self.adaptive and pause_s >= TELLING_S:  # a shorter one is a stray
            self.rate.throttled(now, sent_at, pause_s)
        if longer:
            self._tell(GateClosed(pause_s=pause_s))
        return longer

    def failed(
        self,
        passed: Pass,
        now: float,
        *,
        replied: bool,
        draw: float,
        patience_s: float = math.inf,
        doubt: bool = False,
    ) -> bool:
        """No answer came, or a reply that a healthy server would not have given.

        Args:
            passed: with what it was sent.
            now: the moment.
            replied: whether there was a reply.
            draw: a number from 0 up to 1, drawn by the caller.
            patience_s: seconds that its caller gave it; `math.inf` if more would not have helped.
            doubt: whether somebody can find out at once how the server really is.

        Returns:
            Whether everybody waits longer than before.
        """
        opened = self.breaker.failed(
            now, probe=passed.probe, draw=draw, replied=replied, patience_s=patience_s
        )
        if opened:
            if not passed.probe:
                self.rate.stopped(now)
                if replied and doubt:
                    self.breaker.doubt(now)
            self._tell_breaker(now)
        return opened

    def silent(self, passed: Pass, now: float, *, paid: int) -> None:
        """The attempt says nothing about the server; `paid` tokens were taken for it."""
        self.budget.give_back(paid)
        if passed.probe:
            self.breaker.lost(now, sent=True)
            self._tell_breaker(now)

    def unused(self, passed: Pass, now: float) -> None:
        """With this pass nothing was sent."""
        self.budget.give_back(passed.paid)
        if passed.unpaid:
            self.budget.unasked()
        if passed.probe:
            self.breaker.lost(now, sent=False)
            self._tell_breaker(now)

    def _recovered(self, now: float) -> None:
        if self.breaker.false_alarm:
            self.budget.trust()
        else:
            self.budget.refill()
            self.rate.recovered(now)
        self._tell_breaker(now)

    # ── looking at it ────────────────────────────────────────────────────────────────────────

    def closed_s(self, now: float) -> float:
        """Seconds for which nobody may send; while a probe is under way, a guess of one."""
        breaker_s = self.breaker.wait_s(now)
        quiet_s = 0.0 if self.timed is None else self.timed.quiet_s(now)
        return max(quiet_s, self.gate.closed_s(now), 1.0 if breaker_s == math.inf else breaker_s)

    def rate_per_s(self, now: float) -> float | None:
        """Requests per second that a batch may send now; None: as many as it likes."""
        known = math.inf if self.pace is None else self.pace.rate_per_s
        limit = min(known, self.rate.limit(now))
        return None if limit == math.inf else limit

    # ── the width ────────────────────────────────────────────────────────────────────────────

    def narrow_or_widen(self, now: float, lag_s: float) -> None:
        """Let the width follow the latencies seen since the last time."""
        self.width.tick(now, lag_s)
        if self.width.width != self.slots.width:
            self.slots.width = self.width.width
            self._tell(WidthChanged(width=self.slots.width))

    # ── news ─────────────────────────────────────────────────────────────────────────────────

    def _tell_breaker(self, now: float) -> None:
        state = self.breaker.state
        wait_s = self.breaker.wait_s(now) if state is BreakerState.OPEN else None
        self._tell(BreakerChanged(state=state.value, retry_after_s=wait_s))


def _known_pace(limits: Limits) -> Pace | None:
    rate = limits.rate_per_s
    if rate is None or isinstance(rate, RateTimetable):  # which needs a clock on the wall
        return None
    if not isinstance(rate, SharedRate):
        return Gcra(rate, limits.burst)
    burst = limits.burst
    return Gcra(rate.share_per_s, None if burst is None else max(1.0, burst / rate.workers))
