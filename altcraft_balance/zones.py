"""Times of day in a time zone, and the moments that they are.

A zone is one of the IANA's (`zoneinfo`), or None: the machine's own, as its C library knows it.

A time of day stands for the first moment of a day at which a clock on the wall shows it, or a later
one. So a time that the clocks skip in spring is the moment at which they skip it, and one that they
show twice in autumn is the first of the two.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final

from altcraft_balance.errors import ConfigurationError

__all__ = ["first_moment", "next_moment", "said", "time_of_day", "utc_now", "zone_named"]

_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
_TIME: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\Z", re.ASCII)


def utc_now() -> datetime:
    """The moment, as the machine's clock has it (aware, UTC)."""
    return datetime.now(UTC)


def zone_named(name: str | None) -> tzinfo | None:
    """The zone of that IANA name, such as ``Europe/Moscow``; None for None, the machine's own.

    Raises:
        ConfigurationError: there is none, or the machine knows of no zones at all.
    """
    if name is None:
        return None
    import zoneinfo  # costs some milliseconds, and few need it

    if isinstance(name, str) and name:
        try:
            return zoneinfo.ZoneInfo(name)
        except (KeyError, ValueError, OSError):  # not there, no such path, a folder of zones
            pass
        if not _has_data(zoneinfo.ZoneInfo):
            raise ConfigurationError(
                f"time_zone {name!r} cannot be looked up, since this machine has no time zone "
                "data: pip install tzdata"
            )
    raise ConfigurationError(f"time_zone must be a name such as Europe/Moscow, not {name!r}")


def _has_data(zone: Callable[[str], Any]) -> bool:
    try:
        zone("Etc/UTC")
    except (KeyError, OSError):
        return False
    return True


def time_of_day(text: str) -> time | None:
    """The time that ``06:00`` is; None for other texts."""
    found = _TIME.match(text)
    return None if found is None else time(int(found[1]), int(found[2]))


def first_moment(day: date, at: time, zone: tzinfo | None) -> datetime:
    """The first moment at which clocks in `zone` show that time of that day, or a later one."""
    wall = datetime.combine(day, at)
    moment = _as_moment(wall, zone)
    if moment.astimezone(zone).replace(tzinfo=None) == wall:
        return moment
    # The clocks skip it: it is the moment of the leap, before which they show less.
    before, leap = sorted([moment, _as_moment(wall.replace(fold=1), zone)])
    while leap - before > _SECOND:
        middle = before + (leap - before) // 2
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            before = middle
        else:
            leap = middle
    return leap.replace(microsecond=0)


def _as_moment(wall: datetime, zone: tzinfo | None) -> datetime:
    """In UTC; a datetime without a zone is taken for the machine's own."""
    return (wall if zone is None else wall.replace(tzinfo=zone)).astimezone(UTC)


def next_moment(at: time, zone: tzinfo | None, after: datetime) -> datetime:
    """The first moment after `after` (aware) at which clocks in `zone` show `at`."""
    day = after.astimezone(zone).date()
    moments = (first_moment(day + days * _DAY, at, zone) for days in range(-1, 3))
    return next(moment for moment in moments if moment > after)


def said(moment: datetime, zone: tzinfo | None = None) -> str:
    """``2026-11-27 06:00 Europe/Moscow (UTC+03:00)``; in its own zone, unless another is given."""
    moment = moment if zone is None else moment.astimezone(zone)
    offset = moment.strftime("%z")
    offset = f"UTC{offset[:3]}:{offset[3:5]}"
    name = getattr(moment.tzinfo, "key", None) or moment.tzname() or ""
    second = f":{moment:%S}" if moment.second else ""
    is_told = name in (offset, "UTC") or not name.strip("+-0123456789")
    where = (name if name == "UTC" else offset) if is_told else f"{name} ({offset})"
    return f"{moment:%Y-%m-%d %H:%M}{second} {where}"
