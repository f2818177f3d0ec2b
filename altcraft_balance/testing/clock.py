"""An event loop whose time goes by itself, and further when a test turns it by hand.

Retries, pauses, deadlines and breakers take no real time then. Sockets work as on any loop, so a
client of a `Sandbox` can be turned as well::

    with asyncio.Runner(loop_factory=TurnedLoop) as runner:
        runner.run(main())         # within it: await turn(30)
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from altcraft_balance.validators import checked_wait

__all__ = ["TurnedLoop", "turn"]

#: Turns of the loop in which whatever a timer has woken comes to its next wait.
_TURNS: Final = 25


class TurnedLoop(asyncio.SelectorEventLoop):
    """The loop; `turn` moves its time."""

    def __init__(self) -> None:
        self._turned_s = 0.0
        super().__init__()

    def time(self) -> float:
        """Seconds on the loop's clock: the system's, and what was turned."""
        return super().time() + self._turned_s

    def next_timer_s(self) -> float | None:
        """Seconds until the next timer that is not cancelled; None without any."""
        timers: list[Any] = self._scheduled  # type: ignore[attr-defined]
        due = [timer.when() for timer in timers if not timer.cancelled()]
        return max(0.0, min(due) - self.time()) if due else None


async def turn(seconds: float) -> None:
    """Let `seconds` go by on the running loop, which must be a `TurnedLoop`.

    Timers fire one after another, each at its time, and whatever they wake runs until it waits
    again before the next one fires.

    Raises:
        ConfigurationError: `seconds` is no number of seconds, 0 or more.
        RuntimeError: the running loop is another.
    """
    checked_wait(seconds, "seconds")
    loop = asyncio.get_running_loop()
    if not isinstance(loop, TurnedLoop):
        raise RuntimeError("turn() needs a TurnedLoop: give it to asyncio.Runner as loop_factory")
    until = loop.time() + seconds
    await _settle()
    while (left_s := until - loop.time()) > 0:
        next_s = loop.next_timer_s()
        loop._turned_s += left_s if next_s is None else min(left_s, next_s)
        await _settle()


async def _settle() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)
