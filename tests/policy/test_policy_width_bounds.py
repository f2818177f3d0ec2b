"""What is exactly at a bound of the width's rule: by its own steps, since no run meets it."""

import pytest

from altcraft_balance.policy import width as rules
from altcraft_balance.policy.width import AdaptiveWidth

CALM_S = 0.0625  # and the rest are numbers that floats can hold


def seen(typical_s=CALM_S, *, per_s=64.0, ended_per_s=None, in_use=50.0):
    return rules._Seen(per_s, ended_per_s or per_s, typical_s, in_use)


def rule(width=50, most=100):
    made = AdaptiveWidth(most)
    made.width, made._unloaded_s = width, CALM_S
    made._restart(0.0)
    return made


@pytest.mark.parametrize("times", [1.25, 0.8])
def test_a_quarter_more_or_less_is_not_alike(times):
    """Neither in latency nor in rate."""
    assert not seen(CALM_S * times).like(seen())
    assert not seen(ended_per_s=64 * times).like(seen())


def test_four_fifths_of_the_slots_are_in_use():
    """Exactly so many: the width is what limits."""
    made = rule()
    made._consider(10.0, seen(CALM_S * 4, in_use=40.0, per_s=10.0), steady=False)
    assert made._trial is not None


def test_half_more_than_unloaded_is_not_calm():
    """Exactly so much."""
    made = rule()
    made._widen_at = 99.0
    made._consider(10.0, seen(CALM_S * 1.5), steady=False)
    assert made.width == 50


def test_a_trial_is_due_at_its_moment():
    """Both of widening and of narrowing."""
    made = rule()
    made._widen_at = 10.0
    made._consider(10.0, seen(CALM_S * 2), steady=False)
    assert made.width == 63
    made = rule()
    made._narrow_at = 10.0
    assert made._may_narrow(10.0, seen(CALM_S * 4, per_s=400.0))
    assert not made._may_narrow(9.75, seen(CALM_S * 4, per_s=400.0))


def test_twice_is_no_growth_yet():
    """Neither over the unloaded latency, nor over that of a trial that failed."""
    assert not rule()._may_narrow(10.0, seen(CALM_S * 2, per_s=800.0))
    made = rule()
    made._narrow_at, made._failed_s = 99.0, CALM_S * 4
    assert not made._may_narrow(10.0, seen(CALM_S * 8))
    assert made._may_narrow(10.0, seen(CALM_S * 8.5))


def test_one_slot_is_not_narrowed():
    """There is nothing less."""
    assert not rule(1)._may_narrow(10.0, seen(CALM_S * 4, in_use=1.0))


@pytest.mark.parametrize(("typical_s", "per_s"), [
    (CALM_S * 3, 64.0),  # of four times, three are what half of a half step leaves
    (CALM_S, 64.0 * 0.9),  # exactly nine tenths
    (CALM_S * 4, 80.0),  # exactly a quarter more
])  # fmt: skip
def test_a_narrowing_must_gain_more_than_its_bounds(typical_s, per_s):
    """Exactly at one of them it is undone."""
    made = rule(25)
    trial = rules._Trial(0.0, 50, seen(CALM_S * 4))
    assert made._bought(10.0, trial, seen(typical_s, per_s=per_s)) is False


def test_a_widening_must_gain_more_than_half_of_its_step():
    """Exactly so much is undone."""
    made = rule(75)
    trial = rules._Trial(0.0, 50, seen())
    assert made._bought(10.0, trial, seen(per_s=80.0)) is False
    assert made._bought(10.0, trial, seen(per_s=80.5)) is True


def test_what_was_learnt_exactly_half_a_minute_ago_counts():
    """And a quarter of a second is not idle yet."""
    made = rule()
    made._ended_at = made._learnt_at = 10.0
    made.note(40.25, 0.25, 1)
    assert made.width == 50
    made = rule()
    made._trial = rules._Trial(0.0, 100, seen())
    made._ended_at = made._learnt_at = 10.0
    made.note(10.5, 0.25, 1)
    assert made.width == 50


def test_a_window_has_as_many_as_were_noted():
    """From its first moment on; answers and slots are counted from none."""
    made = rule(2)
    made._first = 0
    made._restart(0.0)
    made._ended_at = 0.0
    made.note(0.0, 0.0, 2, answered=False)
    made.note(1.0, 1.0, 2, answered=True)
    found = made._look(2.0)
    assert (found.answered_per_s, found.ended_per_s, found.in_use) == (0.5, 1.0, 2.0)


def test_after_a_trial_that_failed_what_was_before_it_is_compared():
    """With the window that follows."""
    made = rule(25)
    before = seen(CALM_S * 4)
    made._trial = rules._Trial(0.0, 50, before)
    assert made._decide(10.0, seen(CALM_S * 4)) is before
