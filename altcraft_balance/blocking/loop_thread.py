"""An event loop in a thread of its own, and calls into it from others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any, Final, TypeVar

from altcraft_balance.errors import ClientClosed

__all__ = ["LoopThread", "check_thread"]

T = TypeVar("T")
_HERE = threading.local()
_CLOSED: Final = "the client is closed: make a new BalanceClient"


def check_thread() -> None:
    """Refuse a call from a loop's thread, which would wait for itself.

    Raises:
        ClientClosed: this is one.
    """
    if getattr(_HERE, "is_a_loops", False):
        raise ClientClosed(
            "a blocking client cannot be called from its own thread, in on_event, say: hand the "
            "work to another thread"
        )


class LoopThread:
    """Runs a loop until `end`. A daemon: a program that forgets to end it can still exit."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="altcraft_balance loop", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        _HERE.is_a_loops = True
        self.loop.run_forever()
        self._end_tasks()
        # Here, since whoever ends it may have a loop of his own, as a notebook has.
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` comes to on the loop; whoever stops waiting for it cancels it."""
        # Made first: Ctrl-C may come just when the loop has the work, and ends it all the same.
        future: Future[T] = Future()
        try:
            self.tell(self._begin, work, future)
            return future.result()
        except ClientClosed:
            work.close()
            raise
        finally:
            future.cancel()

    def _begin(self, work: Coroutine[Any, Any, T], future: Future[T]) -> None:
        if future.cancelled():
            work.close()
            return
        task = self.loop.create_task(work)
        task.add_done_callback(lambda _: _hand_over(task, future))
        future.add_done_callback(lambda _: self._leave(task))

    def _leave(self, task: asyncio.Task[Any]) -> None:
        if not task.done():
            with suppress(ClientClosed):  # and the task with it
                self.tell(task.cancel)

    def tell(self, word: Callable[..., object], *arguments: Any) -> None:
        """Call `word` on the loop, soon.

        Raises:
            ClientClosed: it has ended.
        """
        try:
            self.loop.call_soon_threadsafe(word, *arguments)
            return
        except RuntimeError:
            pass
        raise ClientClosed(_CLOSED)

    def _end_tasks(self) -> None:
        """Cancel what still waits for somebody: nobody comes any more."""
        for task in (left := asyncio.all_tasks(self.loop)):
            task.cancel()
        if left:
            self.loop.run_until_complete(asyncio.wait(left))

    def end(self) -> None:
        """Stop the loop, and wait for its thread."""
        self.tell(self.loop.stop)
        self._thread.join()


def _hand_over(task: asyncio.Task[T], future: Future[T]) -> None:
    """What a task has come to, to whoever still waits for it."""
    error = None if task.cancelled() else task.exception()
    with suppress(InvalidStateError):
        if task.cancelled():  # and not by its caller, who waits: the loop has ended
            future.set_exception(ClientClosed(_CLOSED))
        elif error is not None:
            future.set_exception(error)
        else:
            future.set_result(task.result())
