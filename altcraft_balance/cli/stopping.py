"""Ctrl-C and SIGTERM: the running coroutine is cancelled, cleans up, and `Stopped` comes out.

The first signal asks; a second one, during the cleaning up, cancels that as well. Work that can end
gently says how: then the first signal does that, and the second one cancels.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Final, TypeVar

from altcraft_balance.cli import loops

__all__ = ["Stopped", "run_until_signal", "stoppable"]

_T = TypeVar("_T")
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):
    """A signal ended the work before its time."""


def run_until_signal(
    work: Coroutine[Any, Any, _T],
    *,
    gently: Callable[[], object] | None = None,
    run: Callable[[Coroutine[Any, Any, _T]], _T] = loops.run,
) -> _T:
    """Run `work` on an event loop of its own.

    Args:
        work: what is run.
        gently: is called on the loop by the first signal; `work` then ends by itself, and what it
            gives comes out. None: the first signal cancels it.
        run: what runs it; afterwards signals do what they did before.

    Raises:
        Stopped: SIGINT or SIGTERM came; `work` was cancelled and has ended.
    """
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        return run(_stoppable(work, gently))
    finally:
        for number, handler in before.items():
            with suppress(ValueError):  # outside the main thread
                signal.signal(number, handler)


async def _stoppable(work: Coroutine[Any, Any, _T], gently: Callable[[], object] | None) -> _T:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    signals: list[int] = []

    def stop(number: int) -> None:
        signals.append(number)
        if gently is not None and len(signals) == 1:
            gently()
        elif task is not None:
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
        _leave(loop)
    raise Stopped(signal.Signals(signals[0]).name)


def _leave(loop: asyncio.AbstractEventLoop) -> None:
    """The work is over: until the loop is closed a further signal changes nothing.

    The loop would leave the system's own way, which is to kill: it must not come in between.
    """
    with _held():
        for number in _SIGNALS:
            with suppress(NotImplementedError, RuntimeError, ValueError):
                if loop.remove_signal_handler(number):
                    signal.signal(number, signal.SIG_IGN)


@contextmanager
def _held() -> Iterator[None]:
    """Within it no signal comes, where the system can keep it back."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def stoppable() -> Iterator[None]:
    """Within it, what is done without a loop is ended by a signal, wherever it is.

    Raises:
        Stopped: SIGINT or SIGTERM came.
    """

    def stop(number: int, _: FrameType | None) -> None:
        raise Stopped(signal.Signals(number).name)

    before = {}
    for number in _SIGNALS:
        with suppress(ValueError):  # outside the main thread
            before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
