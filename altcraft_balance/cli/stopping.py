"""Ctrl-C and SIGTERM: the running coroutine is cancelled, cleans up, and `Stopped` comes out.

The first signal asks; a second one, during the cleaning up, cancels that as well.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

__all__ = ["Stopped", "run_until_signal"]

_T = TypeVar("_T")
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):
    """A signal ended the work before its time."""


def run_until_signal(work: Coroutine[Any, Any, _T]) -> _T:
    """Run `work` on an event loop of its own.

    Raises:
        Stopped: SIGINT or SIGTERM came; `work` was cancelled and has ended.
    """
    return asyncio.run(_stoppable(work))


async def _stoppable(work: Coroutine[Any, Any, _T]) -> _T:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    signals: list[int] = []

    def stop(number: int) -> None:
        signals.append(number)
        if task is not None:
            task.cancel()

    for number in _SIGNALS:
        # Not on Windows, and not outside the main thread: there KeyboardInterrupt has to do.
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop, number)
    try:
        return await work
    except asyncio.CancelledError:
        if not signals:
            raise
    finally:
        for number in _SIGNALS:
            with suppress(NotImplementedError, RuntimeError, ValueError):
                loop.remove_signal_handler(number)
    raise Stopped(signal.Signals(signals[0]).name)
