"""What single scenarios promise beyond what holds in all of them."""

from collections.abc import Callable

from attrs import frozen

from tests.simulation.report import Report


@frozen
class Bound:
    """A promise about a report.

    Attributes:
        says: the promise.
        holds: whether a report keeps it.
    """

    says: str
    holds: Callable[[Report], bool]


def quick(factor):
    """A run takes no longer than so many times what it cannot take less than."""
    return Bound(
        f"at most {factor} of the ideal time and the pauses asked for",
        lambda report: report.time_s <= factor * (report.ideal_s + report.paused_s),
    )


NOTHING_FAILED = Bound("no item fails", lambda report: not report.failed)
PAUSE_OBEYED = Bound(
    "no request is begun while Retry-After runs", lambda report: not report.requests_in_pause
)
BURST = Bound(
    "after the outage at most 25 % of a second's capacity come within 100 ms",
    lambda report: report.worst_100_ms_after <= 50,
)
RECOVERED = Bound(
    "90 % of the capacity are reached within 30 s of the first answer",
    lambda report: report.recovered_in_s is not None and report.recovered_in_s <= 30,
)
_QUOTA = (
    Bound("at most 1.02 requests an item", lambda report: report.requests <= 1.02 * report.items),
    Bound("at most 1.06 of the ideal time", lambda report: report.time_s <= 1.06 * report.ideal_s),
    PAUSE_OBEYED,
    NOTHING_FAILED,
)
_PROBES = Bound(
    "at most 35 retries into the outage, then one probe each 1 to 30 s",
    # A probe may take its 10 s, and connecting 3 s, before the time to the next one begins.
    lambda report: report.hasty_repeats <= 35 and report.longest_without_probe_s <= 44,
)

BOUNDS = {
    "healthy": (
        NOTHING_FAILED,
        Bound("one request an item", lambda report: report.requests_per_item == 1),
        Bound(
            "at most 1.1 of the ideal time",
            lambda report: report.time_s <= 1.1 * report.ideal_s,
        ),
    ),
    "quota": _QUOTA,
    "quota_known": _QUOTA,
    "mixed": (
        NOTHING_FAILED,
        PAUSE_OBEYED,
        Bound("no call fails", lambda report: not report.failed_calls),
        Bound("no silence beyond the pauses asked for", lambda report: report.silence_s <= 2.5),
        Bound("at most 1.02 requests an item", lambda report: report.requests_per_item <= 1.02),
        Bound(
            "at most 1.06 of the time that items and calls take at 50 a second",
            lambda report: report.time_s <= 1.06 * (report.items + report.calls) / 50,
        ),
    ),
    "outage": (_PROBES, BURST, RECOVERED, NOTHING_FAILED),
    "recovery": (_PROBES, BURST, RECOVERED, NOTHING_FAILED),
    "silence": (_PROBES, BURST, RECOVERED, NOTHING_FAILED),
    "slow": (NOTHING_FAILED, quick(1.2)),
    "flapping": (NOTHING_FAILED, quick(2)),
    "bad_connections": (
        NOTHING_FAILED,
        Bound(
            "at most 1.25 requests an item",
            lambda report: report.requests_per_item <= 1.25,
        ),
    ),
    "bad_answers": (
        NOTHING_FAILED,
        quick(1.5),
        Bound(
            "at most 1.25 requests an item",
            lambda report: report.requests_per_item <= 1.25,
        ),
    ),
    "bad_members": (
        Bound(
            "nobody fails but those members",
            lambda report: report.failed == {"http_status": report.items // 33},
        ),
        Bound("at most 8 of 50 calls fail", lambda r: sum(r.failed_calls.values()) <= 8),
        Bound("at most 1.2 requests an item", lambda report: report.requests_per_item <= 1.2),
        Bound("ends within 10 s", lambda report: report.time_s <= 10),
    ),
    "knee": (NOTHING_FAILED, quick(2)),
    "faults": (
        NOTHING_FAILED,
        Bound("at most 1.2 requests an item", lambda report: report.requests_per_item <= 1.2),
        PAUSE_OBEYED,
        quick(1.5),
    ),
    "mix": (NOTHING_FAILED, PAUSE_OBEYED),
}


def broken_bounds(report):
    """The bounds of its scenario within which a report does not stay, in words."""
    return [bound.says for bound in BOUNDS[report.scenario] if not bound.holds(report)]
