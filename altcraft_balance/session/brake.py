"""The brake: ends the lookups that wait, and lets those that are on the wire finish.

A lookup that waits for a slot, sleeps before a repeat, or is not yet taken from its source has
sent nothing that is still unanswered, so it can end at once. A client has one brake, and each
batch one of its own below it: pulling the client's pulls them all.
"""

from __future__ import annotations

from copy import copy

from altcraft_balance.transport.scope import Scope

__all__ = ["Brake", "Halted"]


class Halted(Exception):
    """The brake was pulled while this waited."""


class Brake:
    """Pulled once, with the reason; what waits under it ends with `Halted`.

    Attributes:
        reason: the error for which it was pulled; None while it is not.
    """

    def __init__(self, above: Brake | None = None) -> None:
        self.reason: BaseException | None = None
        # Not sets, whose order differs from run to run.
        self._waiting: dict[Scope, None] = {}
        self._below: dict[Brake, None] = {}
        self._above = above
        if above is not None:
            above._below[self] = None

    def pull(self, reason: BaseException) -> None:
        """End all that waits; a second reason changes nothing."""
        if self.reason is not None:
            return
        self.reason = reason
        for scope in list(self._waiting):
            scope.cancel()
        for brake in list(self._below):
            brake.pull(reason)

    def pull_below(self, reason: BaseException, *, but: Brake | None = None) -> None:
        """End all batches, each with a copy of `reason` of its own, save one."""
        for brake in list(self._below):
            if brake is not but:
                brake.pull(copy(reason))

    def waiting(self) -> Scope:
        """A context manager for an await that the brake may end.

        Raises:
            Halted: on entry, when the brake is pulled already.
        """
        return Scope(Halted, self)

    def add(self, scope: Scope) -> None:
        """Something waits in `scope`; `Halted` when the brake is pulled already."""
        if self.reason is not None:
            raise Halted
        self._waiting[scope] = None

    def discard(self, scope: Scope) -> None:
        """Nothing waits there any more."""
        self._waiting.pop(scope, None)

    def detach(self) -> None:
        """Leave the brake above: the batch is over."""
        if self._above is not None:
            self._above._below.pop(self, None)
