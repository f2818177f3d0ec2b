"""The way of one lookup: encode once, then slot, attempt, decision, wait, until it ends.

The slot is held for the attempt alone; a lookup that sleeps before a repeat holds nothing.
Whatever goes wrong with the lookup is a value here (`Ended`), not an exception: single calls
raise it, batches hand it out. Only a cancel and a bug go through as exceptions.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from altcraft_balance.codec.request import WireRequest
from altcraft_balance.errors import (
    AltcraftBalanceError,
    AuthenticationError,
    ClientClosed,
    DeadlineExceeded,
    HttpStatusError,
)
from altcraft_balance.models import Balance, BalanceQuery
from altcraft_balance.policy.classify import What, classify, was_dead_on_arrival
from altcraft_balance.policy.retry import Progress, Stop, after_failure, attempt_limit_s
from altcraft_balance.session.attempt import attempt
from altcraft_balance.session.brake import Brake, Halted
from altcraft_balance.session.ended import Ended
from altcraft_balance.telemetry.events import (
    LookupEnded,
    LookupStarted,
    RetryPlanned,
)

if TYPE_CHECKING:
    from altcraft_balance.session.session import Session

__all__ = ["Lookup"]


class Lookup:
    """One lookup; `run` it once.

    Args:
        session: whose slots, transport, tokens and counters it uses.
        query: what is asked.
        started: when it was called or taken, on the loop's clock.
        deadline: when it must have ended, on the loop's clock; None: no limit.
        brake: ends it while it waits.
    """

    __slots__ = (
        "_brake",
        "_deadline",
        "_last_error",
        "_number",
        "_progress",
        "_query",
        "_renewed",
        "_repeated",
        "_session",
        "_started",
    )

    def __init__(
        self,
        session: Session,
        query: BalanceQuery,
        *,
        started: float,
        deadline: float | None,
        brake: Brake,
    ) -> None:
        self._session, self._query, self._brake = session, query, brake
        self._started, self._deadline = started, deadline
        self._number = session.counts.lookups
        self._progress = Progress()
        self._last_error: AltcraftBalanceError | None = None
        self._renewed = self._repeated = False

    async def run(self) -> Ended:
        """Look up, with all repeats, and say how it ended."""
        if self._session.emit is not None:
            self._session.emit(LookupStarted(lookup=self._number))
        halted = False
        result: Balance | AltcraftBalanceError
        try:
            late = None
            if self._session.tokens.is_look_due():
                late = await self._look_at_token()
            wire = self._session.tokens.current.encode(self._query)
            result = late or await self._repeat(wire)
        except Halted:
            halted, result = True, self._halted()
        except AltcraftBalanceError as error:  # the query cannot be encoded
            result = error
        return self._ended(result, halted=halted)

    async def _repeat(self, wire: WireRequest) -> Balance | AltcraftBalanceError:
        """Attempt after attempt, until a balance or an end."""
        while True:
            result = await self._attempt(wire)
            if isinstance(result, Balance):
                self._progress = self._progress.attempted()
                return result
            if isinstance(result, DeadlineExceeded):  # there was no slot in time
                return result
            renewed = await self._has_new_token(wire, result)
            if isinstance(renewed, DeadlineExceeded):
                self._progress = self._progress.attempted()
                return renewed
            if renewed:
                wire = self._session.tokens.current.encode(self._query)
                continue
            decision = after_failure(
                self._session.settings.retry,
                self._progress,
                result,
                left_s=self._left_s(),
                draw=self._session.rng.random(),
            )
            self._progress, self._last_error = decision.progress, result
            if isinstance(self._brake.reason, ClientClosed) and result.transient:
                raise Halted  # it was most likely cut off
            if isinstance(decision, Stop):
                return decision.error
            await self._sleep(decision.wait_s, result)

    # ── one attempt ──────────────────────────────────────────────────────────────────────────

    async def _attempt(self, wire: WireRequest) -> Balance | AltcraftBalanceError:
        """One attempt inside a slot, and the free repeat on a fresh connection."""
        if (late := await self._take_slot()) is not None:
            return late
        session = self._session
        session.counts.slots_in_use += 1
        try:
            result, reused = await self._ask(wire, fresh=False)
            if reused and _was_dead(result) and self._may_repeat():
                self._repeated = True
                session.counts.free_repeats += 1
                result, _ = await self._ask(wire, fresh=True)
        finally:
            session.counts.slots_in_use -= 1
            session.slots.release()
        self._count(result)
        return result

    def _may_repeat(self) -> bool:
        """Whether the free repeat is not used up, and neither brake nor deadline forbids it."""
        left_s = self._left_s()
        in_time = left_s is None or left_s > 0
        return not self._repeated and in_time and self._brake.reason is None

    async def _take_slot(self) -> DeadlineExceeded | None:
        slots = self._session.slots
        if self._brake.reason is not None:
            raise Halted
        if not slots.locked():
            await slots.acquire()  # does not wait
            return None
        try:
            with self._brake.waiting():
                async with asyncio.timeout_at(self._deadline):
                    await slots.acquire()
        except TimeoutError:
            return self._late("slot", "no slot was free before the deadline: raise concurrency")
        return None

    async def _ask(
        self, wire: WireRequest, *, fresh: bool
    ) -> tuple[Balance | AltcraftBalanceError, bool]:
        """One request within its own limit and the lookup's, unless the deadline has come."""
        left_s = self._left_s()
        if left_s is not None and left_s <= 0:
            return self._late("slot", "the deadline came before the request could be sent"), False
        limit_s = attempt_limit_s(self._session.settings.timeouts.attempt_s, left_s)
        self._progress = self._progress.sent()
        return await attempt(self._session, wire, lookup=self._number, limit_s=limit_s, fresh=fresh)

    # ── between attempts ─────────────────────────────────────────────────────────────────────

    async def _look_at_token(self) -> DeadlineExceeded | None:
        try:
            with self._brake.waiting():
                async with asyncio.timeout_at(self._deadline):
                    await self._session.tokens.encoder()
        except TimeoutError:
            return self._late("token", "the deadline came while the token's file was looked at")
        return None

    async def _has_new_token(
        self, wire: WireRequest, error: AltcraftBalanceError
    ) -> bool | DeadlineExceeded:
        """Whether a 401 has brought another token; a lookup asks for that once."""
        refused = isinstance(error, AuthenticationError) or (
            isinstance(error, HttpStatusError) and error.status == 401
        )
        if not refused or self._renewed:
            return False
        self._renewed, self._last_error = True, error
        try:
            with self._brake.waiting():
                async with asyncio.timeout_at(self._deadline):
                    return await self._session.tokens.renewed(wire.token)
        except Halted:
            self._progress = self._progress.attempted()  # the 401 is this lookup's end
            raise
        except TimeoutError:
            return self._late("token", "the deadline came while a new token was fetched")

    async def _sleep(self, wait_s: float, error: AltcraftBalanceError) -> None:
        with self._brake.waiting():
            if self._session.emit is not None:
                self._session.emit(
                    RetryPlanned(
                        lookup=self._number,
                        wait_s=wait_s,
                        kind=error.kind,
                        retry_after_s=error.retry_after_s,
                    )
                )
            await asyncio.sleep(wait_s)

    def _left_s(self) -> float | None:
        return None if self._deadline is None else self._deadline - self._session.clock()

    def _late(self, phase: str, message: str) -> DeadlineExceeded:
        if self._last_error is not None:
            message += f"; the last attempt: {self._last_error}"
        return DeadlineExceeded(
            message,
            phase=phase,
            last_error=self._last_error,
            maybe_sent=self._last_error is not None and self._last_error.maybe_sent,
        )

    # ── the end ──────────────────────────────────────────────────────────────────────────────

    def _count(self, result: Balance | AltcraftBalanceError) -> None:
        if isinstance(result, DeadlineExceeded):
            return  # nothing was sent, which says nothing about the server
        counts = self._session.counts
        what = What.FINAL if isinstance(result, Balance) else classify(result)
        counts.throttled += what is What.THROTTLED
        # A final error without a reply, such as TLS refused, is no healthy server's answer either.
        if isinstance(result, AltcraftBalanceError) and (
            what is not What.FINAL or not result.maybe_sent
        ):
            counts.troubled(result.kind)
        else:
            counts.answered()

    def _halted(self) -> AltcraftBalanceError:
        if self._last_error is not None:
            return self._last_error
        reason = self._brake.reason
        if isinstance(reason, AltcraftBalanceError):
            return reason
        return ClientClosed("the run ended before this lookup was sent")

    def _ended(self, result: Balance | AltcraftBalanceError, *, halted: bool) -> Ended:
        progress, session = self._progress, self._session
        elapsed_s = session.clock() - self._started
        error = None if isinstance(result, Balance) else result
        if error is not None and error is not self._brake.reason:
            error.attempts, error.elapsed_s = progress.attempts, elapsed_s
        if session.emit is not None:
            session.emit(
                LookupEnded(
                    lookup=self._number,
                    kind=None if error is None else error.kind,
                    code=getattr(error, "code", None),
                    attempts=progress.attempts,
                    requests=progress.requests,
                    elapsed_s=elapsed_s,
                )
            )
        return Ended(
            balance=result if isinstance(result, Balance) else None,
            error=error,
            attempts=progress.attempts,
            requests=progress.requests,
            elapsed_s=elapsed_s,
            halted=halted,
        )


def _was_dead(result: Balance | AltcraftBalanceError) -> bool:
    return isinstance(result, AltcraftBalanceError) and was_dead_on_arrival(result)
