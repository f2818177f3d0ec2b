"""What came of a run, or has come of it so far: a frozen value, the same for all who ask."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from attrs import fields, frozen

from altcraft_balance.refresh.rows.answer import STATUSES
from altcraft_balance.refresh.rows.tally import Tally

__all__ = ["RefreshSummary", "RunState", "counted", "nothing_done"]

RunState: TypeAlias = Literal[
    "running", "stopped", "finished", "finished_before", "too_many_failed", "same_error", "broken"
]


_NONE: Final[Mapping[str, Any]] = MappingProxyType({})
_SERIES: Final = frozenset({"timeline", "balances", "errors"})


@frozen(kw_only=True)
class RefreshSummary:
    """A run's figures, from its first process to its last.

    Attributes:
        run_id: the run's name.
        state: ``running``; ``finished``; ``finished_before``, so that nothing was done now;
            ``stopped``, as it was asked to; ``too_many_failed`` or ``same_error``, when going on
            made no sense; ``broken``, by an error that was raised.
        reason: why it is not finished, in one sentence; "" when there is nothing to say.
        source: the source's name.
        output: the output's path; "" when it has none.
        rows: rows of the source that have their answers.
        total: rows that the source has; None when that is not known.
        total_is_exact: whether they were counted, or estimated.
        statuses: rows of output by status: ``found``, ``not_a_member``, ``failed``,
            ``bad_input``, ``not_asked``.
        kinds: rows of output by the error's kind.
        is_within_max_failed: whether no more have failed than were allowed to.
        requests: requests that were sent for those that were asked about.
        repeats: how many of them were repeats.
        starts: processes that have worked on it.
        started_at: when the first one began (aware, UTC).
        finished_at: when the output was whole; None before.
        elapsed_s: seconds that they worked, together.
        rows_per_s: rows in each of these seconds.
        most_per_s: the most requests in any one second; of this client, all its callers together.
        most_per_min: likewise in any one minute.
        lost_s: seconds that were lost, by what was waited for: ``rate``, ``gate``, ``breaker``,
            ``budget``, ``slots``, ``source``, ``sink``. Of each moment the gravest one is counted.
        p50_s: half of the rows had their answer so many seconds after they were taken; to 10 %.
        p99_s: 99 of 100 had.
        settings: what was asked for, without anything secret.
        timeline: how it went: ``points``, each with the second of work that it is from, its
            seconds, what was counted in them, percentiles and what was lost; and ``processes``,
            each with the second of work and the time at which it began. Empty, like the next two,
            in a summary that an earlier release wrote.
        balances: ``currencies``, the first eight, each with the exact sum, the least, the greatest
            and the counts between bounds of ``total`` and ``active`` balances that were found; and
            how many balances are of a currency ``beyond`` them.
        errors: ``kinds``, at most 24: answers by status, kind and code, from the most on, each with
            up to three examples of what was said, without what looks like an address or a number
            of somebody's; and how many answers are of a kind ``beyond`` them.
        nights_left: how many processes like the last one will do what is left: rows that are left,
            over those that it had answered. None: it was not stopped, or this is not known.
        left_s: seconds of work that are left, at that one's pace; None likewise.
    """

    run_id: str
    state: RunState
    reason: str
    source: str
    output: str
    rows: int
    total: int | None
    total_is_exact: bool
    statuses: Mapping[str, int]
    kinds: Mapping[str, int]
    is_within_max_failed: bool
    requests: int
    repeats: int
    starts: int
    started_at: datetime
    finished_at: datetime | None
    elapsed_s: float
    rows_per_s: float
    most_per_s: int
    most_per_min: int
    lost_s: Mapping[str, float]
    p50_s: float | None
    p99_s: float | None
    settings: Mapping[str, Any]
    timeline: Mapping[str, Any] = _NONE
    balances: Mapping[str, Any] = _NONE
    errors: Mapping[str, Any] = _NONE
    nights_left: float | None = None
    left_s: float | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the output is whole, now or from before."""
        return self.state in {"finished", "finished_before"}

    def as_dict(self, *, series: bool = True) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` takes them back.

        Args:
            series: whether timeline, balances and errors are among them, which may be 40 kB.
        """
        names = _FIELDS if series else [name for name in _FIELDS if name not in _SERIES]
        return {name: _plain(getattr(self, name)) for name in names}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> RefreshSummary:
        """The summary that `as_dict` gave.

        Raises:
            ValueError: a field is missing, or is not what `as_dict` writes.
        """
        try:
            values: dict[str, Any] = {
                name: kept[name] for name in _FIELDS if name in kept or name not in _LATER | _SERIES
            }
            values |= {name: kept.get(name) or _NONE for name in _SERIES}
            values["started_at"] = datetime.fromisoformat(kept["started_at"])
            if kept["finished_at"] is not None:
                values["finished_at"] = datetime.fromisoformat(kept["finished_at"])
        except (KeyError, TypeError, ValueError) as error:
            trouble = f"{type(error).__name__}: {error}"
        else:
            return cls(**values)
        raise ValueError(f"not what RefreshSummary.as_dict() gives: {trouble}")


_FIELDS = tuple(attribute.name for attribute in fields(RefreshSummary))
_LATER = frozenset({"nights_left", "left_s"})  # earlier releases wrote summaries without them


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return dict(value) if isinstance(value, Mapping) else value


def counted(tally: Tally, **facts: Any) -> RefreshSummary:
    """The summary of `tally`, with what else is known of the run."""
    elapsed_s = tally.elapsed_s
    return RefreshSummary(
        rows=tally.rows,
        statuses=MappingProxyType({name: tally.statuses[name] for name in STATUSES}),
        kinds=MappingProxyType(dict(tally.kinds.most_common())),
        requests=tally.requests,
        repeats=max(tally.requests - tally.asked, 0),
        starts=tally.starts,
        elapsed_s=round(elapsed_s, 3),
        rows_per_s=round(tally.rows / elapsed_s, 1) if elapsed_s > 0 else 0.0,
        most_per_s=tally.most_per_s,
        most_per_min=tally.most_per_min,
        lost_s=MappingProxyType({name: round(s, 1) for name, s in sorted(tally.lost_s.items())}),
        p50_s=tally.times.percentile(50),
        p99_s=tally.times.percentile(99),
        timeline=MappingProxyType(tally.timeline.shown(tally.so_far())),
        balances=MappingProxyType(tally.balances.shown()),
        errors=MappingProxyType(tally.errors.shown()),
        **facts,
    )


def nothing_done(source: str) -> RefreshSummary:
    """The summary of a run that has no name yet."""
    return counted(
        Tally(),
        run_id="",
        state="running",
        reason="",
        source=source,
        output="",
        total=None,
        total_is_exact=True,
        is_within_max_failed=True,
        started_at=datetime.now(UTC),
        finished_at=None,
        settings=MappingProxyType({}),
    )
