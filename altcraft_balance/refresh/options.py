"""How a run is done, whatever it is about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from attrs import field, frozen

from altcraft_balance.refresh.night import Night
from altcraft_balance.refresh.rows.limits import MaxFailed
from altcraft_balance.refresh.summary import RefreshSummary

__all__ = ["RunOptions"]


@frozen(kw_only=True)
class RunOptions:
    """How a run is done; `refresh_balances` says what each means."""

    run_id: str | None = None
    state: Path | None = None
    fresh: bool = False
    give_up: bool = False
    max_failed: MaxFailed = field(factory=MaxFailed)
    grace_s: float = 10.0
    night: Night = field(factory=Night)
    on_progress: Callable[[RefreshSummary], object] | None = None
    #: Is awaited when it is certain that there is something to ask, and before anything is made.
    ready: Callable[[], Awaitable[object]] | None = None
    #: Is told what takes its time before anything is asked.
    tell: Callable[[str], object] = lambda _: None
