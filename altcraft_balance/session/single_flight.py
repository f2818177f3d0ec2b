"""Single flight: calls that ask the same thing at the same time share one request.

An answer is never older than its question: a call joins a lookup only while its request has not
left. Calls that come later share the next one, which is sent when the first has come to its end;
if the first fails and is to be repeated, they join the repeat. So there is one request on the way
for a query at most, however many ask.

Nobody is hurt by another: each call keeps its own deadline and gets its own copy of an error,
one that is cancelled only leaves, and when the last one has left the lookup is cancelled. If a
lookup ends for want of time, those who have more of it go on with the next.
"""

from __future__ import annotations

import asyncio
import math
from copy import copy
from typing import TYPE_CHECKING, Final

from attrs import evolve

from altcraft_balance.errors import AltcraftBalanceError, DeadlineExceeded
from altcraft_balance.models import BalanceQuery
from altcraft_balance.session.brake import Halted
from altcraft_balance.session.ended import Ended

if TYPE_CHECKING:
    from altcraft_balance.session.session import Session

__all__ = ["SingleFlight"]

_LATE: Final = "the deadline came before the answer that this call shares with others"
_TASK: Final = "altcraft_balance flight"


class _Rider:
    """One call, and the end that it waits for."""

    __slots__ = ("deadline", "end", "started")

    def __init__(self, end: asyncio.Future[Ended], started: float, deadline: float | None) -> None:
        self.end, self.started = end, started
        self.deadline = math.inf if deadline is None else deadline

    def deliver(self, ended: Ended, now: float) -> None:
        """Hand over an end, with this call's own time and copy of the error."""
        if self.end.done():
            return
        error, elapsed_s = copy(ended.error), now - self.started
        if error is not None:
            error.elapsed_s = elapsed_s
        self.end.set_result(evolve(ended, error=error, elapsed_s=elapsed_s))


class _Flight:
    """The calls that ask one thing: those on the lookup under way, and those for the next.

    Fits `lookup.Watch`.
    """

    task: asyncio.Task[None]

    def __init__(self, session: Session) -> None:
        self._session = session
        self.riders: dict[_Rider, None] = {}
        self.later: dict[_Rider, None] = {}
        self.gone = False
        self.last_error: AltcraftBalanceError | None = None

    def board(self, rider: _Rider) -> None:
        """Take `rider` along if the request has not left; else it waits for the next."""
        (self.later if self.gone else self.riders)[rider] = None

    def drop(self, rider: _Rider) -> bool:
        """`rider` has its end, or has gone away; whether it was the last one."""
        self.riders.pop(rider, None)
        self.later.pop(rider, None)
        return not self.riders and not self.later

    def sent(self) -> None:
        """The request leaves."""
        self.gone = True

    def sleeps(self, wait_s: float, error: AltcraftBalanceError) -> None:
        """It has failed, and another will follow in `wait_s` seconds: all wait for that one."""
        self.gone, self.last_error = False, error
        self.riders |= self.later
        self.later = {}
        now = self._session.clock()
        for rider in [rider for rider in self.riders if now + wait_s >= rider.deadline]:
            self.late(rider, "backoff", retry_after_s=wait_s)

    def late(self, rider: _Rider, phase: str, retry_after_s: float | None = None) -> None:
        """The time of `rider` is up, or will be before anything can come."""
        last = self.last_error
        error = DeadlineExceeded(
            _LATE if last is None else f"{_LATE}; the last attempt: {last}",
            phase=phase,
            last_error=last,
            retry_after_s=retry_after_s,
            maybe_sent=self.gone or (last is not None and last.maybe_sent),
        )
        rider.deliver(Ended(error=error), self._session.clock())

    def land(self, ended: Ended, deadline: float) -> None:
        """The lookup with that deadline has ended; those who have more time stay for the next."""
        now = self._session.clock()
        out_of_time = isinstance(ended.error, DeadlineExceeded)
        stay = {r: None for r in self.riders if out_of_time and r.deadline > deadline}
        for rider in self.riders:
            if rider not in stay:
                rider.deliver(ended, now)
        self.riders, self.later, self.gone = stay | self.later, {}, False


class SingleFlight:
    """The flights of one client, by query."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._flights: dict[BalanceQuery, _Flight] = {}

    async def look_up(
        self, query: BalanceQuery, *, started: float, deadline: float | None
    ) -> Ended:
        """Look `query` up, together with whoever asks the same before the request leaves."""
        session = self._session
        rider = _Rider(asyncio.get_running_loop().create_future(), started, deadline)
        flight = self._flights.get(query)
        if flight is None:
            flight = self._flights[query] = _Flight(session)
            flight.board(rider)
            flight.task = asyncio.create_task(self._fly(query, flight), name=_TASK)
        else:
            session.counts.joined += 1
            flight.board(rider)
        try:
            return await self._end_of(rider, flight, deadline)
        finally:
            if flight.drop(rider):
                self._forget(query, flight)
                flight.task.cancel()

    async def _end_of(self, rider: _Rider, flight: _Flight, deadline: float | None) -> Ended:
        session = self._session
        try:
            with session.limits.until(deadline):
                try:
                    with session.brake.waiting():
                        return await asyncio.shield(rider.end)
                except Halted:
                    if rider in flight.later:  # nothing was sent for it
                        return Ended(halted=True)
                return await rider.end
        except TimeoutError:
            flight.late(rider, "attempt" if flight.gone else "slot")
        return rider.end.result()

    def _forget(self, query: BalanceQuery, flight: _Flight) -> None:
        """Nobody waits for it any more: the next caller begins anew."""
        if self._flights.get(query) is flight:
            del self._flights[query]

    async def _fly(self, query: BalanceQuery, flight: _Flight) -> None:
        """One lookup after another, until nobody waits for one."""
        session = self._session
        try:
            while flight.riders:
                deadline = max(rider.deadline for rider in flight.riders)
                ended = await session.look_up(
                    query,
                    started=session.clock(),
                    deadline=None if deadline == math.inf else deadline,
                    brake=session.brake,
                    call=True,
                    watch=flight,
                )
                flight.land(ended, deadline)
        except Exception as bug:  # noqa: BLE001 - it is the callers' to see
            for rider in [*flight.riders, *flight.later]:
                if not rider.end.done():
                    rider.end.set_exception(bug)
        finally:
            self._forget(query, flight)
