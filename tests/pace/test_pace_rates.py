"""Rates as buckets know them, on a clock turned by hand."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

pytest.importorskip("pyrate_limiter")

from pyrate_limiter import GCRA, InMemoryBucket, InMemoryStateStore, RateItem, StateBucket

from altcraft_balance.pace.rates import gcra_rate, window_rates
from tests.pace.sharing import fullest_second, per_second

RATES = [0.5, 1, 7.5, 9.9, 10, 10.9, 20, 49, 50, 99.5, 200, 333.3, 1000, 4999]


def gcra_bucket(per_s, burst=None):
    rate, portion = gcra_rate(per_s, burst)
    return StateBucket([rate], algorithm=GCRA(), store=InMemoryStateStore()), portion


def window_bucket(per_s, burst=None):
    rates, portion = window_rates(per_s, burst)
    return InMemoryBucket(rates), portion


def moments(bucket, portion, seconds, late_ms=0):
    """When permits are granted to one who asks as early as told, or `late_ms` later."""
    now_ms, granted = 1_000_000, []
    while now_ms < 1_000_000 + seconds * 1000:
        decision = bucket.put_decision(RateItem("any", now_ms, weight=portion))
        if decision.allowed:
            granted += [now_ms / 1000] * portion
        else:
            now_ms += decision.retry_after_ms + late_ms
            bucket.leak(now_ms)
    return granted


@pytest.mark.parametrize("make", [gcra_bucket, window_bucket])
@pytest.mark.parametrize("per_s", RATES)
def test_no_second_has_more_than_the_rate(make, per_s):
    """By the server's clock; below 50 per second one more may stand at a second's edge."""
    granted = moments(*make(per_s), seconds=max(5, 10 / per_s))
    assert fullest_second(granted)[0] <= math.ceil(per_s) + (per_s < 50)


@pytest.mark.parametrize("make", [gcra_bucket, window_bucket])
@pytest.mark.parametrize("per_s", RATES)
def test_timers_that_are_late_cost_little(make, per_s):
    """Asked 3 ms later than told each time, 92 % of the rate is had, in the long run."""
    granted = moments(*make(per_s), seconds=max(20, 40 / per_s), late_ms=3)
    assert per_second(granted) >= 0.92 * per_s
    assert per_second(granted) <= 1.02 * per_s


@pytest.mark.parametrize("make", [gcra_bucket, window_bucket])
@pytest.mark.parametrize("burst", [1, 5, 64.7, 1000])
def test_a_burst_that_was_given_is_the_buckets(make, burst):
    """After a rest so many are had at once, and after them the rate."""
    granted = moments(*make(50, burst), seconds=60)
    at_once = granted.count(granted[0])
    portion = make(50, burst)[1]
    assert int(burst) - portion < at_once <= burst
    assert len(granted) <= burst + 60 * 50


@pytest.mark.parametrize("per_s", [5e-324, 1e-9, 1e9])
def test_the_ends_of_the_scale(per_s):
    """A rate of any size is a rate that buckets take."""
    assert gcra_bucket(per_s)[0].rates[0].interval >= 1
    assert window_bucket(per_s)[0].rates[0].interval >= 1
    assert 1 <= gcra_bucket(per_s)[1] <= 1000


@given(per_s=st.floats(1e-6, 1e9), burst=st.none() | st.floats(1, 1e6))
@example(per_s=2000, burst=1)
@example(per_s=10_000, burst=5)
@example(per_s=1e-6, burst=1e6)
@example(per_s=1e9, burst=None)
def test_any_rate_and_burst_make_a_bucket(per_s, burst):
    """One that grants a whole portion, and whose windows begin when calendars know it."""
    for bucket, portion in (gcra_bucket(per_s, burst), window_bucket(per_s, burst)):
        now_ms = 1_700_000_000_000
        assert bucket.put_decision(RateItem("any", now_ms, weight=portion)).allowed
    assert bucket.rates[-1].interval <= 10**13


@pytest.mark.parametrize("per_s", [200, 499, 501, 600, 900, 1000, 2000, 10_000])
def test_a_small_burst_costs_no_throughput(per_s):
    """A bucket that tells milliseconds only gives the whole rate all the same, and no more."""
    granted = moments(*window_bucket(per_s, burst=1), seconds=3)
    assert per_second(granted) >= 0.92 * per_s
    assert fullest_second(granted)[0] <= per_s
