"""Many seeds, one after another, and what they come to together."""

import hashlib
from collections import Counter

from attrs import field, frozen

from tests.simulation.scenarios import scenario_for
from tests.simulation.world import simulate


@frozen(kw_only=True)
class SeedsReport:
    """What a range of seeds comes to.

    Attributes:
        first: the first seed.
        count: how many seeds were run.
        items: lookups of all batches and calls.
        requests: requests that all servers received.
        found: balances given.
        failed: failures of items, by kind.
        failed_calls: failures of single calls, by kind.
        virtual_s: virtual seconds of all runs.
        trace_hash: SHA-256 over all runs' hashes, in the seeds' order.
        problems: for each seed that has any, what went against a promise.
        failing: for each seed with items that failed, how many of each kind.
    """

    first: int
    count: int
    items: int
    requests: int
    found: int
    failed: dict[str, int]
    failed_calls: dict[str, int]
    virtual_s: float
    trace_hash: str
    problems: dict[int, tuple[str, ...]] = field(factory=dict)
    failing: dict[int, dict[str, int]] = field(factory=dict)

    def as_dict(self):
        """For JSON."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "__weakref__"}

    def lines(self):
        """For people."""
        for name, value in self.as_dict().items():
            if name not in {"problems", "failing"}:
                yield f"{name.replace('_', ' '):<16}{value}"
        for name in ("failing", "problems"):
            yield from (f"{name} seed {seed}: {what}" for seed, what in getattr(self, name).items())


def run_seeds(first, count, scenario=None, items=None):
    """Run `count` seeds from `first` on: of a scenario by its name, else the mix of each seed."""
    digest, sums, virtual_s = hashlib.sha256(), Counter(), 0.0
    failed, failed_calls = Counter(), Counter()
    problems, failing = {}, {}
    for seed in range(first, first + count):
        report = simulate(scenario_for(seed, scenario, items), seed).report
        digest.update(report.trace_hash.encode())
        sums.update(items=report.items + report.calls, requests=report.requests, found=report.found)
        virtual_s += report.time_s
        failed.update(report.failed)
        failed_calls.update(report.failed_calls)
        if report.problems:
            problems[seed] = report.problems
        if report.failed:
            failing[seed] = report.failed
    return SeedsReport(
        first=first,
        count=count,
        items=sums["items"],
        requests=sums["requests"],
        found=sums["found"],
        failed=dict(failed),
        failed_calls=dict(failed_calls),
        virtual_s=round(virtual_s, 6),
        trace_hash=digest.hexdigest(),
        problems=problems,
        failing=failing,
    )
