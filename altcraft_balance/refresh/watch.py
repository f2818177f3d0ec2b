"""What is seen of a run while it goes on: its counts, its state, and where its time goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from attrs import evolve

from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.models import Failed, Found
from altcraft_balance.refresh.feed import Feed
from altcraft_balance.refresh.lost_time import reason_of
from altcraft_balance.refresh.night import work_left
from altcraft_balance.refresh.port import SourceInfo
from altcraft_balance.refresh.rows.answer import BAD_INPUT, FAILED, FOUND, NOT_A_MEMBER, NOT_ASKED
from altcraft_balance.refresh.rows.limits import MaxFailed
from altcraft_balance.refresh.rows.tally import Tally
from altcraft_balance.refresh.state.identity import Identity
from altcraft_balance.refresh.summary import RefreshSummary, RunState, counted
from altcraft_balance.refresh.writer import Writer
from altcraft_balance.telemetry.listeners import deaf_to_errors

__all__ = ["RunWatch"]

_TICK_S: Final = 0.25
#: Of the first lookups the times of all are kept, then those of some: enough for a percentile.
_ALL_TIMED: Final = 1_000
_EACH_TIMED: Final = 8
_TICKS_PER_NEWS: Final = 4


class RunWatch:
    """Counts, and tells `on_progress` once a second.

    Args:
        client: whose figures belong to it.
        max_failed: how many may fail.
        on_progress: is called with the summary so far.
        night: what else its settings say.

    Attributes:
        tally: the run's counts.
    """

    def __init__(
        self,
        client: BalanceClient,
        max_failed: MaxFailed,
        on_progress: Callable[[RefreshSummary], object] | None,
        night: Mapping[str, Any],
    ) -> None:
        self._client, self._max_failed, self._night = client, max_failed, night
        self._on_progress = on_progress and deaf_to_errors(on_progress, "on_progress")
        self.tally = Tally()
        self._state: RunState = "running"
        self._reason = ""
        self._facts: dict[str, Any] = {
            "run_id": "",
            "source": "",
            "output": "",
            "total": None,
            "total_is_exact": True,
            "finished_at": None,
            "started_at": datetime.now(UTC).replace(microsecond=0),
            "settings": {},
        }
        self._before_s, self._rows_before = 0.0, 0
        self._began: float | None = None
        self._finished: RefreshSummary | None = None

    # ── what the run is ──────────────────────────────────────────────────────────────────────

    def describe(self, identity: Identity, info: SourceInfo, output: str) -> None:
        """The run has a name, a source and an output."""
        limits = self._client.settings.limits
        self._facts |= {
            "run_id": identity.run_id,
            "source": info.name,
            "output": output,
            "total": info.total,
            "total_is_exact": info.total_is_exact,
            "settings": {
                **{name: value for name, value in identity.facts.items() if name != "input"},
                "max_failed": str(self._max_failed),
                "concurrency": limits.concurrency,
                "rate_per_s": None if limits.rate_per_s is None else str(limits.rate_per_s),
                **self._night,
            },
        }

    def has_total(self, rows: int) -> None:
        """The source has so many rows; they were counted."""
        self._facts |= {"total": rows, "total_is_exact": True}

    @property
    def run_id(self) -> str:
        """The run's name."""
        return str(self._facts["run_id"])

    def take_up(self, known: Mapping[str, Any]) -> None:
        """Go on from what an earlier process counted."""
        self.tally = Tally(known.get("tally"))
        self._before_s, self._rows_before = self.tally.elapsed_s, self.tally.rows
        self.tally.begins(datetime.now(UTC))
        if known:
            self._facts["started_at"] = RefreshSummary.from_dict(known["summary"]).started_at

    def kept(self) -> dict[str, Any]:
        """What others may know of the run, for the checkpoint."""
        # Series are in the checkpoint as the tally has them, and in each commit once.
        return self.summary().as_dict(series=self._state == "finished")

    # ── while it goes on ─────────────────────────────────────────────────────────────────────

    def looked_up(self, outcome: Found | Failed) -> None:
        """Count a lookup."""
        tally = self.tally
        tally.asked += 1
        tally.requests += outcome.requests
        if tally.asked <= _ALL_TIMED or not tally.asked % _EACH_TIMED:
            tally.times.add(outcome.elapsed_s)

    def ends(self, state: RunState, reason: str = "") -> None:
        """Say how it ends; the first word counts."""
        if self._state == "running":
            self._state, self._reason = state, reason

    def has_finished(self) -> None:
        """The output is whole, whatever was asked for meanwhile."""
        self._state, self._reason = "finished", ""
        self._facts["finished_at"] = datetime.now(UTC).replace(microsecond=0)

    def broken_by(self, error: BaseException) -> None:
        """An error ended it."""
        if isinstance(error, asyncio.CancelledError):
            self.ends("stopped")
            return
        ours = isinstance(error, AltcraftBalanceError | OSError)
        self._state, self._reason = "broken", _said(error) if ours else type(error).__name__

    @contextmanager
    def watching(self, feed: Feed, writer: Writer) -> Iterator[None]:
        """Within it, a look is taken a few times a second."""
        loop = asyncio.get_running_loop()
        self._began = loop.time()
        timer: asyncio.TimerHandle
        waits = _Waits(feed, writer)
        ticks = 0

        def tick() -> None:
            nonlocal timer, ticks
            ticks += 1
            timer = loop.call_later(_TICK_S, tick)
            self._look(waits)
            if self._on_progress is not None and not ticks % _TICKS_PER_NEWS:
                self._on_progress(self.summary())

        timer = loop.call_later(_TICK_S, tick)
        try:
            yield
        finally:
            timer.cancel()
            self._look(waits)

    def _look(self, waits: _Waits) -> None:
        tally, stats = self.tally, self._client.stats()
        elapsed_s = self._elapsed_s()
        passed_s, tally.elapsed_s = elapsed_s - tally.elapsed_s, elapsed_s
        tally.most_per_s = max(tally.most_per_s, stats.most_per_s)
        tally.most_per_min = max(tally.most_per_min, stats.most_per_min)
        for name, seconds in waits.since_last_time():
            tally.lost_s[name] += seconds
            passed_s -= seconds
        if passed_s > 0 and (reason := reason_of(stats)) is not None:
            tally.lost_s[reason] += passed_s
        tally.timeline.reaches(tally.so_far())

    def _elapsed_s(self) -> float:
        if self._began is None:
            return self._before_s
        return self._before_s + asyncio.get_running_loop().time() - self._began

    @property
    def was_in_vain(self) -> bool:
        """Whether it stopped at the same error for everybody, and nothing was ever found."""
        return self._state == "same_error" and not self.has_found

    @property
    def has_found(self) -> bool:
        """Whether the server has known anybody, or said that it does not."""
        return bool(self.tally.statuses[FOUND] or self.tally.statuses[NOT_A_MEMBER])

    @property
    def exact_total(self) -> int | None:
        """How many rows the source has, if it has counted them."""
        return self._facts["total"] if self._facts["total_is_exact"] else None

    # ── what came of it ──────────────────────────────────────────────────────────────────────

    def summary(self) -> RefreshSummary:
        """The figures so far."""
        if self._finished is not None:
            return self._finished
        tally = self.tally
        return counted(
            tally,
            state=self._state,
            reason=self._reason,
            is_within_max_failed=self._max_failed.allows(tally.failed, tally.answered),
            **(self._left() if self._state == "stopped" else {}),
            **self._facts,
        )

    def _left(self) -> dict[str, float]:
        rows = self.tally.rows
        left = 0 if self._facts["total"] is None else self._facts["total"] - rows
        return work_left(left, rows - self._rows_before, self.tally.elapsed_s - self._before_s)

    def finished_before(self, summary: Mapping[str, Any]) -> bool:
        """The run had finished before this process began; whether its summary can be read."""
        try:
            then = RefreshSummary.from_dict(summary)
            failed = sum(then.statuses[name] for name in (FAILED, BAD_INPUT, NOT_ASKED))
        except (KeyError, TypeError, ValueError):
            return False
        self._finished = evolve(
            then,
            state="finished_before",
            is_within_max_failed=self._max_failed.allows(failed, sum(then.statuses.values())),
        )
        return True


class _Waits:
    """How long reading and writing were waited for, since one looked last."""

    def __init__(self, feed: Feed, writer: Writer) -> None:
        self._parts: dict[str, Feed | Writer] = {"source": feed, "sink": writer}
        self._seen = dict.fromkeys(self._parts, 0.0)

    def since_last_time(self) -> Iterator[tuple[str, float]]:
        for name, part in self._parts.items():
            yield name, part.waited_s - self._seen[name]
            self._seen[name] = part.waited_s


def _said(error: BaseException) -> str:
    return error.strerror or "" if isinstance(error, OSError) else str(error)
