"""Row 8: jitter is uniform, after the cap.

Waits fill the whole range from zero to the bound evenly, also when the bound is the cap; so
lookups that failed together do not come back together. The seeds are fixed: with a new one each
run, a test that asks for p > 0.001 would fail once in a thousand runs.
"""

import math
import random

from altcraft_balance.policy.backoff import backoff_s
from altcraft_balance.settings import RetryPolicy

POLICY = RetryPolicy(base_s=0.1, cap_s=20)
#: Before the cap, just under it, just over it, and far beyond.
FAILURES = (1, 4, 8, 9, 10, 40)


def ks_p(sample):
    """The chance of a distance this large from the uniform distribution (Kolmogorov, Smirnov)."""
    ordered, n = sorted(sample), len(sample)
    distance = max(max((i + 1) / n - x, x - i / n) for i, x in enumerate(ordered))
    root = math.sqrt(n) * distance
    terms = ((-1) ** (k - 1) * math.exp(-2 * (k * root) ** 2) for k in range(1, 101))
    return min(1.0, 2 * sum(terms))


def shares(failures, count, seed):
    """Waits as shares of their bound."""
    draw = random.Random(seed).random
    bound_s = min(POLICY.cap_s, POLICY.base_s * 2 ** (failures - 1))
    return [backoff_s(POLICY, failures, draw()) / bound_s for _ in range(count)]


def test_waits_are_uniform_before_and_at_the_cap(promise, size):
    """Of 100,000 waits after each number of failures none is out of range, and p > 0.001."""
    stated = promise(8, "jitter is uniform, after the cap")
    count, ps, outside = size(100_000, 1_000_000), [], 0
    for failures in FAILURES:
        sample = shares(failures, count, seed=f"waits after {failures}")
        outside += sum(not 0 <= share < 1 for share in sample)
        ps.append(ks_p(sample))
    stated.came(
        tried=count * len(FAILURES),
        failed=outside + sum(p <= 0.001 for p in ps),
        figure=f"KS: smallest p {min(ps):.3f} of {len(ps)}",
    )


def test_the_test_sees_a_herd():
    """What herds at the cap, or draws from half of the range, does not pass for uniform."""
    even = shares(4, 100_000, seed="herd")
    assert ks_p([min(1.0, 1.01 * share) for share in even]) < 0.001
    assert ks_p([0.5 + share / 2 for share in even]) < 0.001
