"""What a client has done and how it is: counters while it runs, frozen snapshots for others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

from attrs import frozen

__all__ = ["ClientStats", "Counts", "Health", "State"]

State: TypeAlias = Literal["new", "opening", "open", "closing", "closed"]


@frozen(kw_only=True)
class ClientStats:
    """Counts since the client was opened, and how many are where now.

    Attributes:
        lookups: lookups that were begun.
        found: lookups that gave a balance.
        failed: by the error's kind, how many lookups ended with it.
        cancelled: lookups whose task was cancelled, as when a stream's reader leaves.
        requests: all that was sent.
        throttled: answers that asked for a pause.
        free_repeats: repeats of requests that met a dead reused connection.
        in_progress: lookups that have begun and not ended.
        slots: the limit on requests at once.
        slots_in_use: requests on the way.
        connections_opened: connections that were made.
        connections_dropped: idle connections that were not clean when they were wanted.
    """

    lookups: int
    found: int
    failed: Mapping[str, int]
    cancelled: int
    requests: int
    throttled: int
    free_repeats: int
    in_progress: int
    slots: int
    slots_in_use: int
    connections_opened: int
    connections_dropped: int


@frozen(kw_only=True)
class Health:
    """Whether the client can be used and whether the server has been answering.

    Attributes:
        ok: it is open, and the last attempt that ended was answered by a healthy server.
        state: ``new``, ``opening``, ``open``, ``closing`` or ``closed``.
        failures_in_a_row: attempts since the last such answer.
        last_failure: the kind of the last of them; None when there is none.
    """

    ok: bool
    state: State
    failures_in_a_row: int
    last_failure: str | None


class Counts:
    """The counters of one client."""

    def __init__(self) -> None:
        self.lookups = self.found = self.requests = self.throttled = self.free_repeats = 0
        self.slots_in_use = self.in_progress = self.cancelled = 0
        self.connections_opened = self.connections_dropped = 0
        self.failed: Counter[str] = Counter()
        self.failures_in_a_row = 0
        self.last_failure: str | None = None

    def answered(self) -> None:
        """A healthy server answered."""
        self.failures_in_a_row, self.last_failure = 0, None

    def troubled(self, kind: str) -> None:
        """An attempt failed, or was refused for now."""
        self.failures_in_a_row += 1
        self.last_failure = kind

    def snapshot(self, *, slots: int) -> ClientStats:
        """The counts as they are now."""
        return ClientStats(
            lookups=self.lookups,
            found=self.found,
            failed=MappingProxyType(dict(self.failed)),
            cancelled=self.cancelled,
            requests=self.requests,
            throttled=self.throttled,
            free_repeats=self.free_repeats,
            in_progress=self.in_progress,
            slots=slots,
            slots_in_use=self.slots_in_use,
            connections_opened=self.connections_opened,
            connections_dropped=self.connections_dropped,
        )

    def health(self, state: State) -> Health:
        """How the client is now."""
        return Health(
            ok=state == "open" and self.failures_in_a_row == 0,
            state=state,
            failures_in_a_row=self.failures_in_a_row,
            last_failure=self.last_failure,
        )
