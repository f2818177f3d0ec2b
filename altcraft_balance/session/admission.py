"""The one place where a lookup waits for its turn to send.

A lookup enters before each attempt and leaves after it. It is let through at a moment at which,
all at once, the breaker allows it, the gate is open, a slot is free, its retry is paid for and
the pace allows it; so nobody holds a slot, or a permit, while waiting for something else, and
nothing need be asked twice. Lookups that sleep before a repeat sleep here too. One timer serves
all who wait, whatever for.

A single call that would wait for longer than it has is refused at once, and so is one that meets
an open breaker. A batch's items wait.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from typing import Final, TypeAlias

from altcraft_balance.session.passes import Obstacle, Pass, Rank, Reason
from altcraft_balance.session.traffic import Traffic

__all__ = ["Admission", "Refusal", "Told"]

#: Not let through, since this would take longer than there is time.
Refusal: TypeAlias = Obstacle
#: Hears that somebody has waited, for what, and how many seconds.
Told: TypeAlias = Callable[[Reason, float], None]


_RANKS: Final = tuple(Rank)
_FEW_ASLEEP: Final = 64
_CLOCK_STEP_S: Final = 1e-6  # a shorter wait may be none on the loop's clock


class _Waiter:
    """One who waits: `turn` brings a `Pass` or a `Refusal`."""

    __slots__ = ("deadline", "rank", "reason", "since", "told", "turn")

    def __init__(
        self,
        turn: asyncio.Future[Pass | Refusal],
        rank: Rank,
        deadline: float | None,
        told: Told | None,
    ) -> None:
        self.turn, self.rank, self.told = turn, rank, told
        self.deadline = math.inf if deadline is None else deadline
        self.reason: Reason = "backoff"
        self.since = 0.0


class Admission:
    """The queue before the semaphore.

    Args:
        traffic: says what is in the way.
        draw: gives a random number from 0 up to 1.

    Attributes:
        waited_s: seconds that were waited so far, by what stood in the way.
        gave_up: what the last one who gave up had waited for.
    """

    def __init__(self, traffic: Traffic, *, draw: Callable[[], float]) -> None:
        self._traffic, self._draw = traffic, draw
        # Ordered, not a deque: whoever gives up leaves from the middle.
        self._queues: tuple[OrderedDict[_Waiter, None], ...] = tuple(OrderedDict() for _ in _RANKS)
        self._asleep: list[tuple[float, int, _Waiter]] = []
        self._naps, self._tidy_at = 0, _FEW_ASLEEP
        self._timer: asyncio.TimerHandle | None = None
        self._due = math.inf
        self.gave_up: Reason = "slot"
        self.waited_s: defaultdict[Reason, float] = defaultdict(float)

    def open(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float]) -> None:
        """Bind to the loop, and to its clock."""
        self._loop, self._clock = loop, clock

    # ── entering ─────────────────────────────────────────────────────────────────────────────

    def enter_at_once(self, rank: Rank, now: float) -> Pass | None:
        """A pass, if nobody waits and nothing is in the way."""
        calls, repeats, items = self._queues
        if calls or repeats or items:
            return None
        if (passed := self._traffic.admit_freely(rank, now)) is not None:
            return passed
        if self._traffic.obstacle(rank, now) is not None:
            return None
        return self._traffic.admit(rank, now, self._draw, self._standing)

    async def enter(
        self, rank: Rank, deadline: float | None, nap_s: float, told: Told | None = None
    ) -> Pass | Refusal:
        """Sleep for `nap_s` seconds, then wait for a turn; a `Refusal` when it is hopeless.

        The caller sees to its own deadline and brake by cancelling this. `told` hears of each wait.
        """
        while True:
            waiter = _Waiter(self._loop.create_future(), rank, deadline, told)
            self._begin(waiter, nap_s)
            try:
                answer = await waiter.turn
            except asyncio.CancelledError:
                self._withdraw(waiter)
                raise
            # One turn of the loop has passed, in which everybody may have been stopped.
            # The breaker lets its probe go all the same: it is what the others are stopped for.
            if not isinstance(answer, Pass) or not self._traffic.is_stopped(
                max(waiter.since, self._clock()), probe=answer.probe
            ):
                return answer
            self.give_back(answer)
            nap_s = 0.0

    def leave(self, now: float) -> None:
        """An attempt has ended and the policies have been told: its slot is free."""
        self._traffic.slots.release()
        calls, repeats, items = self._queues
        if calls or repeats or items or self._asleep:
            self._pump(now)

    def give_back(self, passed: Pass) -> None:
        """Nothing was sent with this pass: let the next one have its slot."""
        now = self._clock()
        self._traffic.unused(passed, now)
        self.leave(now)

    def _begin(self, waiter: _Waiter, nap_s: float) -> None:
        waiter.since = now = self._clock()
        if nap_s > 0:
            stop = self._traffic.shut(now)
            if stop and stop.wait_s > nap_s and self._is_hopeless(waiter, stop, now):
                waiter.turn.set_result(stop)
                return
            self._put_to_sleep(waiter, now + nap_s)
            return
        wait_s = self._line_up(waiter, now)
        if not wait_s:
            self._pump(now)
        elif wait_s != math.inf:
            self._wake_up_at(now + wait_s)

    def _put_to_sleep(self, waiter: _Waiter, until: float) -> None:
        if len(self._asleep) >= self._tidy_at:  # those who gave up are still among them
            self._asleep = [sleeper for sleeper in self._asleep if not sleeper[2].turn.done()]
            heapq.heapify(self._asleep)
            self._tidy_at = max(_FEW_ASLEEP, 2 * len(self._asleep))
        self._naps += 1
        heapq.heappush(self._asleep, (until, self._naps, waiter))
        self._wake_up_at(until)

    def _line_up(self, waiter: _Waiter, now: float) -> float:
        """Join the queue, unless that is hopeless; how many seconds it takes at least."""
        queue = self._queues[waiter.rank]
        if queue and waiter.rank is not Rank.CALL:
            waiter.reason = next(iter(queue)).reason
            queue[waiter] = None
            return math.inf  # for whoever is first it is known already
        if waiter.rank is Rank.CALL:
            self._traffic.breaker.hurry(now, waiter.deadline - now)
        obstacle = self._batch_first(waiter) or self._traffic.obstacle(waiter.rank, now, len(queue))
        if obstacle is None:
            waiter.reason = "slot"  # if it waits after all, others have taken them
            queue[waiter] = None
            return 0.0
        if self._is_hopeless(waiter, obstacle, now):
            waiter.turn.set_result(obstacle)
            return math.inf
        waiter.reason = obstacle.reason
        queue[waiter] = None
        return obstacle.wait_s

    def _batch_first(self, waiter: _Waiter) -> Obstacle | None:
        """Probes are a batch's, if one is parked: a call may have too little time for an answer."""
        _, repeats, items = self._queues
        if waiter.rank is Rank.CALL and self._traffic.is_down and (repeats or items):
            return Obstacle("breaker", math.inf)
        return None

    def _is_hopeless(self, waiter: _Waiter, obstacle: Obstacle, now: float) -> bool:
        if waiter.rank is not Rank.CALL:
            return False  # it would only make room for the next, until the source is used up
        if obstacle.reason == "breaker":
            return True
        # Nobody knows how long a slot takes: that is for the deadline itself to end.
        return obstacle.wait_s != math.inf and now + obstacle.wait_s >= waiter.deadline

    def _withdraw(self, waiter: _Waiter) -> None:
        """Its caller waits no longer."""
        self._queues[waiter.rank].pop(waiter, None)
        turn, self.gave_up = waiter.turn, waiter.reason
        if turn.cancelled():
            self._count_wait(waiter, self._clock())
        elif turn.done() and isinstance(answer := turn.result(), Pass):
            self.give_back(answer)

    # ── letting through ──────────────────────────────────────────────────────────────────────

    def pump(self) -> None:
        """Let through all whose turn it is, and set the timer for the next."""
        self._pump(self._clock())

    def _pump(self, now: float) -> None:
        calls, repeats, items = self._queues
        if not (calls or repeats or items or self._asleep):
            return
        soonest = self._wake(now) if self._asleep else math.inf
        for rank in _RANKS:
            if queue := self._queues[rank]:
                wait_s = self._admit_all(rank, queue, now)
                if wait_s < soonest - now:
                    soonest = now + wait_s
        if soonest < self._due:
            self._wake_up_at(max(soonest, now + _CLOCK_STEP_S))

    def _wake(self, now: float) -> float:
        """Those who have slept enough join the queue; when the next one will have."""
        while self._asleep and self._asleep[0][0] <= now:
            waiter = heapq.heappop(self._asleep)[2]
            if not waiter.turn.done():
                self._count_wait(waiter, now)
                self._line_up(waiter, now)
        return self._asleep[0][0] if self._asleep else math.inf

    def _admit_all(self, rank: Rank, queue: OrderedDict[_Waiter, None], now: float) -> float:
        """Let through those of one rank; how many seconds the next one waits at least."""
        while queue:
            obstacle = self._traffic.obstacle(rank, now)
            if obstacle is not None:
                next(iter(queue)).reason = obstacle.reason
                return obstacle.wait_s
            waiter, _ = queue.popitem(last=False)
            if waiter.turn.done():  # cancelled, and about to withdraw
                continue
            passed = self._traffic.admit(rank, now, self._draw, self._standing)
            self._count_wait(waiter, now)
            waiter.turn.set_result(passed)
            if passed.probe:
                self.refuse_hopeless()
        return math.inf

    def _count_wait(self, waiter: _Waiter, now: float) -> None:
        if now > waiter.since:
            waited_s, waiter.since = now - waiter.since, now
            self.waited_s[waiter.reason] += waited_s
            if waiter.told is not None:
                waiter.told(waiter.reason, waited_s)

    def refuse_hopeless(self) -> None:
        """Everybody is stopped for a while: those who have no time for that are told at once."""
        now = self._clock()
        obstacle = self._traffic.shut(now)
        if obstacle is None:
            return
        asleep = (waiter for _, _, waiter in self._asleep)
        for waiter in [*itertools.chain(*self._queues, asleep)]:
            if not waiter.turn.done() and self._is_hopeless(waiter, obstacle, now):
                self._queues[waiter.rank].pop(waiter, None)
                self._count_wait(waiter, now)
                waiter.turn.set_result(obstacle)

    # ── the timer ────────────────────────────────────────────────────────────────────────────

    def _wake_up_at(self, when: float) -> None:
        if when >= self._due or when == math.inf:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = when
        self._timer = self._loop.call_at(when, self._fire, when)

    def _fire(self, when: float) -> None:
        self._timer, self._due = None, math.inf
        # Loops fire early, by up to their clock's resolution.
        self._pump(max(when, self._clock()))

    def close(self) -> None:
        """Cancel the timer; nobody waits any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ── looking at it ────────────────────────────────────────────────────────────────────────

    def sendable(self) -> int:
        """How many wait for whom there is a slot."""
        slots = self._traffic.slots
        return min(self._standing(), slots.width - slots.in_use)

    def _standing(self) -> int:
        """How many wait, those aside who sleep before a repeat."""
        return sum(map(len, self._queues))

    def waiting(self) -> Counter[Reason]:
        """How many wait, by the first thing that stood in their way."""
        waiting: Counter[Reason] = Counter()
        # Copies, since metrics are read from other threads, too.
        for queue in self._queues:
            waiting.update(waiter.reason for waiter in tuple(queue))
        waiting["backoff"] = sum(not waiter.turn.done() for _, _, waiter in tuple(self._asleep))
        return +waiting
