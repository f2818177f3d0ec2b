"""Cancelling a task from outside, and turning just that cancel into an error of ours.

By the rules of `asyncio.timeout`: a cancel that came from elsewhere goes through, also one that
comes in the same turn of the loop.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Protocol, Self

__all__ = ["Registry", "Scope"]


class Registry(Protocol):
    """Whoever cancels scopes: it knows of each one while something waits inside."""

    def add(self, scope: Any, /) -> None:
        """The scope is entered; an exception refuses it."""

    def discard(self, scope: Any, /) -> None:
        """The scope is left."""


class Scope:
    """A context manager around an await; `cancel` ends it from outside with `raises`."""

    __slots__ = ("_cancelling", "_raises", "_registry", "_task", "cancelled")

    def __init__(self, raises: type[Exception], registry: Registry | None = None) -> None:
        self._raises, self._registry = raises, registry
        self.cancelled = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("this needs a task around it: call it from a coroutine")
        self._task, self._cancelling = task, task.cancelling()
        if self._registry is not None:
            self._registry.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._registry is not None:
            self._registry.discard(self)
        if not self.cancelled:
            return
        only_ours = self._task.uncancel() <= self._cancelling
        if only_ours and kind is asyncio.CancelledError:
            raise self._raises

    def cancel(self) -> None:
        """End what is inside."""
        if not self.cancelled:
            self.cancelled = True
            self._task.cancel()
