"""An event loop in a thread of its own, and calls into it from others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from altcraft_balance.errors import ClientClosed

__all__ = ["LoopThread", "check_thread"]

T = TypeVar("T")
_HERE = threading.local()


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
        # Here, since whoever ends it may have a loop of his own, as a notebook has.
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` comes to on the loop; whoever stops waiting for it cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result()
        finally:  # Ctrl-C ends the wait, and the lookup with it
            future.cancel()

    def tell(self, word: Callable[..., object], *arguments: Any) -> None:
        """Call `word` on the loop, soon."""
        self.loop.call_soon_threadsafe(word, *arguments)

    def end(self) -> None:
        """Stop the loop, and wait for its thread."""
        self.tell(self.loop.stop)
        self._thread.join()
