"""What one run comes to: counts, times, and what went against a promise."""

from bisect import bisect_left
from itertools import pairwise

from attrs import asdict, field, frozen


@frozen(kw_only=True)
class Report:
    """One run in figures; times are virtual seconds.

    Attributes:
        seed: what it was run with.
        scenario: its name.
        says: what the scenario is.
        items: lookups of the batch.
        calls: single lookups beside it.
        found: balances given, to items and calls.
        failed: failures of the batch's items, by kind.
        failed_calls: failures of single calls, by kind.
        lost: items without an outcome.
        doubled: outcomes beyond one of an item.
        wrong: balances that are not the member's.
        requests: requests that the server received.
        requests_per_item: the same, for each item and call.
        time_s: from the first item to the last outcome.
        ideal_s: what a client would take that knew all beforehand.
        waited_s: seconds that lookups were under way, apart from their requests.
        waited_by: the same by reason, as the client's own counts have it.
        most_on_wire: requests at once, as the client's transport saw it.
        worst_100_ms: most arrivals at the server within 100 ms.
        worst_100_ms_after: the same, from when the server was up again for the first time.
        silence_s: the longest time without an arrival between the first and the last.
        repeats_while_down: items asked for again while the first outage lasted.
        hasty_repeats: those that came less than a second after the one before.
        longest_without_probe_s: the longest time within the outage in which nothing was repeated.
        free_repeats_while_down: repeats for free, of requests whose connection broke; not in the
            three above.
        recovered_in_s: from the first right answer after the outage until a second with at least
            90 % of the capacity; None when that never came.
        paused_s: seconds for which a ``Retry-After`` of the server's ran.
        requests_in_pause: requests begun while the server's ``Retry-After`` ran.
        trace_hash: SHA-256 over the trace.
        problems: what went against a promise that holds in every scenario.
    """

    seed: int
    scenario: str
    says: str
    items: int
    calls: int
    found: int
    failed: dict[str, int]
    failed_calls: dict[str, int]
    lost: int
    doubled: int
    wrong: int
    requests: int
    requests_per_item: float
    time_s: float
    ideal_s: float
    waited_s: float
    waited_by: dict[str, float]
    most_on_wire: int
    worst_100_ms: int
    worst_100_ms_after: int | None = None
    silence_s: float
    repeats_while_down: int | None = None
    hasty_repeats: int | None = None
    longest_without_probe_s: float | None = None
    free_repeats_while_down: int | None = None
    recovered_in_s: float | None = None
    paused_s: float
    requests_in_pause: int
    trace_hash: str
    problems: tuple[str, ...] = field(converter=tuple)

    def as_dict(self):
        """For JSON; numbers rounded to a millionth."""
        return {
            name: round(value, 6) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }

    def lines(self):
        """For people: a name and a value in each line, without what was not measured."""
        for name, value in self.as_dict().items():
            if value is None or name == "problems":
                continue
            yield f"{name.replace('_', ' '):<26}{_shown(name, value)}"
        yield from (f"PROBLEM  {problem}" for problem in self.problems)


def _shown(name, value):
    if isinstance(value, dict):
        return ", ".join(f"{kind} {count}" for kind, count in sorted(value.items())) or "none"
    unit = " s" if name.endswith("_s") else ""
    return f"{value:,.3f}{unit}" if isinstance(value, float) else f"{value}{unit}"


def most_within(times, window_s):
    """The most of `times`, which are in order, that lie within one window."""
    first = most = 0
    for last, time in enumerate(times):
        while times[first] <= time - window_s:
            first += 1
        most = max(most, last - first + 1)
    return most


def gaps(times):
    """The times between neighbours."""
    return [later - earlier for earlier, later in pairwise(times)]


def covered_s(spans):
    """How much time is within any of `spans`, pairs in the order of their beginnings."""
    total = reached = 0.0
    for begins, ends in spans:
        total += max(0.0, ends - max(begins, reached))
        reached = max(reached, ends)
    return total


def first_full_second(times, begins, wanted):
    """From `begins` until the end of the first second with `wanted` of `times`; None: never."""
    start = bisect_left(times, begins)
    for index in range(start, len(times) - wanted + 1):
        if times[index + wanted - 1] - times[index] <= 1:
            return max(0.0, times[index + wanted - 1] - begins)
    return None
