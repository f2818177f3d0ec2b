"""A timetable: which rate holds when, and that a wrong one is one sentence."""

import pickle
from datetime import UTC, datetime, time, timedelta

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.settings import Limits
from altcraft_balance.timetable import RateTimetable

TEXT = "06:00,20 22:00,200"
MOSCOW = RateTimetable.read(TEXT, "Europe/Moscow")


def moment(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


#: Texts, and how the sentence about them begins.
WRONG = {
    "": "a timetable must be a text such as '06:00,20 22:00,200', not ''",
    "  ": "a timetable must be a text such as '06:00,20 22:00,200', not '  '",
    "06:00": "'06:00' in a timetable must be a time and a rate, such as",
    "06:00,20 22:00": "'22:00' in a timetable must be a time and a rate, such as",
    "06:00 20": "'06:00' in a timetable must be a time and a rate, such as",
    "24:00,20 22:00,1": "'24:00,20' in a timetable must be a time and a rate, such as",
    "6am,20 22:00,1": "'6am,20' in a timetable must be a time and a rate, such as",
    "06:00,20;22:00,1": "'06:00,20;22:00,1' in a timetable must have a number of requests",
    "06:00,fast 22:00,1": "'06:00,fast' in a timetable must have a number of requests per second",
    "06:00, 22:00,200": "'06:00,22:00,200' in a timetable must have a number of requests per",
    "06:00,-1 22:00,1": "a rate must be a number at least 0, up to a billion, not -1.0",
    "06:00,nan 22:00,1": "a rate must be a number at least 0, up to a billion, not nan",
    "06:00,inf 22:00,1": "a rate must be a number at least 0, up to a billion, not inf",
    "06:00,20 6:00,30": "a timetable must have 06:00 once, not twice",
    "06:00,20": "a timetable must have two times at least, such as",
    "06:00,0 22:00,0": "a timetable must have a rate above 0: with none nothing is sent",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_text_is_one_sentence(text):
    """It quotes what is wrong."""
    with pytest.raises(ConfigurationError) as caught:
        RateTimetable.read(text)
    assert str(caught.value).startswith(WRONG[text])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("entries", [None, 5, "06:00,20", [1, 2], [(6, 20), (22, 5)], [("6:00",)]])
def test_wrong_entries_are_one_sentence(entries):
    """Of whatever type they are."""
    with pytest.raises(ConfigurationError, match=r"^(entries|a timetable's times) must be "):
        RateTimetable(entries)


def test_a_time_with_a_zone_of_its_own_is_refused():
    """The timetable has one for all."""
    with pytest.raises(ConfigurationError, match="without a zone"):
        RateTimetable([(time(6, tzinfo=UTC), 1), (time(7), 2)])


def test_a_wrong_zone_is_refused_at_once():
    """Not when the first lookup waits."""
    with pytest.raises(ConfigurationError, match=r"^time_zone must be a name such as Europe/Mosc"):
        RateTimetable.read(TEXT, "Mars")


@pytest.mark.parametrize(
    ("at", "rate", "change"),
    [
        ("2026-11-27 02:59:59", 200, "2026-11-27 03:00"),  # over midnight
        ("2026-11-27 03:00", 20, "2026-11-27 19:00"),
        ("2026-11-27 18:59:59", 20, "2026-11-27 19:00"),
        ("2026-11-27 19:00", 200, "2026-11-28 03:00"),
        ("2026-12-31 20:00", 200, "2027-01-01 03:00"),  # a new day and year in Moscow only
    ],
)
def test_an_entry_holds_until_the_next_one(at, rate, change):
    """From its own moment on, and over midnight."""
    assert MOSCOW.rate_at(moment(at)) == rate
    assert MOSCOW.next_change(moment(at)) == moment(change)


def test_each_change_is_where_the_rate_changes():
    """Over a whole year with both changes of the clocks, nothing changes between two changes."""
    table = RateTimetable.read("02:30,1 02:45,2 03:00,3 18:00,0 23:59,5", "Europe/Berlin")
    at, end = moment("2026-01-01 00:00"), moment("2027-01-01 00:00")
    while at < end:
        then = table.next_change(at)
        assert then > at
        last = then - timedelta(microseconds=1)
        assert table.rate_at(at) == table.rate_at(last)
        assert table.next_change(last) == then
        at = then


def test_when_the_clocks_change():
    """A time that is skipped begins with the leap; of one that comes twice the first counts."""
    table = RateTimetable.read("02:30,1 12:00,2", "Europe/Berlin")
    assert table.next_change(moment("2026-03-29 00:00")) == moment("2026-03-29 01:00")
    assert table.next_change(moment("2026-10-25 00:00")) == moment("2026-10-25 00:30")
    for again in ("2026-10-25 01:10", "2026-10-25 01:30"):  # the clocks show 02:10 and 02:30 again
        assert table.rate_at(moment(again)) == 1
        assert table.next_change(moment(again)) == moment("2026-10-25 11:00")


def test_it_is_sorted_and_says_what_it_is():
    """The order of the entries makes no difference; blanks around a comma neither."""
    table = RateTimetable.read(" 22:00 , 200\t6:00,20 ", "Europe/Moscow")
    assert table == MOSCOW == RateTimetable([(time(22), 200), (time(6), 20)], "Europe/Moscow")
    assert repr(table) == f"RateTimetable.read('{TEXT}', time_zone='Europe/Moscow')"
    assert eval(repr(table)) == table
    assert str(table) == f"{TEXT} Europe/Moscow"
    assert str(RateTimetable.read(TEXT)).endswith(", the machine's zone")
    assert RateTimetable([(time(6, 0, 30), 0.5), (time(7), 2)]).entries[0][1] == 0.5


def test_it_travels_to_other_processes():
    """It is a value, within Limits too."""
    limits = Limits(rate_per_s=MOSCOW, burst=2)
    assert limits.rate_per_s is MOSCOW
    assert pickle.loads(pickle.dumps(limits)) == limits
    assert len({limits, pickle.loads(pickle.dumps(limits))}) == 1


def test_what_a_day_makes():
    """Eight hours at 200 and sixteen at 20 are 80 a second."""
    assert MOSCOW.mean_per_s == pytest.approx(80)
