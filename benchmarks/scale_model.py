"""What many workers would do, from what one was measured to cost.

Members are looked up in micro-batches. In each, every worker has its share of them, and goes as
fast as it can and as its share of the rate allows; the batch is over when the slowest is done.
Workers are some per cent faster or slower than each other, and one in a hundred is lost in an hour:
what it had of the batch is asked again. One rate is shared by all (Redis, PostgreSQL).
"""

import random
from dataclasses import dataclass

MEMBERS, BATCH = 100_000_000, 1_000_000
WORKERS = (1, 2, 5, 10, 20, 50, 100, 200)
QUOTAS = (1_000, 10_000, 100_000)
UNEVEN, LOST_IN_AN_HOUR = 0.05, 0.01


@dataclass(frozen=True)
class Costs:
    """Of one worker: seconds until it works, seconds of a micro-batch besides, members a second."""

    start_s: float
    batch_s: float
    per_s: float


def simulate(costs, workers, quota, *, members=MEMBERS, batch=BATCH, seed=1):
    """Seconds, and requests."""
    rng = random.Random(f"{seed} {workers} {quota}")
    time_s, requests, left = costs.start_s, 0, members
    while left:
        rows = min(batch, left)
        took_s, asked = _batch(rng, costs, workers, quota, rows)
        time_s, requests, left = time_s + took_s, requests + asked, left - rows
    return {
        "workers": workers,
        "quota": quota,
        "hours": time_s / 3600,
        "requests": requests,
        "of_quota": requests / time_s / quota,
    }


def _batch(rng, costs, workers, quota, rows):
    each, slowest_s, asked = rows / workers, 0.0, rows
    for _ in range(workers):
        able_per_s = costs.per_s * max(0.5, rng.gauss(1, UNEVEN))
        took_s = each / min(able_per_s, quota / workers)
        if rng.random() < LOST_IN_AN_HOUR * took_s / 3600:
            done = rng.random()
            asked += int(each * done)
            took_s += each * done / min(able_per_s, quota)  # the others are done, and leave it all
        slowest_s = max(slowest_s, took_s)
    return slowest_s + costs.batch_s, asked


def table(costs, **further):
    """Of all workers and quotas."""
    return [simulate(costs, workers, quota, **further) for quota in QUOTAS for workers in WORKERS]
