"""A rate that changes with the time of day, in the place of a number in ``Limits.rate_per_s``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import Any, Final

from attrs import field, frozen

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.validators import checked_number
from altcraft_balance.zones import first_moment, time_of_day, zone_named

__all__ = ["RateTimetable"]

_DAY: Final = timedelta(days=1)
_COMMA: Final = re.compile(r"\s*,\s*")
_SUCH_AS: Final = "such as '06:00,20 22:00,200'"


def _entries(value: Any) -> tuple[tuple[time, float], ...]:
    """In the order of the day."""
    try:
        entries = [(at, checked_number(rate, "a rate", 0)) for at, rate in value]
    except (TypeError, ValueError) as error:
        trouble = str(error) if isinstance(error, ConfigurationError) else ""
    else:
        return _checked(entries)
    raise ConfigurationError(trouble or "entries must be pairs of a time of day and a rate")


def _checked(entries: list[tuple[time, float]]) -> tuple[tuple[time, float], ...]:
    for at, _ in entries:
        if not isinstance(at, time) or at.tzinfo is not None:
            raise ConfigurationError(
                f"a timetable's times must be datetime.time without a zone, not {at!r}"
            )
    entries.sort(key=lambda entry: entry[0])
    for (at, _), (then, _) in pairwise(entries):
        if at == then:
            raise ConfigurationError(f"a timetable must have {_clock(at)} once, not twice")
    if len(entries) < 2:
        raise ConfigurationError(
            f"a timetable must have two times at least, {_SUCH_AS}: a rate that holds all day is "
            "a number"
        )
    if not any(rate for _, rate in entries):
        raise ConfigurationError("a timetable must have a rate above 0: with none nothing is sent")
    return tuple(entries)


@frozen(repr=False)
class RateTimetable:
    """Requests per second by the time of day; made by `read`, or of pairs.

    Each entry holds from its time until the next one's, over midnight. A rate of 0 is a quiet
    time, in which nothing is sent: a batch waits for its end, and a single call whose deadline
    comes before fails at once. What is on the way when it begins is answered.

    A time that the clocks skip in spring is the moment at which they skip it, and one that they
    show twice in autumn is the first of the two.

    Attributes:
        entries: pairs of a time of day (`datetime.time`) and requests per second, 0 or more.
        time_zone: the IANA name of the zone that the times are in, such as ``Europe/Moscow``;
            None: the machine's own.

    Raises:
        ConfigurationError: one of these is not what it must be.
    """

    entries: tuple[tuple[time, float], ...] = field(converter=_entries)
    time_zone: str | None = None

    def __attrs_post_init__(self) -> None:
        zone_named(self.time_zone)

    @classmethod
    def read(cls, text: str, time_zone: str | None = None) -> RateTimetable:
        """The timetable that a text such as ``06:00,20 22:00,200`` is.

        Raises:
            ConfigurationError: it is none; the sentence says why.
        """
        return cls(tuple(_read(text)), time_zone)

    def rate_at(self, moment: datetime) -> float:
        """Requests per second that are allowed at `moment` (aware)."""
        return next(rate for at, rate in reversed(self._around(moment)) if at <= moment)

    def next_change(self, moment: datetime) -> datetime:
        """When after `moment` the next entry begins (aware, UTC)."""
        return next(at for at, _ in self._around(moment) if at > moment)

    @property
    def mean_per_s(self) -> float:
        """What a day's requests make per second, on a day of 24 hours."""
        starts = [timedelta(hours=at.hour, minutes=at.minute, seconds=at.second) for at, _ in self]
        ends = [*starts[1:], starts[0] + _DAY]
        held = zip(self.entries, starts, ends, strict=True)
        return sum(rate * ((end - start) / _DAY) for (_, rate), start, end in held)

    def _around(self, moment: datetime) -> list[tuple[datetime, float]]:
        """The entries of the days around `moment`, and when they begin."""
        zone = zone_named(self.time_zone)
        today = moment.astimezone(zone).date()
        days = (today + days * _DAY for days in range(-2, 3))
        return [entry for day in days for entry in self._of_day(day, zone)]

    def _of_day(self, day: date, zone: tzinfo | None) -> Iterator[tuple[datetime, float]]:
        for at, rate in self:
            yield first_moment(day, at, zone), rate

    def __iter__(self) -> Iterator[tuple[time, float]]:
        return iter(self.entries)

    def __str__(self) -> str:
        """As `read` takes it, and the zone."""
        entries = " ".join(f"{_clock(at)},{rate:.10g}" for at, rate in self)
        return f"{entries} {self.time_zone or _own_zone()}"

    def __repr__(self) -> str:
        entries = " ".join(f"{_clock(at)},{rate:.10g}" for at, rate in self)
        return f"RateTimetable.read({entries!r}, time_zone={self.time_zone!r})"


def _read(text: str) -> Iterable[tuple[time, float]]:
    if not isinstance(text, str) or not text.strip():
        raise ConfigurationError(f"a timetable must be a text {_SUCH_AS}, not {text!r}")
    for part in _COMMA.sub(",", text.strip()).split():
        clock, comma, rate = part.partition(",")
        at = time_of_day(clock)
        if not comma or at is None:
            raise ConfigurationError(
                f"{part!r} in a timetable must be a time and a rate, {_SUCH_AS}"
            )
        yield at, _number(rate, part)


def _number(text: str, part: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    raise ConfigurationError(f"{part!r} in a timetable must have a number of requests per second")


def _clock(at: time) -> str:
    return at.isoformat("minutes" if at == at.replace(second=0, microsecond=0) else "auto")


def _own_zone() -> str:
    return f"{datetime.now(UTC).astimezone().tzname()}, the machine's zone"
