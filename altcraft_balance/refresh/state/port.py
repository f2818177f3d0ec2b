"""Where a run's state may lie: a folder, or a table beside the rows. Methods may be async."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from altcraft_balance.refresh.rows.delta import Previous
from altcraft_balance.refresh.state.checkpoint import Checkpoint
from altcraft_balance.refresh.state.row_spool import RowSpool

__all__ = ["KeepsState", "RunState"]


@runtime_checkable
class KeepsState(Protocol):
    """A sink that keeps the run's state beside its rows, so that both are one commit.

    Attributes:
        key: the column by which it knows its rows; None: the member's.
        previous: what it has, before it is written to.
    """

    key: str | None
    previous: Previous

    async def run_state(self, run_id: str) -> RunState:
        """The state of the run `run_id`, which is this process's until it is let go."""
        ...


class RunState(Protocol):
    """The state of one run, which is this process's until `let_go`.

    Attributes:
        where: what people call the place.
    """

    where: str

    def checkpoint(self) -> Checkpoint:
        """The run's checkpoint, open."""
        ...

    def spool(self) -> RowSpool:
        """Where the rows of its source lie, if that is read once."""
        ...

    def finished(self) -> Mapping[str, Any] | None:
        """What `finish` kept, if the run has finished."""
        ...

    def finish(self, summary: Mapping[str, Any]) -> None:
        """The run has finished: say so, and keep nothing else."""
        ...

    def tidy(self) -> None:
        """A run that has finished keeps nothing else, whatever a crash has left of it."""
        ...

    def forget_end(self) -> None:
        """It has not finished: it begins anew."""
        ...

    def drop(self) -> None:
        """The run never was: keep nothing."""
        ...

    def let_go(self) -> None:
        """Another process may go on."""
        ...
