"""The rate that is kept (GCRA), against a bucket of tokens and against plain counting."""

import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from altcraft_balance.policy.pace import Gcra

RATES = st.floats(0.5, 5_000)


def punctual(pace, start, end):
    """The moments at which somebody sends who always waits exactly as long as he is told."""
    now, moments = start, []
    while (now := now + pace.wait_s(now)) < end:
        pace.spend(now)
        moments.append(now)
    return moments


@pytest.mark.parametrize("rate_per_s", [0.5, 1, 50, 333.3, 5_000])
def test_the_rate_is_kept(rate_per_s):
    """Whoever waits as told sends at the rate, evenly, from the first request on."""
    moments = punctual(Gcra(rate_per_s), 1e6, 1e6 + 20)
    assert len(moments) == pytest.approx(20 * rate_per_s, abs=1)
    gaps = [after - before for before, after in itertools.pairwise(moments)]
    assert min(gaps) == pytest.approx(1 / rate_per_s, abs=2e-6)
    assert max(gaps) == pytest.approx(1 / rate_per_s, abs=2e-6)


@pytest.mark.parametrize("busy_s", [0, 10])
def test_a_burst_may_go_at_once_after_a_rest(busy_s):
    """As many as the burst go at once, then one for each interval; no matter what was before."""
    pace = Gcra(10, burst=5)
    punctual(pace, 0, busy_s)
    moments = punctual(pace, 100, 100.35)
    assert moments == pytest.approx([100, 100, 100, 100, 100, 100.1, 100.2, 100.3])


def test_without_a_burst_one_goes_at_once():
    """A strict server is never asked twice at once, however long the rest was."""
    pace = Gcra(50)
    pace.spend(0)
    assert pace.wait_s(1_000) == 0
    pace.spend(1_000)
    assert pace.wait_s(1_000) == pytest.approx(0.02)


@pytest.mark.parametrize("rate_per_s", [20, 500, 3_000])
def test_late_timers_lose_nothing(rate_per_s):
    """Timers that are up to 10 ms late do not slow the rate; later ones do."""
    draw = random.Random(7).random
    pace, now, sent = Gcra(rate_per_s), 0.0, 0
    while now < 60:
        now += pace.wait_s(now) + 0.0099 * draw()
        while pace.wait_s(now) == 0:
            pace.spend(now)
            sent += 1
    assert sent == pytest.approx(60 * rate_per_s, rel=0.01)


def test_those_ahead_are_counted():
    """The wait behind others is the wait after they have gone."""
    pace = Gcra(10, burst=2)
    assert [pace.wait_s(0, ahead) for ahead in range(4)] == pytest.approx([0, 0, 0.1, 0.2])
    pace.spend(0)
    assert [pace.wait_s(0, ahead) for ahead in range(3)] == pytest.approx([0, 0.1, 0.2])


def test_who_does_not_wait_is_counted_too():
    """What was sent although it should have waited delays those that follow."""
    pace = Gcra(10)
    for _ in range(5):
        pace.spend(0)
    assert pace.wait_s(0) == pytest.approx(0.5)
    assert pace.wait_s(0.4) == pytest.approx(0.1)


def test_no_limit_costs_nothing_now_or_later():
    """With no limit nobody waits, and nothing is owed when a limit comes."""
    pace = Gcra(math.inf)
    for _ in range(1_000):
        assert pace.wait_s(5, ahead=100) == 0
        pace.spend(5)
    pace.rate_per_s = 10
    assert pace.rate_per_s == 10
    assert pace.wait_s(5) == 0
    pace.spend(5)
    assert pace.wait_s(5) == pytest.approx(0.1)
    pace.rate_per_s = math.inf
    assert pace.wait_s(5) == 0
    pace.rate_per_s = 10
    assert pace.wait_s(5) == 0


def test_what_is_owed_is_paid_at_the_new_rate():
    """A slow rate that becomes fast does not leave a long wait behind, nor the other way round."""
    pace = Gcra(0.5)
    pace.spend(0)
    assert pace.wait_s(1) == pytest.approx(1)  # half a request is owed
    pace.rate_per_s = 5
    pace.rate_per_s = 50
    assert pace.wait_s(1) == pytest.approx(0.01)
    pace.rate_per_s = 1
    assert pace.wait_s(1) == pytest.approx(0.5)
    pace.rate_per_s = 0.5
    assert pace.wait_s(1) == pytest.approx(1)


