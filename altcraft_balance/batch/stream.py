"""The stream of outcomes: fixed workers pull one lazy source, a reader reads what they bring.

It ends in six ways. The source at its end: normally. A fatal answer, an exception of the
source, the client's `aclose`, or the run's deadline: nothing more is taken or sent, the outcomes
of what was in flight come out, then that error is raised. At `stop`: likewise, without an error.
The reader leaves: what is in flight is cancelled and awaited. The source is the caller's to
close, in every case; a pull that waits when a stream ends early is cancelled, which ends an async
generator.

Nothing is created for an item that waits. There are as many workers as find slots, and up to four
for each, so that items asleep before a repeat do not idle the slots (simulated at 10 % faults:
1,713 lookups/s with as many workers as slots, 2,683/s with twice as many). A worker is started only
when all others are busy. A source that has to be waited for is read ahead by a task of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from copy import copy
from types import TracebackType
from typing import Any, Final, Self

from attrs import frozen

from altcraft_balance.batch.intake import Intake
from altcraft_balance.batch.source import By, Items, Source, as_query, stand_in
from altcraft_balance.batch.window import Window
from altcraft_balance.errors import ClientClosed, DeadlineExceeded, InvalidQuery
from altcraft_balance.models import BalanceQuery, Failed, Found
from altcraft_balance.policy.classify import is_fatal
from altcraft_balance.session.brake import Brake, Halted
from altcraft_balance.session.ended import Ended
from altcraft_balance.session.lookup import Lookup
from altcraft_balance.session.session import Session
from altcraft_balance.validators import checked_seconds

__all__ = ["BatchOptions", "OutcomeStream"]

_WORKERS_PER_SLOT: Final = 4
_ROOM_PER_WORKER: Final = 2


@frozen(kw_only=True)
class BatchOptions:
    """How a batch is read.

    Attributes:
        by: makes a matching of a plain value.
        ordered: outcomes leave in the order of the source.
        item_deadline_s: seconds for each item, from when it is taken; None: no limit.
        run_deadline_s: seconds for the whole run; None: no limit.
    """

    by: By | None = None
    ordered: bool = False
    item_deadline_s: float | None = None
    run_deadline_s: float | None = None

    def __attrs_post_init__(self) -> None:
        if self.by is not None and not callable(self.by):
            raise InvalidQuery("by must be ByEmail, ByPhone or another callable that takes a value")
        checked_seconds(self.item_deadline_s, "item_deadline_s")
        checked_seconds(self.run_deadline_s, "run_deadline_s")


class OutcomeStream:
    """An async context manager and, inside, an async iterator of `Found` and `Failed`.

    Attributes:
        unsent: after it has ended early, the queries that were taken but never sent. Not after its
            reader has left: what was under way is cancelled then, and nobody asks.
    """

    def __init__(self, session: Session, items: Items, options: BatchOptions) -> None:
        self._session, self._options = session, options
        self._source = Source(items)
        self._most_workers = _WORKERS_PER_SLOT * session.settings.limits.concurrency
        self._window = Window(_ROOM_PER_WORKER * self._most_workers, ordered=options.ordered)
        self._workers: dict[asyncio.Task[None], None] = {}  # a set's order would differ
        self._idle = 0
        self._unsent: dict[int, BalanceQuery] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._state = "new"
        self._stopped = ClientClosed("the stream was stopped while this lookup waited")

    @property
    def unsent(self) -> tuple[BalanceQuery, ...]:
        """The queries that were taken but never sent, in the source's order."""
        return tuple(query for _, query in sorted(self._unsent.items()))

    def stop(self) -> None:
        """Take and send nothing more: what is on the wire is waited for, then the stream ends.

        What was taken and never sent is in `unsent`; what waits to be repeated comes out with its
        last error. A second call changes nothing.

        Raises:
            ClientClosed: the stream is not open yet.
        """
        if self._state == "new":
            raise ClientClosed("a stream is stopped once it is open: inside its 'async with'")
        self._brake.pull(self._stopped)

    # ── the reader's side ────────────────────────────────────────────────────────────────────

    async def __aenter__(self) -> Self:
        self._session.check()
        if self._state != "new":
            raise ClientClosed("a stream is read once: call stream_balances again")
        self._state = "open"
        self._brake = Brake(self._session.brake)
        self._intake = self._made_intake()
        loop = asyncio.get_running_loop()
        self._run_deadline: float | None = None
        self._has_deadline = bool(self._options.run_deadline_s or self._options.item_deadline_s)
        if self._options.run_deadline_s is not None:
            self._run_deadline = self._session.clock() + self._options.run_deadline_s
            self._timer = loop.call_at(self._run_deadline, self._run_is_over)
        self._start_worker()
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Found | Failed:
        if self._state in {"new", "left"}:
            raise ClientClosed(
                "this stream is not open: write "
                "'async with client.stream_balances(...) as outcomes:' around the loop"
            )
        while (outcome := self._window.pop()) is None:
            if self._state == "ended":
                raise StopAsyncIteration
            if not self._workers:
                self._end()
            else:
                await self._window.changed()
        return outcome

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._state = "left"
        # A source may swallow the cancel: whatever it gives then is the last that is taken.
        self._brake.pull(ClientClosed("the stream was left"))
        workers = list(self._workers)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    def _end(self) -> None:
        """All workers are gone and all outcomes are read: raise what ended the stream, if any."""
        self._state = "ended"
        reason = self._brake.reason
        if reason is None or reason is self._stopped:
            return
        if reason is self._session.brake.reason:
            reason = copy(reason)  # the client's other streams end with it too
        with suppress(AttributeError):  # a source's own exception may have no room for it
            reason.unsent = self.unsent  # type: ignore[attr-defined]
        raise reason

    def _let_go(self) -> None:
        """The run is over: neither its deadline nor the client's end concerns it any more."""
        self._brake.detach()
        if self._timer is not None:
            self._timer.cancel()

    # ── the workers' side ────────────────────────────────────────────────────────────────────

    def _made_intake(self) -> Intake:
        slots = self._session.settings.limits.concurrency
        keeps_deadlines = self._options.item_deadline_s is not None
        return Intake(
            self._source,
            self._window,
            self._brake,
            clock=self._session.clock,
            most_ahead=0 if keeps_deadlines else self._most_workers - slots,
            start=self._start,
        )

    def _start_worker(self) -> None:
        self._idle += 1
        self._start(self._work())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        worker = asyncio.create_task(work, name="altcraft_balance worker")
        self._workers[worker] = None
        worker.add_done_callback(self._worker_ended)

    def _worker_ended(self, worker: asyncio.Task[None]) -> None:
        self._workers.pop(worker, None)
        if worker.cancelled():
            self._brake.pull(asyncio.CancelledError("a worker of the batch was cancelled"))
        elif (bug := worker.exception()) is not None:
            self._brake.pull(bug)
        if not self._workers:
            self._let_go()
            self._forget_rest()
            self._window.flush()

    async def _work(self) -> None:
        """Take and look up, one item after another, until the source or the run ends."""
        intake = self._intake
        try:
            while (taken := intake.take_at_once() or await intake.take()) is not None:
                index, item, started = taken
                self._idle -= 1
                if not self._idle:
                    self._start_another()
                query = self._query(index, item)
                if query is not None:
                    deadline = self._deadline(started) if self._has_deadline else None
                    lookup = Lookup(
                        self._session, query, started, deadline, self._brake, naps=self._one_naps
                    )
                    self._ended(index, query, await lookup.run())
                self._idle += 1
        except Halted:
            return
        except Exception as error:
            # Now, not when the task has ended: nothing may be taken or sent in between.
            self._brake.pull(error)
            raise

    def _start_another(self) -> None:
        """All are busy, this one too: another is of use if it finds a slot, or reads ahead."""
        slots, workers = self._session.traffic.slots, len(self._workers)
        has_slot = workers < slots.width or slots.in_use + 1 < slots.width
        if workers < self._most_workers and (has_slot or self._intake.wants_workers):
            self._start_worker()

    def _one_naps(self) -> None:
        """A worker sleeps before its item's next attempt: its slot is another's."""
        if not self._idle and len(self._workers) < self._most_workers:
            self._start_worker()

    def _forget_rest(self) -> None:
        """What was read ahead, and will not be asked about."""
        for index, item, _ in self._intake.rest():
            if (query := self._query(index, item)) is not None:
                self._unsent[index] = query

    def _query(self, index: int, item: Any) -> BalanceQuery | None:
        """What is asked about `item`; None: none can be made of it, which is its outcome."""
        try:
            return as_query(item, self._options.by)
        except InvalidQuery as error:
            trouble = error.with_traceback(None)
        self._window.put(self._session.refuse(trouble).as_outcome(stand_in(item), index))
        return None

    def _ended(self, index: int, query: BalanceQuery, ended: Ended) -> None:
        if ended.unsent:
            self._unsent[index] = query
            self._window.leave()
            return
        self._window.put(ended.as_outcome(query, index))
        if ended.error is not None and is_fatal(ended.error, self._session.settings.fatal_codes):
            self._brake.pull(ended.error)

    def _deadline(self, started: float) -> float | None:
        item_s = self._options.item_deadline_s
        if item_s is None:
            return self._run_deadline
        if self._run_deadline is None:
            return started + item_s
        return min(started + item_s, self._run_deadline)

    def _run_is_over(self) -> None:
        self._brake.pull(
            DeadlineExceeded(
                f"the run's deadline of {self._options.run_deadline_s:g} s has come", phase="run"
            )
        )
