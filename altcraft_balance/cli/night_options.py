"""When the night is over, as the command line says it: ``--stop-at 06:00``, ``--max-duration 7h``.

``--stop-at 06:00`` is the next six o'clock, with one exception: for an hour after it, it is the one
that has just been. So a run that died at 05:59 and was started again at 06:01 stops at once, and
does not go on all day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, tzinfo
from typing import Final

from altcraft_balance.cli.refresh_options import Told
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.durations import duration_s, span
from altcraft_balance.refresh.night import Night
from altcraft_balance.settings import ClientSettings
from altcraft_balance.timetable import RateTimetable
from altcraft_balance.zones import (
    first_moment,
    next_moment,
    said,
    time_of_day,
    utc_now,
    zone_named,
)

__all__ = ["announced", "night_of"]

_JUST_NOW: Final = timedelta(hours=1)


def night_of(told: Told, wall: Callable[[], datetime] = utc_now) -> Night:
    """The night that was asked for, seen from this moment.

    Raises:
        ConfigurationError: a time, a duration or a zone cannot be read.
    """
    zone = zone_named(told.time_zone)
    stop_at = None if told.stop_at is None else _moment(told.stop_at.strip(), zone, wall())
    text = told.max_duration
    return Night(
        stop_at=stop_at,
        max_duration_s=None if text is None else _duration_s(text),
        wall=wall,
    )


def _moment(text: str, zone: tzinfo | None, now: datetime) -> datetime:
    """In the zone that it is said in."""
    if (at := time_of_day(text)) is not None:
        return next_moment(at, zone, now - _JUST_NOW).astimezone(zone)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        pass
    else:
        if "T" in text or ":" in text:  # else it is a day, and does not say when
            return moment if moment.tzinfo else _of_wall(moment, zone)
    raise ConfigurationError(
        f"stop_at must be a time such as 06:00, or a date and time such as 2026-11-27T06:00, "
        f"not {text!r}"
    )


def _of_wall(moment: datetime, zone: tzinfo | None) -> datetime:
    return first_moment(moment.date(), moment.time(), zone).astimezone(zone)


def _duration_s(text: str) -> float:
    seconds = duration_s(text)
    if not seconds:
        raise ConfigurationError(
            f"max_duration must be a duration such as 90s, 30m, 7h or 1h30m, not {text!r}"
        )
    return seconds


def announced(night: Night, settings: ClientSettings) -> Iterator[str]:
    """What there is to say of it before the run begins, and of a rate that goes by the clock."""
    if night.stop_at is not None:
        yield f"The run stops at {said(night.stop_at)}."
    if night.max_duration_s is not None:
        yield f"The run stops after {span(night.max_duration_s)}."
    rate = settings.limits.rate_per_s
    if isinstance(rate, RateTimetable):
        now, zone = night.wall(), zone_named(rate.time_zone)
        change = rate.next_change(now)
        yield (
            f"The rate is {_rate(rate.rate_at(now))} until {said(change.astimezone(zone))}, then "
            f"{_rate(rate.rate_at(change))}: {rate}."
        )


def _rate(per_s: float) -> str:
    return f"{per_s:,.10g} requests/s" if per_s else "0 (a quiet time)"