def test_a_wait_that_no_clock_can_show_is_none():
    """Nobody is told to wait for less than a microsecond."""
    pace = Gcra(10)
    pace.spend(0)
    assert pace.wait_s(0.1 - 1e-7) == 0


@pytest.mark.parametrize("rate_per_s", [0, -1, math.nan])
def test_a_rate_is_above_zero(rate_per_s):
    """A rate that lets nothing through is refused, at first and later."""
    with pytest.raises(ValueError, match="rate_per_s must be above 0"):
        Gcra(rate_per_s)
    pace = Gcra(1)
    with pytest.raises(ValueError, match="rate_per_s must be above 0"):
        pace.rate_per_s = rate_per_s


@pytest.mark.parametrize("burst", [0, 0.99, -5, math.nan])
def test_a_burst_is_at_least_one(burst):
    """A burst that lets nothing through is refused."""
    with pytest.raises(ValueError, match="burst must be at least 1"):
        Gcra(1, burst)


@given(RATES, st.lists(st.floats(0, 0.5), min_size=2, max_size=60))
def test_never_more_than_promised(rate_per_s, lateness):
    """In t seconds never more pass than `1 + rate * (t + 10 ms)`, whenever somebody asks."""
    pace, now, moments = Gcra(rate_per_s), 0.0, []
    for late_s in lateness:
        now += pace.wait_s(now) + late_s**4
        pace.spend(now)
        moments.append(now)
    for first, last in itertools.combinations(range(len(moments)), 2):
        span_s = moments[last] - moments[first] + 0.01
        assert last - first + 1 <= 1 + rate_per_s * span_s + 1e-3 + (last - first) * 1e-6


class Pacing(RuleBasedStateMachine):
    """GCRA and a bucket of tokens are two ways to count the same (I.371's duality)."""

    @initialize(rate_per_s=RATES, burst=st.floats(1, 50))
    def begin(self, rate_per_s, burst):
        self.pace = Gcra(rate_per_s, burst)
        self.now, self.rate_per_s, self.burst, self.tokens = 0.0, rate_per_s, burst, burst

    @rule(s=st.floats(0, 3))
    def time_passes(self, s):
        self.now += s
        self.tokens = min(self.burst, self.tokens + s * self.rate_per_s)

    @rule(rate_per_s=RATES)
    def rate_changes(self, rate_per_s):
        self.pace.rate_per_s = self.rate_per_s = rate_per_s
        self.pace.wait_s(self.now)

    @rule()
    def one_is_sent(self):
        self.pace.spend(self.now)
        self.tokens -= 1

    @rule()
    def one_waits_and_is_sent(self):
        self.time_passes(self.pace.wait_s(self.now))
        assert self.pace.wait_s(self.now) == 0
        self.one_is_sent()

    @rule(ahead=st.integers(0, 20))
    def somebody_asks(self, ahead):
        wait_s = max(0.0, (1 + ahead - self.tokens) / self.rate_per_s)
        assert self.pace.wait_s(self.now, ahead) == pytest.approx(wait_s, rel=1e-6, abs=3e-6)

    @invariant()
    def it_lets_through_what_the_bucket_does(self):
        if hasattr(self, "pace") and abs(self.tokens - 1) > 1e-4 * self.rate_per_s:
            assert (self.pace.wait_s(self.now) == 0) == (self.tokens > 1)


TestPacing = Pacing.TestCase
TestPacing.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestPacing.__doc__ = "Whatever happens, it waits as long as a bucket of tokens would make it wait."


@pytest.mark.parametrize("rate_per_s", [5e-324, 1e-320, 1e-9])
def test_a_rate_of_next_to_nothing_has_a_wait_that_is_a_number(rate_per_s):
    """However slow, the wait is long and no NaN."""
    pace = Gcra(rate_per_s)
    pace.spend(0.0)
    assert 1e8 <= pace.wait_s(1.0) < math.inf
