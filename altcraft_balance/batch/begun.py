"""An await that is begun at once, and waited for only if it has to wait.

A source that has many items at hand, such as a generator that reads pages, answers most pulls
without waiting. To begin one takes no more than a call; to be ready for a wait takes a scope for
the brake, and a place in the queue of those who pull.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from contextlib import suppress
from typing import Any, Generic, TypeVar

__all__ = ["Begun", "begin"]

_T = TypeVar("_T")


class Begun(Generic[_T]):
    """Awaitable: what was begun, from where it waits.

    Args:
        steps: what is left of it.
        waits_for: what it has asked its task to wait for.
    """

    def __init__(self, steps: Generator[Any, Any, _T], waits_for: Any) -> None:
        self._steps, self._waits_for = steps, waits_for

    def __await__(self) -> Generator[Any, Any, _T]:
        steps, waits_for = self._steps, self._waits_for
        try:
            while True:
                try:
                    sent = yield waits_for
                except BaseException as error:  # noqa: BLE001 - it is its own to handle
                    waits_for = steps.throw(error)
                else:
                    waits_for = steps.send(sent)
        except StopIteration as ended:
            return ended.value  # type: ignore[no-any-return]

    def cancel(self) -> None:
        """End it where it waits; nobody will await it."""
        with suppress(asyncio.CancelledError, StopIteration):
            self._steps.throw(asyncio.CancelledError())
            self._steps.close()  # it waits again, and there is nobody for it


def begin(awaitable: Awaitable[_T]) -> _T | Begun[_T]:
    """What `awaitable` gives, if it does without a wait; else the rest of it."""
    steps = awaitable.__await__()
    try:
        waits_for = next(steps)
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]
    return Begun(steps, waits_for)
