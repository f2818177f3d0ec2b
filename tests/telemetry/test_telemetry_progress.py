"""Progress: counts of what was told, and percentiles within ten percent."""

import math
import random

import pytest
from attrs.exceptions import FrozenInstanceError

from altcraft_balance.telemetry.events import Opened
from altcraft_balance.telemetry.progress import Histogram, Progress
from tests.session.fakes import Slow, api, broken, http, members, ok, opened


async def test_progress_counts_what_a_run_did(wire):
    """Ends by kind, requests, repeats."""
    wire.script.extend([ok(), api(400), http(500), broken(reused=True), ok(), api(440), ok()])
    progress = Progress()
    async with opened(wire, concurrency=1, on_event=progress) as client:
        await client.get_balances(members(5))
        stats = client.stats()
    shot = progress.snapshot()
    assert (shot.done, shot.found) == (stats.lookups, stats.found) == (5, 3)
    assert dict(shot.failed) == {"bad_request": 1, "api_error": 1}
    assert shot.requests == stats.requests == len(wire.sent)
    assert (shot.retries, shot.free_repeats) == (1, 1)


async def test_progress_knows_how_long_lookups_take(wire):
    """Half of them 1 s, and one in a hundred much longer."""
    wire.answer = lambda sent: Slow(5 if sent.number % 40 == 0 else 1)
    progress = Progress()
    async with opened(wire, concurrency=200, on_event=progress) as client:
        await client.get_balances(members(200))
    shot = progress.snapshot()
    assert shot.p50_s == pytest.approx(1, rel=0.1001)
    assert shot.p99_s == pytest.approx(5, rel=0.1001)


def test_before_the_first_lookup_there_are_no_times():
    """None is no zero."""
    progress = Progress()
    progress(Opened(base_url="https://altcraft.example"))
    shot = progress.snapshot()
    assert (shot.done, shot.p50_s, shot.p99_s) == (0, None, None)


def test_a_snapshot_stays_as_it_was():
    """It is frozen, its mapping too."""
    shot = Progress().snapshot()
    with pytest.raises(FrozenInstanceError):
        shot.done = 1
    with pytest.raises(TypeError):
        shot.failed["x"] = 1


def true_percentile(values, percent):
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


@pytest.mark.parametrize("percent", [1, 25, 50, 90, 99, 99.9, 100])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [1, 2, 10, 3000])
def test_a_percentile_is_off_by_at_most_a_tenth(percent, seed, size):
    """And never too small."""
    draws = random.Random(seed)
    values = [draws.lognormvariate(-2, 2) for _ in range(size)]
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    true = true_percentile(values, percent)
    assert true * (1 - 1e-9) <= histogram.percentile(percent) <= true * 1.1 * (1 + 1e-9)


def test_a_histogram_does_not_grow():
    """From nothing to three years it has some three hundred buckets."""
    histogram = Histogram()
    for exponent in range(-90, 81):
        for factor in range(100):
            histogram.add(10 ** (exponent / 10) * (1 + factor / 386))
    assert len(histogram._buckets) < 330


@pytest.mark.parametrize("seconds", [0, 0.0, -1.0, 1e-300])
def test_a_time_that_is_none_counts_as_the_shortest(seconds):
    """A clock that stands still breaks nothing."""
    histogram = Histogram()
    histogram.add(seconds)
    assert histogram.percentile(50) <= 1.2e-5
