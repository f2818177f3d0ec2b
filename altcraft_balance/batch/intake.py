"""Where a batch's workers get their items: from the source, or from what was read ahead of them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from altcraft_balance.batch.ahead import Ahead, Taken
from altcraft_balance.batch.source import Source
from altcraft_balance.batch.window import Window
from altcraft_balance.session.brake import Brake, Halted

__all__ = ["Intake"]


class Intake:
    """Gives items one by one, each with the moment at which it was taken from the source.

    Args:
        source: what is read.
        window: has room for each item that is taken and not yet read by the reader of outcomes.
        brake: when it is pulled nothing more is taken.
        clock: the loop's.
        most_ahead: how many items may wait for a worker; 0: none, since each has a deadline of its
            own, which it has to keep wherever it waits.
        start: runs a coroutine as one of the batch's tasks.
    """

    def __init__(
        self,
        source: Source,
        window: Window,
        brake: Brake,
        *,
        clock: Callable[[], float],
        most_ahead: int,
        start: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._source, self._window, self._brake = source, window, brake
        self._clock, self._most_ahead, self._start = clock, most_ahead, start
        self._ahead: Ahead | None = None

    @property
    def wants_workers(self) -> bool:
        """Whether items are worth taking before there is a slot, by workers who wait with them."""
        return self._source.has_waited and self._ahead is None

    def take_at_once(self) -> Taken | None:
        """An item that is at hand, and for which there is room; None: `take` knows why."""
        if self._brake.reason is not None:
            return None
        if self._ahead is not None:
            return self._ahead.take_at_once()
        if not self._window.enter_at_once():
            return None
        try:
            taken = self._source.take_at_once()
        except BaseException:
            self._window.leave()
            raise
        return self._stamped(taken)

    async def take(self) -> Taken | None:
        """The next item; None at the end.

        Raises:
            Halted: the brake is pulled.
        """
        if self._source.has_waited and self._ahead is None and self._most_ahead:
            self._ahead = Ahead(
                self._source, self._window, self._brake, self._most_ahead, self._clock
            )
            self._start(self._read(self._ahead))
        try:
            with self._brake.waiting():
                if self._ahead is not None and not self._source.has_begun:
                    return await self._ahead.take()
                await self._window.enter()
                return self._stamped(await self._source.take())
        except Halted:
            self._source.give_up()
            raise

    def rest(self) -> list[Taken]:
        """What was taken, and no worker will get any more."""
        return [] if self._ahead is None else self._ahead.rest()

    def _stamped(self, taken: tuple[int, Any] | None) -> Taken | None:
        if taken is None:
            self._window.leave()
            return None
        return (*taken, self._clock())

    async def _read(self, ahead: Ahead) -> None:
        try:
            await ahead.read()
        except Halted:
            return
        except Exception as error:
            # Now, not when the task has ended: nothing may be taken or sent in between.
            self._brake.pull(error)
            raise
