"""The most requests in a second and in a minute are counted over any second, not the clock's."""

from altcraft_balance.session.peaks import Peaks


def peaks(*times):
    counted = Peaks()
    for time in sorted(times):
        counted.sent(time)
    return counted


def test_any_second_counts():
    """Half a burst before the turn of a second and half after it is one burst."""
    times = [10.6 + 0.004 * number for number in range(200)]
    assert peaks(*times).most_per_s == 200


def test_a_second_is_no_longer_than_one():
    """A steady rate is what it is."""
    assert peaks(*(number / 64 for number in range(640))).most_per_s == 64


def test_a_minute_forgets():
    """Requests count for a minute, to a tenth of a second, and a rest empties it."""
    steady = peaks(*(float(number) for number in range(300)))
    assert 60 <= steady.most_per_min <= 61
    assert peaks(*(1.0,) * 7, *(1000.0,) * 5).most_per_min == 7


def test_what_is_under_way_counts():
    """The numbers are there before the second is over."""
    assert (peaks(5.0, 5.01).most_per_s, peaks(5.0, 5.01).most_per_min) == (2, 2)
    assert (Peaks().most_per_s, Peaks().most_per_min) == (0, 0)
