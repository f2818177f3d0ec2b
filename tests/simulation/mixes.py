"""Random mixes of behaviours, drawn by a seed: for `--seed N` without a scenario's name.

Every mix is one that a batch can come through: the server comes back for good, and no more than
about a quarter of all requests fail at random, so that 12 attempts are enough.
"""

from random import Random

from tests.simulation.behaviours import (
    BadConnections,
    Capacity,
    Down,
    Knee,
    Quota,
    Slow,
    Steady,
    flapping,
)
from tests.simulation.scenarios import FAULTS_15, Scenario

_WAYS_DOWN = ("refused", "reset", "status500", "silent")


def mix(seed):
    """The scenario of this seed."""
    chance = Random(f"{seed} mix")
    drawn = chance.sample(_DRAWS, chance.choice((0, 1, 1, 2, 2, 3)))
    steady = Steady(chance.uniform(0.001, 0.2), chance.choice((0.0, 0.01, 0.1)))
    behaviours = (*(draw(chance) for draw in drawn), steady)
    share = chance.choice((0.0, 0.0, 0.3, 1.0))
    return Scenario(
        name="mix",
        says=", ".join(type(behaviour).__name__ for behaviour in behaviours)
        + (f", {15 * share:g} % of faults" if share else ""),
        items=chance.randint(10, 100),
        behaviours=behaviours,
        faults={name: rate * share for name, rate in FAULTS_15.items()} if share else {},
        calls=chance.choice((0, 0, 5, 20)),
        calls_within_s=chance.uniform(1, 60),
        concurrency=chance.choice((1, 2, 4, 8, 16, 32, 64, 100)),
        form=chance.choice(("json", "json", "xml")),
    )


def _quota(chance):
    rate_per_s = chance.uniform(10, 200)
    burst = chance.choice((1.0, 10.0, rate_per_s))
    return Quota(rate_per_s, max(1.0, burst), chance.choice((0, 1, 1, 2, 5)))


def _down(chance):
    begins = chance.uniform(0, 3)
    return Down(((begins, begins + chance.uniform(0.1, 60)),), chance.choice(_WAYS_DOWN))


def _flapping(chance):
    return flapping(
        up_s=chance.uniform(0.5, 6),
        down_s=chance.uniform(0.5, 6),
        times=chance.randint(2, 8),
        how=chance.choice(_WAYS_DOWN),
    )


def _slow(chance):
    begins = chance.uniform(0, 3)
    return Slow(begins, begins + chance.uniform(1, 60), chance.uniform(0.5, 6))


def _capacity(chance):
    return Capacity(chance.uniform(50, 400), chance.choice((0.5, 1.0, 5.0)))


def _bad(chance):
    return BadConnections(chance.uniform(0.02, 0.1), chance.choice(("reset", "status500")))


def _knee(chance):
    return Knee(chance.randint(2, 32), chance.uniform(0.005, 0.1))


_DRAWS = (_quota, _down, _flapping, _slow, _capacity, _bad, _knee)
