"""The calls that share one lookup: who is aboard, who waits for the next, and what each is told.

Thin: the lookup says when its request leaves and fails, and `single_flight` runs it.
"""

from __future__ import annotations

import asyncio
import math
from copy import copy
from typing import TYPE_CHECKING, Final

from attrs import evolve

from altcraft_balance.errors import AltcraftBalanceError, DeadlineExceeded
from altcraft_balance.policy.classify import What, classify
from altcraft_balance.session.ended import Ended
from altcraft_balance.session.passes import Obstacle
from altcraft_balance.session.refused import circuit_open

if TYPE_CHECKING:
    from altcraft_balance.session.session import Session

__all__ = ["Flight", "Rider"]

_HOPELESS: Final = "the request that this call would share cannot be sent before its deadline"
_LATE: Final = "the deadline came before the answer that this call shares with others"


class Rider:
    """One call, and the end that it waits for."""

    __slots__ = ("deadline", "end", "started")

    def __init__(self, end: asyncio.Future[Ended], started: float, deadline: float | None) -> None:
        self.end, self.started = end, started
        self.deadline = math.inf if deadline is None else deadline

    def deliver(self, ended: Ended, now: float) -> None:
        """Hand over an end, with this call's own time and copy of the error."""
        if self.end.done():
            return
        error, elapsed_s = _copy_of(ended.error), now - self.started
        if error is not None:
            error.elapsed_s = elapsed_s
        self.end.set_result(evolve(ended, error=error, elapsed_s=elapsed_s))


class Flight:
    """The calls that ask one thing: those on the lookup under way, and those for the next.

    Fits `lookup.Watch`.
    """

    task: asyncio.Task[None]

    def __init__(self, session: Session) -> None:
        self._session = session
        self.riders: dict[Rider, None] = {}
        self.later: dict[Rider, None] = {}
        self._begin(math.inf)

    def _begin(self, deadline: float) -> None:
        self._deadline, self._gone, self._asleep_until = deadline, False, -math.inf
        self._attempts = 0
        self._last_error: AltcraftBalanceError | None = None

    # ── who comes and goes ───────────────────────────────────────────────────────────────────

    def board(self, rider: Rider) -> None:
        """Take `rider` along if the request has not left; else it waits for the next."""
        (self.later if self._gone else self.riders)[rider] = None

    def drop(self, rider: Rider) -> bool:
        """`rider` has its end, or has gone away; whether nobody is left."""
        self.riders.pop(rider, None)
        self.later.pop(rider, None)
        return not self.riders and not self.later

    def refusal(self, rider: Rider) -> AltcraftBalanceError | None:
        """Why `rider` need not come aboard; None when there is hope."""
        obstacle = self._obstacle()
        if obstacle.reason == "breaker":  # alone it would be told so, too
            closed_s = self._session.traffic.closed_s(self._session.clock())
            return circuit_open(closed_s, self._session.counts.last_failure)
        return self._hopeless(rider, obstacle)

    # ── what becomes of the lookup ───────────────────────────────────────────────────────────

    def take_off(self) -> float:
        """A lookup begins for all who are here; when it must have ended."""
        self._begin(max(rider.deadline for rider in self.riders))
        self.refuse_hopeless()
        return self._deadline

    def sent(self) -> None:
        """The request leaves."""
        self._gone = True

    def sleeps(self, wait_s: float, error: AltcraftBalanceError) -> None:
        """It has failed, and another will follow in `wait_s` seconds: all wait for that one."""
        self._gone, self._last_error = False, error
        self._attempts += classify(error) is not What.THROTTLED
        self._asleep_until = self._session.clock() + wait_s
        self.refuse_hopeless()
        self.riders |= self.later
        self.later = {}

    def land(self, ended: Ended) -> None:
        """The lookup has ended; those who have more time than it had stay for the next."""
        now = self._session.clock()
        out_of_time = isinstance(ended.error, DeadlineExceeded)
        stay = {r: None for r in self.riders if out_of_time and r.deadline > self._deadline}
        for rider in self.riders:
            if rider not in stay:
                rider.deliver(ended, now)
        self.riders, self.later = stay | self.later, {}

    def crash(self, bug: Exception) -> None:
        """The lookup raised what is no error of ours: it is everybody's to see."""
        for rider in [*self.riders, *self.later]:
            if not rider.end.done():
                rider.end.set_exception(bug)

    def abandon(self) -> None:
        """Nothing more will come, so nobody may wait for it."""
        for rider in [*self.riders, *self.later]:
            rider.end.cancel()

    # ── whose time is up ─────────────────────────────────────────────────────────────────────

    def refuse_hopeless(self) -> None:
        """Tell those who have no time for what is in the way."""
        obstacle, now = self._obstacle(), self._session.clock()
        for rider in [*self.riders, *self.later]:
            if rider in self.riders and (self._gone or rider.deadline >= self._deadline):
                continue  # its request is under way, or the lookup has no more time and says it
            if error := self._hopeless(rider, obstacle):
                rider.deliver(Ended(error=error), now)

    def halt(self, rider: Rider) -> None:
        """The client is being closed; only what is on the wire may still end."""
        if rider in self.later:
            rider.deliver(Ended(halted=True), self._session.clock())

    def expire(self, rider: Rider) -> None:
        """The time of `rider` is up."""
        aboard, closed = rider in self.riders, self._session.state == "closed"
        if aboard and (closed or rider.deadline == self._deadline):
            return  # so is the lookup's, which is about to say it best
        phase = "attempt" if aboard and self._gone else "slot"
        error = self._late(rider, _LATE, phase, None)
        rider.deliver(Ended(error=error), self._session.clock())

    def _obstacle(self) -> Obstacle:
        """What the next request waits for at least."""
        traffic, now = self._session.traffic, self._session.clock()
        nap = Obstacle("backoff", max(0.0, self._asleep_until - now))
        rate_s = 0.0 if traffic.pace is None else traffic.pace.wait_s(now)
        # While a store is asked for the rate nobody knows how long it takes.
        rate = Obstacle("rate", 0.0 if rate_s == math.inf else rate_s)
        return max(traffic.shut(now) or nap, nap, rate, key=lambda obstacle: obstacle.wait_s)

    def _hopeless(self, rider: Rider, obstacle: Obstacle) -> DeadlineExceeded | None:
        wait_s = obstacle.wait_s
        # A probe of the breaker decides at a time that nobody knows.
        if wait_s in {0.0, math.inf} or self._session.clock() + wait_s < rider.deadline:
            return None
        return self._late(rider, _HOPELESS, obstacle.reason, wait_s)

    def _late(
        self, rider: Rider, message: str, phase: str, retry_after_s: float | None
    ) -> DeadlineExceeded:
        aboard = rider in self.riders
        last = self._last_error if aboard else None
        return DeadlineExceeded(
            message if last is None else f"{message}; the last attempt: {last}",
            phase=phase,
            last_error=last,
            retry_after_s=retry_after_s,
            attempts=self._attempts + self._gone if aboard else 0,
            maybe_sent=aboard and (self._gone or (last is not None and last.maybe_sent)),
        )


def _copy_of(error: AltcraftBalanceError | None) -> AltcraftBalanceError | None:
    copied = copy(error)
    if isinstance(copied, DeadlineExceeded):
        copied.last_error = _copy_of(copied.last_error)
    return copied
