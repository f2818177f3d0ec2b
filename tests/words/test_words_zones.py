"""Times of day in a time zone: which moments they are, and what is said of zones."""

import sys
import time as clock
import zoneinfo
from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.zones import first_moment, next_moment, said, time_of_day, zone_named

#: Zone, day, time, and the moment in UTC that it is.
MOMENTS = [
    ("Europe/Moscow", "2026-11-27", "06:00", "2026-11-27 03:00"),
    ("Asia/Kolkata", "2026-11-27", "06:00", "2026-11-27 00:30"),
    ("Europe/Berlin", "2026-03-29", "01:59", "2026-03-29 00:59"),
    ("Europe/Berlin", "2026-03-29", "02:00", "2026-03-29 01:00"),  # is skipped, as is
    ("Europe/Berlin", "2026-03-29", "02:30", "2026-03-29 01:00"),
    ("Europe/Berlin", "2026-03-29", "03:00", "2026-03-29 01:00"),
    ("Europe/Berlin", "2026-10-25", "02:30", "2026-10-25 00:30"),  # comes twice
    ("Europe/Berlin", "2026-10-25", "03:00", "2026-10-25 02:00"),
    ("Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03 15:30"),  # half an hour is skipped
    ("Pacific/Apia", "2011-12-30", "12:00", "2011-12-30 10:00"),  # a whole day is
]


@pytest.fixture
def machine(monkeypatch):
    """Set the machine's own zone."""

    def place(name):
        monkeypatch.setenv("TZ", name)
        clock.tzset()

    yield place
    monkeypatch.undo()
    clock.tzset()


def moment(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("own", [False, True], ids=["named", "the machine's"])
@pytest.mark.parametrize(("zone", "day", "at", "expected"), MOMENTS)
def test_a_time_is_the_first_moment_at_which_clocks_show_it(machine, own, zone, day, at, expected):
    """Or a later one, when they skip it; in the machine's zone as in a named one."""
    if own:
        machine(zone)
    found = first_moment(
        date.fromisoformat(day), time.fromisoformat(at), None if own else zone_named(zone)
    )
    assert found == moment(expected)


def test_no_minute_of_two_years_is_shown_earlier():
    """By brute force: a minute before, clocks showed less, or it was another day."""
    zone = zone_named("Europe/Berlin")
    for days in range(0, 730, 1):
        day = date(2026, 1, 1) + timedelta(days=days)
        for at in (time(0, 0), time(2, 30), time(23, 59)):
            found, wall = first_moment(day, at, zone), datetime.combine(day, at)
            shown = found.astimezone(zone).replace(tzinfo=None)
            before = (found - timedelta(minutes=1)).astimezone(zone).replace(tzinfo=None)
            assert before < wall <= shown


def test_the_next_six_oclock():
    """Today's if it is still to come, tomorrow's at six itself; whatever zone `after` is in."""
    zone = zone_named("Europe/Moscow")
    for after, expected in {
        "2026-11-27 02:59": "2026-11-27 03:00",
        "2026-11-27 03:00": "2026-11-28 03:00",
        "2026-11-26 21:30": "2026-11-27 03:00",
    }.items():
        assert next_moment(time(6), zone, moment(after)) == moment(expected)
        assert next_moment(time(6), zone, moment(after).astimezone(zone)) == moment(expected)


def test_how_a_moment_is_said(machine):
    """With its zone and what that is worth, each once."""
    machine("Europe/Berlin")
    at = datetime(2026, 11, 27, 6)  # noqa: DTZ001 - the machine's
    assert said(at.replace(tzinfo=zone_named("Europe/Moscow"))) == (
        "2026-11-27 06:00 Europe/Moscow (UTC+03:00)"
    )
    assert said(at.replace(tzinfo=UTC)) == "2026-11-27 06:00 UTC"
    assert said(at.astimezone()) == "2026-11-27 06:00 CET (UTC+01:00)"
    east = timezone(timedelta(hours=5, minutes=30))
    assert said(at.replace(second=7, tzinfo=east)) == "2026-11-27 06:00:07 UTC+05:30"
    assert said(at.replace(tzinfo=zone_named("America/Sao_Paulo"))) == (
        "2026-11-27 06:00 America/Sao_Paulo (UTC-03:00)"
    )
    assert said(moment("2026-11-27 03:00"), zone_named("Europe/Moscow")) == (
        "2026-11-27 06:00 Europe/Moscow (UTC+03:00)"
    )


@pytest.mark.parametrize("text", ["06:00", "6:00", "00:00", "23:59"])
def test_a_time_of_day(text):
    """Hours and minutes."""
    assert time_of_day(text) == time.fromisoformat(text.rjust(5, "0"))


@pytest.mark.parametrize(
    "text", ["", "24:00", "6", "6:0", "06:60", "06:00:00", " 6:00", "\u0666:00"]
)
def test_what_is_no_time_of_day(text):
    """None, and the caller says what it wanted."""
    assert time_of_day(text) is None


@pytest.mark.parametrize("name", ["", "Mars", "Europe", "../passwd", "/etc/passwd", "a\0b", 3])
def test_a_zone_that_is_none_is_one_sentence(name):
    """Whatever zoneinfo itself makes of it."""
    with pytest.raises(ConfigurationError) as caught:
        zone_named(name)
    assert str(caught.value) == f"time_zone must be a name such as Europe/Moscow, not {name!r}"


def test_a_machine_without_zones_is_told_what_to_install(monkeypatch):
    """As bare images and Windows are."""
    for name in ("tzdata", *(name for name in sys.modules if name.startswith("tzdata."))):
        monkeypatch.setitem(sys.modules, name, None)
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=[])
    zoneinfo.ZoneInfo.clear_cache()
    try:
        with pytest.raises(ConfigurationError) as caught:
            zone_named("Europe/Moscow")
    finally:
        zoneinfo.reset_tzpath(to=before)
    assert str(caught.value) == (
        "time_zone 'Europe/Moscow' cannot be looked up, since this machine has no time zone data: "
        "pip install tzdata"
    )
