"""The way of one lookup: encode once, then admission, attempt, decision, until it ends.

A slot is held for the attempt alone; a lookup that sleeps before a repeat holds nothing.
Whatever goes wrong with the lookup is a value here (`Ended`), not an exception: single calls
raise it, batches hand it out. Only a cancel and a bug go through as exceptions.

A lookup that meets no trouble is `run` and `_exchange`, two coroutines that are longer than others
for it; whatever is not usual is in functions of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from altcraft_balance.codec.request import WireRequest
from altcraft_balance.errors import (
    AltcraftBalanceError,
    AuthenticationError,
    ClientClosed,
    HttpStatusError,
)
from altcraft_balance.models import Balance, BalanceQuery
from altcraft_balance.policy.classify import What, asks_too_much, classify, was_dead_on_arrival
from altcraft_balance.policy.retry import BEGUN, Stop, after_failure, attempt_limit_s
from altcraft_balance.session.admission import Refusal
from altcraft_balance.session.attempt import attempt_ended, understood
from altcraft_balance.session.brake import Brake, Halted
from altcraft_balance.session.ended import Ended
from altcraft_balance.session.finish import finish
from altcraft_balance.session.passes import Pass, Rank
from altcraft_balance.session.patience import Over, Patience
from altcraft_balance.session.refused import Phase, late, refused
from altcraft_balance.session.told import tell_cancel, tell_retry, tell_start, tells_waits
from altcraft_balance.transport.port import SendFailed

if TYPE_CHECKING:
    from altcraft_balance.session.session import Session

__all__ = ["Lookup", "Watch"]


_CALL, _ITEM = Rank.CALL, Rank.ITEM  # an enumeration's members are looked up each time


def _token() -> Phase:
    return "token"


class Watch(Protocol):
    """Whoever wants to know when a lookup's requests leave."""

    def sent(self) -> None:
        """A request leaves."""

    def sleeps(self, wait_s: float, error: AltcraftBalanceError) -> None:
        """It has failed with `error`, and another will follow in `wait_s` seconds."""


