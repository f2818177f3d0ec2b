"""The lookups of a call, in a loop's thread of their own: parts go in, answers come into them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from altcraft_balance.arrow.part import Part, Shape
from altcraft_balance.blocking.loop_thread import LoopThread
from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import InvalidQuery, NotAMember
from altcraft_balance.models import BalanceQuery, Failed, Found
from altcraft_balance.policy.classify import is_fatal
from altcraft_balance.refresh.rows.answer import Answer, bad_input, of_outcome
from altcraft_balance.settings import ClientSettings

__all__ = ["Ahead"]

#: So long the first answer is waited for, before all slots are used: an engine that tries a failed
#: task again, four times, then asks a wrong token's question four times and not 256.
_FIRST_S: Final = 2.0
#: Rows that make no query, between which others have their turn.
_BAD_ROWS: Final = 500


class Ahead:
    """A client and its stream, for one call of a mapper; `close` ends both.

    Args:
        settings: the client's.
        shape: what is asked about a row.
        raises: any error ends it, and not a fatal one alone.

    Raises:
        AltcraftBalanceError: the client cannot be opened.
    """

    def __init__(self, settings: ClientSettings, shape: Shape, *, raises: bool) -> None:
        self._shape, self._raises = shape, raises
        self._parts: deque[Part] = deque()
        self._open: set[Part] = set()
        self._is_last = False
        self._error: BaseException | None = None
        self._client = BalanceClient(**settings.arguments())
        self._thread = LoopThread()
        try:
            self._thread.call(self._begin())
        except BaseException:
            self._thread.end()
            raise

    # ── the caller's side ────────────────────────────────────────────────────────────────────

    def give(self, part: Part) -> None:
        """Look these rows up as well."""
        self._thread.tell(self._take, part)

    def end(self) -> None:
        """There are no more."""
        self._thread.tell(self._take, None)

    def close(self) -> None:
        """Cancel what is under way, and let go of everything."""
        try:
            self._thread.call(self._stop())
        finally:
            self._thread.end()

    # ── the loop's side ──────────────────────────────────────────────────────────────────────

    async def _begin(self) -> None:
        self._given, self._has_answer = asyncio.Event(), asyncio.Event()
        await self._client.open()
        self._task = asyncio.create_task(self._run(), name="altcraft_balance mapper")

    async def _stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._client.aclose(grace_s=0)

    def _take(self, part: Part | None) -> None:
        if part is None:
            self._is_last = True
        elif self._error is not None:
            part.fail(self._error)
        else:
            self._parts.append(part)
            self._open.add(part)
        self._given.set()

    async def _run(self) -> None:
        try:
            async with self._client.stream_balances(self._queries()) as outcomes:
                async for outcome in outcomes:
                    self._has_answer.set()
                    self._answer(outcome)
        except BaseException as error:  # noqa: BLE001 - it is the caller's
            self._error = error
            for part in self._open:
                part.fail(error)

    async def _queries(self) -> AsyncIterator[BalanceQuery]:
        bad = 0
        while True:
            while self._parts:
                part = self._parts.popleft()
                for row, cells in enumerate(part.rows):
                    try:
                        queries = self._shape.plan.queries(cells, (part, row))
                    except InvalidQuery as error:
                        self._refuse(part, row, error)
                        bad += 1
                        if not bad % _BAD_ROWS:
                            await asyncio.sleep(0)
                        continue
                    for query in queries:
                        yield query
                        if not self._has_answer.is_set():
                            await self._first_answer()
            if self._is_last:
                return
            self._given.clear()
            await self._given.wait()

    async def _first_answer(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_S):
                await self._has_answer.wait()
        self._has_answer.set()

    def _refuse(self, part: Part, row: int, error: InvalidQuery) -> None:
        if self._raises:
            raise error
        about = self._shape.plan.unasked(part.rows[row])
        for number, (currency, program) in enumerate(about):
            self._put(part, row, number, bad_input(str(error), currency, program))

    def _answer(self, outcome: Found | Failed) -> None:
        if isinstance(outcome, Failed):
            if is_fatal(outcome.error, self._client.settings.fatal_codes):
                return  # the stream raises it when all else is in
            if self._raises and not isinstance(outcome.error, NotAMember):
                raise outcome.error
        (part, row), number = outcome.query.tag
        plan, fits = self._shape.plan, self._shape.scale.refuses
        self._put(part, row, number, of_outcome(outcome, *plan.about(outcome.query), refuses=fits))

    def _put(self, part: Part, row: int, number: int, answer: Answer) -> None:
        part.put(row, number, answer)
        if part.is_done:
            self._open.discard(part)
