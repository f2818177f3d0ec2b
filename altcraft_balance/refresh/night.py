"""The night has an end: a moment on the clock on the wall, a duration, or both.

That clock may be set right, or sleep with the machine, so it is looked at a few times a second and
no timer is trusted with hours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from attrs import field, frozen

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.validators import checked_seconds
from altcraft_balance.zones import said, utc_now

__all__ = ["Night", "work_left"]

_TICK_S: Final = 0.25


def _moment(_: object, __: object, value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise ConfigurationError(
            "stop_at must be a datetime with a time zone, such as datetime(2026, 11, 27, 6, "
            f'tzinfo=ZoneInfo("Europe/Moscow")), not {value!r}'
        )


def _duration(_: object, __: object, value: Any) -> None:
    checked_seconds(value, "max_duration_s")


@frozen(kw_only=True)
class Night:
    """When a run has to stop.

    Attributes:
        stop_at: the moment (aware); None: no moment. One that is past stops the run at once.
        max_duration_s: so many seconds after its process began it; None: however long it takes.
        wall: gives the moment, aware.
    """

    stop_at: datetime | None = field(default=None, validator=_moment)
    max_duration_s: float | None = field(default=None, validator=_duration)
    wall: Callable[[], datetime] = utc_now

    @property
    def settings(self) -> dict[str, Any]:
        """What a summary says of it."""
        return {
            "stop_at": None if self.stop_at is None else said(self.stop_at),
            "max_duration_s": self.max_duration_s,
        }

    @contextmanager
    def ending(self, stop: Callable[[str], object]) -> Iterator[None]:
        """Within it, `stop` is called with the reason when the night is over."""
        loop = asyncio.get_running_loop()
        began, timer = loop.time(), None

        def look() -> None:
            nonlocal timer
            if reason := self._over(loop.time() - began):
                stop(reason)
            elif self.stop_at is not None or self.max_duration_s is not None:
                timer = loop.call_later(self._look_in_s(loop.time() - began), look)

        look()
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()

    def _over(self, passed_s: float) -> str:
        """Why it is over; "" while it is not."""
        if self.stop_at is not None and self.wall() >= self.stop_at:
            return f"it was {said(self.stop_at)}, as stop_at says"
        if self.max_duration_s is not None and passed_s >= self.max_duration_s:
            return f"it had its {_hours(self.max_duration_s)}, as max_duration_s says"
        return ""

    def _look_in_s(self, passed_s: float) -> float:
        left_s = _TICK_S if self.max_duration_s is None else self.max_duration_s - passed_s
        return max(0.001, min(_TICK_S, left_s))


def work_left(rows: int, done: int, worked_s: float) -> dict[str, float]:
    """A summary's words for `rows` that are left after a night that did `done` in `worked_s`.

    Empty when none are left, or when the night did too little to tell.
    """
    if rows <= 0 or done <= 0:
        return {}
    nights = rows / done
    return {"nights_left": round(nights, 3), "left_s": round(nights * worked_s, 1)}


def _hours(seconds: float) -> str:
    """``7 h``, ``1 h 30 min``, ``90.5 s``."""
    if seconds < 60 or seconds % 60:
        return f"{seconds:,.10g} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    parts = [f"{hours:,} h" if hours else "", f"{minutes} min" if minutes else ""]
    return " ".join(filter(None, parts))
