"""Full jitter, after the cap (promise 8)."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from altcraft_balance.policy.backoff import backoff_s, probe_after_s
from altcraft_balance.settings import RetryPolicy

POLICY = RetryPolicy(base_s=0.1, cap_s=20)


@pytest.mark.parametrize(
    ("failures", "bound_s"),
    [(1, 0.1), (2, 0.2), (3, 0.4), (4, 0.8), (8, 12.8), (9, 20), (10, 20), (64, 20), (10**9, 20)],
)
def test_the_bound_doubles_up_to_the_cap(failures, bound_s):
    """The longest wait doubles with each failure until it is the cap."""
    assert backoff_s(POLICY, failures, 1.0) == pytest.approx(bound_s)
    assert backoff_s(POLICY, failures, 0.5) == pytest.approx(bound_s / 2)
    assert backoff_s(POLICY, failures, 0.0) == 0


@given(
    st.floats(0, 1e9),
    st.floats(0, 1e9),
    st.integers(1, 10**12),
    st.floats(0, 1, exclude_max=True),
)
def test_no_wait_is_out_of_range(base_s, cap_s, failures, draw):
    """Whatever the settings, a wait is finite, from zero to the cap."""
    wait_s = backoff_s(RetryPolicy(base_s=base_s, cap_s=cap_s), failures, draw)
    assert 0 <= wait_s <= cap_s


def test_a_base_above_the_cap_is_capped():
    """The first wait obeys the cap as well."""
    assert backoff_s(RetryPolicy(base_s=50, cap_s=2), 1, 1.0) == 2


def ks_p_value(sample):
    """Kolmogorov-Smirnov against the uniform distribution on 0 to 1 (asymptotic p)."""
    ordered, n = sorted(sample), len(sample)
    distance = max(max((i + 1) / n - x, x - i / n) for i, x in enumerate(ordered))
    root = math.sqrt(n) * distance
    return 2 * sum((-1) ** (k - 1) * math.exp(-2 * (k * root) ** 2) for k in range(1, 101))


@pytest.mark.parametrize("failures", [1, 5, 8, 9, 12, 40])
def test_waits_are_uniform_also_at_the_cap(failures):
    """Nobody herds: waits fill the whole range evenly, before the cap and at it."""
    draw = random.Random(20260101).random
    bound_s = min(20, 0.1 * 2 ** (failures - 1))
    waits = [backoff_s(POLICY, failures, draw()) / bound_s for _ in range(20_000)]
    assert max(waits) < 1
    assert ks_p_value(waits) > 0.001


def test_the_test_of_uniformity_sees_a_herd():
    """Jitter under the cap, the usual mistake, does not pass for uniform."""
    draw = random.Random(20260101).random
    waits = [min(1.0, 1.6 * draw()) for _ in range(20_000)]
    assert ks_p_value(waits) < 0.001


@pytest.mark.parametrize(
    ("silent_s", "bound_s"),
    [(0, 1.5), (6, 1.5), (8, 2), (40, 10), (120, 30), (121, 30), (1e9, 30), (math.inf, 30)],
)
def test_probes_are_as_far_apart_as_a_quarter_of_the_silence(silent_s, bound_s):
    """Half of it is jitter, so that the probes of many clients do not meet."""
    assert probe_after_s(silent_s, 0.0) == max(1, bound_s / 2)
    assert probe_after_s(silent_s, 0.5) == pytest.approx(max(1, bound_s * 0.75))
    assert probe_after_s(silent_s, 1.0) == bound_s


@given(st.floats(0, 1e12), st.floats(0, 1, exclude_max=True))
def test_no_probe_is_less_than_a_second_or_more_than_thirty_after_the_last(silent_s, draw):
    """Whatever is drawn."""
    assert 1 <= probe_after_s(silent_s, draw) <= 30


@given(st.floats(0, 600), st.randoms(use_true_random=False))
def test_who_is_back_is_noticed_after_a_quarter_of_the_time_it_was_away(away_s, chance):
    """Or 1.5 seconds; half a minute at most."""
    now = 0.0
    while now < away_s:
        now += probe_after_s(now, chance.random())
    assert now - away_s <= max(1.5, min(30, away_s / 4)) + 1e-9
