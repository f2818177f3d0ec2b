"""The part of a run that asks: rows are read, looked up, and written with what came of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, Final

from altcraft_balance.batch.stream import OutcomeStream
from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import ClientClosed
from altcraft_balance.models import Failed, Found
from altcraft_balance.policy.classify import is_fatal
from altcraft_balance.refresh.before import Before
from altcraft_balance.refresh.desk import Desk
from altcraft_balance.refresh.feed import Feed
from altcraft_balance.refresh.outputs import Asked, Output
from altcraft_balance.refresh.port import RowSource
from altcraft_balance.refresh.rows.answer import of_outcome
from altcraft_balance.refresh.rows.limits import FirstAnswers, MaxFailed
from altcraft_balance.refresh.rows.plan import Plan
from altcraft_balance.refresh.sinks import Sinks
from altcraft_balance.refresh.state.checkpoint import Checkpoint
from altcraft_balance.refresh.watch import RunWatch
from altcraft_balance.refresh.writer import Writer, rows_at_once

__all__ = ["Work"]

#: A run that was stopped ends within a second after its grace: so long a sink has then to take what
#: is answered.
_COMMIT_S: Final = 0.8


class Work:
    """Asks about what is left of a source.

    Args:
        desk: where all that blocks is done.
        client: who asks.
        source: what is read.
        plan: what is asked about a row.
        sinks: may refuse an amount, and know what came before.
        outputs: where the rows go; they are open.
        checkpoint: what is known for certain.
        watch: what is counted.
        facts: what else the checkpoint keeps.
        max_failed: how many may fail.
        gives_up: nothing is asked any more.
        grace_s: seconds that lookups on the wire have when it is stopped.
    """

    def __init__(
        self,
        desk: Desk,
        client: BalanceClient,
        source: RowSource,
        plan: Plan,
        sinks: Sinks,
        outputs: Sequence[Output],
        checkpoint: Checkpoint,
        watch: RunWatch,
        *,
        facts: dict[str, Any],
        max_failed: MaxFailed,
        gives_up: bool,
        grace_s: float,
    ) -> None:
        self._client, self._plan, self._sinks = client, plan, sinks
        self._watch, self._max_failed, self._grace_s = watch, max_failed, grace_s
        # A run that has had other answers knows that it asks for the right thing.
        self._first_answers = None if watch.has_found else FirstAnswers()
        self._refuses = sinks.refusal()
        self._is_stopping = False
        self._commits_by = float("inf")
        self._ends_at: float | None = None
        self._limit: asyncio.Timeout | None = None
        self._outcomes: OutcomeStream | None = None
        self._commit_limit: asyncio.Timeout | None = None
        self.writer = Writer(
            desk,
            checkpoint,
            outputs,
            watch.tally,
            facts=facts,
            most=rows_at_once(client.settings.limits.concurrency),
            failed=self._cut_short,
            before=None if sinks.previous is None else Before(desk, plan, sinks.previous).look,
        )
        self.feed = Feed(
            desk,
            source,
            plan,
            checkpoint,
            self.writer,
            is_stopping=lambda: self._is_stopping,
            gives_up=gives_up,
            has_twins=sinks.knows_rows,
        )

    async def do(self) -> bool:
        """Do it; whether every row is durable in every output at the end."""
        self.writer.begin()
        with self._watch.watching(self.feed, self.writer):
            try:
                await self._ask()
            except Exception:
                await self._committed()
                raise
            if not await self._committed() or not self.feed.at_end:
                return False
            if self._is_stopping and self.writer.due_next < self.feed.rows:
                return False
            await self.writer.complete(self.feed.rows, self._watch.exact_total)
        return True

    def stop(self) -> None:
        """Ask nothing more, and give what is on the wire a little time to be answered."""
        if not self._is_stopping:
            self._is_stopping = True
            if self._outcomes is not None:
                self._outcomes.stop()
            self._end_within(self._grace_s)
            now = asyncio.get_running_loop().time()
            self._commits_by = now + self._grace_s + _COMMIT_S
            self._limit_commit()
            self._sinks.hurry(self._grace_s)

    async def close(self) -> None:
        """Let go of everything that the outputs and the checkpoint are called from."""
        self.writer.halt()  # first: to close the feed may wait for the block that is under way
        self._sinks.hurry(0.0)
        try:
            await self.feed.close()
        finally:
            await self.writer.close()

    async def _ask(self) -> None:
        limit = asyncio.timeout_at(self._ends_at)
        try:
            async with (
                limit,
                aclosing(self.feed.queries()) as queries,
                self._client.stream_balances(queries) as outcomes,
            ):
                self._limit, self._outcomes = limit, outcomes
                if self._is_stopping:
                    outcomes.stop()
                async for outcome in outcomes:
                    self._take(outcome)
        except TimeoutError:
            if not limit.expired():
                raise
        finally:
            self._limit = self._outcomes = None

    async def _committed(self) -> bool:
        """Commit all that is answered; whether it is, and not kept by a sink that is stuck.

        What is not is asked again, as after a crash: a run that was stopped has to end.
        """
        limit = asyncio.timeout(None)
        try:
            async with limit:
                self._commit_limit = limit
                self._limit_commit()
                await self.writer.commit()
        except TimeoutError:
            if not limit.expired():
                raise
            self.writer.cut()
            return False
        finally:
            self._commit_limit = None
        return True

    def _limit_commit(self) -> None:
        if self._is_stopping and self._commit_limit is not None:
            self._commit_limit.reschedule(self._commits_by)

    def _take(self, outcome: Found | Failed) -> None:
        if outcome.requests or not isinstance(outcome, Failed):
            self._watch.looked_up(outcome)
        if isinstance(outcome, Failed) and self._is_no_answer(outcome):
            return  # it is asked about again when the run goes on
        asked: Asked
        asked, number = outcome.query.tag
        currency, program = self._plan.about(outcome.query)
        asked.answers[number] = of_outcome(outcome, currency, program, refuses=self._refuses)
        asked.missing -= 1
        if not asked.missing:
            self._put(asked)
        self._look_for_sense(outcome)

    def _put(self, asked: Asked) -> None:
        self.writer.put(asked)
        for twin in asked.twins or ():
            twin.answer_as(asked)
            self.writer.put(twin)

    def _is_no_answer(self, outcome: Failed) -> bool:
        """Whether it concerns all rows, or the stop has kept it from being repeated."""
        error = outcome.error
        concerns_all = is_fatal(error, self._client.settings.fatal_codes)
        cut_short = self._is_stopping and error.transient
        return concerns_all or cut_short or isinstance(error, ClientClosed)

    def _look_for_sense(self, outcome: Found | Failed) -> None:
        """Stop when what comes back shows that going on makes none."""
        error = self._first_answers.same_error(outcome) if self._first_answers else None
        if error is not None:
            self._watch.ends("same_error", f"the first 200 answers were all the same: {error}")
            self.stop()
            return
        tally = self._watch.tally
        if isinstance(outcome, Failed) and self._max_failed.is_far_behind(
            tally.failed, tally.answered
        ):
            self._watch.ends(
                "too_many_failed",
                f"{tally.failed:,} of {tally.answered:,} failed, far more than max_failed allows "
                f"({self._max_failed}): raise it to go on, or end the run as it is with "
                "give_up=True",
            )
            self.stop()

    def _cut_short(self) -> None:
        """A block could not be written: the next step of the run says why."""
        self._end_within(0.0)

    def _end_within(self, seconds: float) -> None:
        self._ends_at = asyncio.get_running_loop().time() + seconds
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(self._ends_at)
