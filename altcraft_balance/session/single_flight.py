"""Single flight: calls that ask the same thing at the same time share one request.

An answer is never older than its question: a call joins a lookup only while its request has not
left. Calls that come later share the next one, which is sent when the first has come to its end;
if the first fails and is to be repeated, they join the repeat. So there is one request on the way
for a query at most, however many ask.

Nobody is hurt by another: each call keeps its own deadline and gets its own copy of an error,
one that is cancelled only leaves, and when the last one has left the lookup is cancelled. If a
lookup ends for want of time, those who have more of it go on with the next; those who have less
are told as soon as it is known that nothing can be sent in time.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Hashable
from typing import TYPE_CHECKING, Final

from altcraft_balance.models import BalanceQuery, RawMatching
from altcraft_balance.session.brake import Halted
from altcraft_balance.session.ended import Ended
from altcraft_balance.session.flight import Flight, Rider

if TYPE_CHECKING:
    from altcraft_balance.session.session import Session

__all__ = ["SingleFlight"]

_TASK: Final = "altcraft_balance flight"


class SingleFlight:
    """The flights of one client, by what they ask."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._flights: dict[Hashable, Flight] = {}

    async def look_up(
        self, query: BalanceQuery, *, started: float, deadline: float | None
    ) -> Ended:
        """Look `query` up, together with whoever asks the same before the request leaves."""
        session, asked = self._session, _asked(query)
        rider = Rider(asyncio.get_running_loop().create_future(), started, deadline)
        flight = self._flights.get(asked)
        if flight is None:
            flight = self._flights[asked] = Flight(session)
            flight.task = asyncio.create_task(self._fly(asked, query, flight), name=_TASK)
        elif refusal := flight.refusal(rider):
            return session.refuse(refusal)
        else:
            session.counts.joined += 1
        flight.board(rider)
        try:
            return await self._end_of(rider, flight)
        finally:
            if flight.drop(rider):
                self._forget(asked, flight)
                if not flight.task.cancelling():  # a second cancel would disturb the first
                    flight.task.cancel()

    async def _end_of(self, rider: Rider, flight: Flight) -> Ended:
        session = self._session
        try:
            with session.limits.until(rider.deadline):
                try:
                    with session.brake.waiting():
                        return await asyncio.shield(rider.end)
                except Halted:
                    flight.halt(rider)
                return await asyncio.shield(rider.end)
        except TimeoutError:
            flight.expire(rider)
        return await rider.end

    def refuse_hopeless(self) -> None:
        """Everybody is stopped for a while: those who have no time for that are told at once."""
        for flight in self._flights.values():
            flight.refuse_hopeless()

    def _forget(self, asked: Hashable, flight: Flight) -> None:
        """Nobody waits for it any more: the next caller begins anew."""
        if self._flights.get(asked) is flight:
            del self._flights[asked]

    async def _fly(self, asked: Hashable, query: BalanceQuery, flight: Flight) -> None:
        """One lookup after another, until nobody waits for one."""
        session = self._session
        try:
            while flight.riders:
                deadline = flight.take_off()
                ended = await session.look_up(
                    query,
                    started=session.clock(),
                    deadline=None if deadline == math.inf else deadline,
                    brake=session.brake,
                    call=True,
                    watch=flight,
                )
                flight.land(ended)
        except Exception as bug:  # noqa: BLE001 - it is the callers' to see
            flight.crash(bug)
        finally:
            self._forget(asked, flight)
            flight.abandon()


def _asked(query: BalanceQuery) -> Hashable:
    """What may share a request: equal queries, save that 1 is not true in JSON."""
    raw = query.matching.fields if isinstance(query.matching, RawMatching) else {}
    if not raw and query.extra is None:
        return query
    kinds = [frozenset((name, type(of[name])) for name in of) for of in (raw, query.extra or {})]
    return query, *kinds