class Lookup:
    """One lookup; `run` it once.

    Args:
        session: whose admission, transport, tokens and counters it uses.
        query: what is asked.
        started: when it was called or taken, on the loop's clock.
        deadline: when it must have ended, on the loop's clock; None: no limit.
        brake: ends it while it waits.
        call: whether a single call waits for it, or a batch.
        watch: is told when requests leave and fail.
        naps: is called when it sleeps before a repeat: others may use its slot.
    """

    __slots__ = (
        "_asked", "_brake", "_call", "_deadline", "_last_error", "_naps", "_number", "_progress",
        "_query", "_renewed", "_repeated", "_requests", "_session", "_spare", "_started", "_taken",
        "_unspent", "_watch",
    )  # fmt: skip

    def __init__(
        self,
        session: Session,
        query: BalanceQuery,
        started: float,
        deadline: float | None,
        brake: Brake,
        call: bool = False,
        watch: Watch | None = None,
        naps: Callable[[], object] | None = None,
    ) -> None:
        self._session, self._query, self._call = session, query, call
        self._started, self._deadline, self._brake = started, deadline, brake
        self._watch, self._naps = watch, naps
        self._progress, self._requests = BEGUN, 0
        self._last_error: AltcraftBalanceError | None = None
        self._renewed = self._repeated = self._asked = self._spare = False
        self._taken = self._unspent = 0

    async def run(self) -> Ended:  # noqa: C901 - each coroutine more costs a microsecond
        """Look up, with all repeats, and say how it ended."""
        session, halted, rank = self._session, False, _CALL if self._call else _ITEM
        counts, tokens = session.counts, session.tokens
        counts.lookups += 1
        counts.in_progress += 1
        self._number = counts.lookups
        if session.emit is not None:
            tell_start(session, self._number, self._query, call=self._call)
        result: Balance | AltcraftBalanceError
        try:
            if tokens.may_change:
                await self._look_at_token()
            wire = tokens.current.encode(self._query)
            now = session.clock()
            passed = self._enter_at_once(rank, now)
            if passed is None or passed.is_test:
                result = await self._attempt(wire, passed, rank, 0.0)
            else:  # as in all good hours
                self._asked = True
                result = await self._exchange(wire, passed, now, passed.paid)
            if type(result) is not Balance:
                result = await self._repeat(wire, result)
            session.witness.query = self._query
        except Halted:
            halted, result = True, self._patience.why_halted(self._last_error)
        except Over as over:
            result = over.error
        except AltcraftBalanceError as error:  # the query cannot be encoded
            result = error
        except asyncio.CancelledError:
            counts.cancelled += 1
            tell_cancel(session, self._number, self._requests, self._started)
            raise
        finally:
            if self._unspent:
                session.traffic.budget.give_back(self._unspent)
            counts.in_progress -= 1
            if session.drained is not None and not counts.in_progress:
                session.drained.set()
        return self._ended(result, halted=halted)

    async def _look_at_token(self) -> None:
        tokens = self._session.tokens
        if tokens.is_look_due():
            await self._patience.within(_token, tokens.encoder, None)

    async def _repeat(
        self, wire: WireRequest, result: Balance | AltcraftBalanceError
    ) -> Balance | AltcraftBalanceError:
        """Attempt after attempt, until a balance or an end."""
        rank = _CALL if self._call else _ITEM
        while not isinstance(result, Balance):
            if await self._has_new_token(wire, result):
                wire, nap_s = self._session.tokens.current.encode(self._query), 0.0
                self._taken = 0  # the 401 was an answer, and has given it back
            else:
                nap_s = self._decide(result)
                if not self._call:
                    throttled = classify(result) is What.THROTTLED
                    rank = _ITEM if throttled else Rank.RETRY
            passed = None if nap_s else self._enter_at_once(rank, self._session.clock())
            result = await self._attempt(wire, passed, rank, nap_s)
        return result

    def _decide(self, error: AltcraftBalanceError) -> float:
        """Seconds to sleep before the next attempt; `Over` or `Halted` when there is none."""
        session = self._session
        decision = after_failure(
            session.settings.retry,
            self._progress,
            error,
            left_s=None if self._deadline is None else self._deadline - session.clock(),
            draw=session.rng.random(),
            spare=self._spare,
        )
        self._progress, self._last_error = decision.progress, error
        brake = self._brake
        if isinstance(brake.reason, ClientClosed) and error.transient:
            raise Halted  # it was most likely cut off
        if isinstance(decision, Stop):
            if asks_too_much(error):  # this run ends by itself
                session.brake.pull_below(error, but=brake)
            raise Over(decision.error)
        self._patience.check()  # no repeat will come
        if self._call and classify(error) is not What.THROTTLED:
            self._pay(error)
        self._tell_retry(error, decision.wait_s)
        return decision.wait_s

    def _pay(self, error: AltcraftBalanceError) -> None:
        """Take the tokens of a call's retry, or end with `error` when there are none."""
        taken = self._session.traffic.budget.take()
        if not taken:
            raise Over(error)
        self._taken += taken
        self._unspent = taken

    def _tell_retry(self, error: AltcraftBalanceError, wait_s: float) -> None:
        if self._watch is not None:
            self._watch.sleeps(wait_s, error)
        if self._naps is not None and wait_s:
            self._naps()
        tell_retry(self._session, self._number, self._query, error, wait_s)

    # ── one attempt ──────────────────────────────────────────────────────────────────────────

    async def _attempt(
        self, wire: WireRequest, passed: Pass | None, rank: Rank, nap_s: float
    ) -> Balance | AltcraftBalanceError:
        """One attempt, with the pass that it has or when it is allowed."""
        self._spare = False
        if passed is None or passed.is_test:
            passed = await self._admitted(passed, rank, nap_s)
        self._asked, self._taken = True, self._taken + passed.paid
        return await self._exchange(wire, passed, self._session.clock(), self._taken)

    async def _admitted(self, passed: Pass | None, rank: Rank, nap_s: float) -> Pass:
        """Leave to attempt, after as many tests of the server as it takes until it is well."""
        witness = self._session.witness
        passed = passed or await self._enter(rank, nap_s)
        while (question := witness.question(passed)) is not None:
            await self._test(question, passed)
            passed = self._enter_at_once(rank, self._session.clock()) or await self._enter(rank)
        if passed.is_test:
            self._spare = witness.is_wanted(passed)
            witness.was_asked(in_vain=False)
        return passed

    async def _test(self, question: BalanceQuery, passed: Pass) -> None:
        """Ask `question` to test the server: what comes of it is for the policies to hear."""
        session = self._session
        wire = session.tokens.current.encode(question)
        free, self._repeated = self._repeated, False  # the item's free repeat is its own
        result = await self._exchange(wire, passed, session.clock(), 0, test=True)
        self._repeated = free
        session.witness.was_asked(in_vain=not isinstance(result, Balance))
        if not isinstance(result, Balance) and asks_too_much(result):
            session.brake.pull_below(result)

    async def _exchange(
        self, wire: WireRequest, passed: Pass, sent_at: float, taken: int, *, test: bool = False
    ) -> Balance | AltcraftBalanceError:
        """One request inside a slot, and its free repeat on a fresh connection."""
        session, settings = self._session, self._session.settings
        paid, self._unspent = passed.paid + self._unspent, 0
        if self._watch is not None:
            self._watch.sent()
        result: Balance | AltcraftBalanceError
        ended, now, fresh = None, sent_at, False
        try:
            while True:
                self._requests += 1
                session.counts.requests += 1
                session.counts.peaks.sent(now)
                limit_s, status = settings.timeouts.attempt_s, None
                if self._deadline is not None:
                    limit_s = attempt_limit_s(limit_s, self._deadline - now)
                headers = wire.headers
                if session.adds_headers:
                    headers = session.headers(headers, self._number)
                try:
                    raw = await session.transport.send(
                        wire.body, headers, limit_s=limit_s, fresh=fresh
                    )
                    status, reused = raw.status, raw.reused
                    result = understood(settings, wire, raw, session.bad_replies)
                except SendFailed as failed:
                    result, reused = failed.error, failed.reused and not failed.began
                if session.emit is not None:
                    took_s = session.clock() - now
                    session.emit(
                        attempt_ended(self._number, result, took_s, status, fresh=fresh, test=test)
                    )
                if type(result) is Balance or fresh or not reused:
                    break
                now = session.clock()
                if not self._may_repeat(result, passed, now):
                    break
                self._repeated = fresh = True
                session.counts.free_repeats += 1
                session.traffic.spend(now)
            ended = result
        finally:
            finish(session, passed, ended, sent_at, taken, paid)
        return result

    def _may_repeat(self, result: Balance | AltcraftBalanceError, passed: Pass, now: float) -> bool:
        """Whether it met a dead connection, its free repeat is left, and nothing forbids it."""
        if isinstance(result, Balance) or not was_dead_on_arrival(result) or self._repeated:
            return False
        if self._brake.reason is not None or self._patience.is_hopeless(now):
            return False
        return not self._session.traffic.is_stopped(now, probe=passed.probe)

    def _enter_at_once(self, rank: Rank, now: float) -> Pass | None:
        """A pass, if nothing is in the way."""
        if self._brake.reason is not None:
            raise Halted
        passed = self._session.admission.enter_at_once(rank, now)
        if passed is None or self._deadline is None:
            return passed
        return self._in_time(passed, now)

    async def _enter(self, rank: Rank, nap_s: float = 0.0) -> Pass:
        """A pass, after a nap, when it is our turn."""
        patience, admission = self._patience, self._session.admission
        told = tells_waits(self._session, self._number)
        patience.check()
        passed = await patience.within(
            lambda: admission.gave_up,
            lambda: admission.enter(rank, patience.deadline, nap_s, told),
            self._last_error,
        )
        if isinstance(passed, Refusal):
            raise Over(self._refused(passed))
        return self._in_time(passed, self._session.clock())

    def _in_time(self, passed: Pass, now: float) -> Pass:
        if self._patience.is_hopeless(now):
            self._session.admission.give_back(passed)
            raise Over(late("attempt", self._last_error))
        return passed

    def _refused(self, refusal: Refusal) -> AltcraftBalanceError:
        session = self._session
        return refused(
            refusal,
            self._last_error,
            call=self._call,
            closed_s=session.traffic.closed_s(session.clock()),
            failure=session.counts.last_failure,
        )

    @property
    def _patience(self) -> Patience:
        """What is asked where a lookup waits; most never do."""
        return Patience(self._session, self._started, self._deadline, self._brake, self._call)

    async def _has_new_token(self, wire: WireRequest, error: AltcraftBalanceError) -> bool:
        """Whether a 401 has brought another token; a lookup asks for that once."""
        unknown = isinstance(error, AuthenticationError) or (
            isinstance(error, HttpStatusError) and error.status == 401
        )
        if not unknown or self._renewed:
            return False
        self._renewed, self._last_error = True, error
        try:
            return await self._patience.within(
                _token, lambda: self._session.tokens.renewed(wire.token), error
            )
        except (Halted, Over):
            self._progress = self._progress.attempted()  # the 401 is this lookup's end
            raise

    # ── the end ──────────────────────────────────────────────────────────────────────────────

    def _ended(self, result: Balance | AltcraftBalanceError, *, halted: bool) -> Ended:
        session, attempts, requests = self._session, self._progress.attempts, self._requests
        elapsed_s = session.clock() - self._started
        if isinstance(result, Balance):
            session.counts.found += 1
            ended = Ended(result, None, attempts + 1, requests, elapsed_s)
        else:
            session.counts.failed[result.kind] += 1
            if result is not self._brake.reason:
                result.attempts, result.elapsed_s = attempts, elapsed_s
            unsent = halted and not self._asked
            ended = Ended(None, result, attempts, requests, elapsed_s, halted, unsent)
        if session.emit is not None:
            session.emit(ended.as_event(self._number, session.ref_of(self._query)))
        return ended
