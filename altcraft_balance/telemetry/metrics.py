"""The one table of metrics, and the meter that Prometheus and OpenTelemetry both read.

How long things took comes from the stream of events; all else from the client's own figures
(`ClientStats`), which are kept anyway, so that a lookup pays for two durations only. Durations are
counted in buckets of our own: a lookup's by its result, a request's by its HTTP status and error.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

from attrs import frozen

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.telemetry.events import (
    AttemptEnded,
    Closed,
    Event,
    LookupCancelled,
    LookupEnded,
    RetryPlanned,
)

__all__ = [
    "BOUNDS_S",
    "DURATIONS",
    "FIGURES",
    "TIMED",
    "Buckets",
    "Duration",
    "Figure",
    "Meter",
    "labels_of",
]

#: The upper bounds of the buckets, in seconds.
BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

#: A figure by the values of its labels; () where it has none.
Values: TypeAlias = Mapping[tuple[str, ...], float]


@frozen
class Duration:
    """A histogram: its name below ``altcraft_balance``, its labels, and what it is, in seconds."""

    name: str
    labels: tuple[str, ...]
    says: str


@frozen
class Figure:
    """A counter or a gauge; `read` takes it from `ClientStats` and a meter."""

    name: str
    kind: Literal["counter", "gauge"]
    unit: Literal["s", "1"]
    labels: tuple[str, ...]
    says: str
    read: Callable[[Any, Meter], Values]


class Buckets:
    """One histogram's counts."""

    __slots__ = ("counts", "total_s")

    def __init__(self) -> None:
        self.counts, self.total_s = [0] * (len(BOUNDS_S) + 1), 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.total_s += seconds


def _one(name: str) -> Callable[[Any, Meter], Values]:
    return lambda stats, _: {(): float(getattr(stats, name))}


def _each(name: str) -> Callable[[Any, Meter], Values]:
    return lambda stats, _: {(key,): float(value) for key, value in getattr(stats, name).items()}


def _results(stats: Any, _: Meter) -> Values:
    ended = {"found": stats.found, "cancelled": stats.cancelled, **stats.failed}
    return {(result,): float(count) for result, count in ended.items()}


def _breaker(stats: Any, _: Meter) -> Values:
    states = ("closed", "open", "probing")
    return {(state,): float(stats.breaker == state) for state in states}


def _rate(stats: Any, _: Meter) -> Values:
    return {(): float("inf") if stats.rate_per_s is None else float(stats.rate_per_s)}


def _retries(_: Any, meter: Meter) -> Values:
    return {(kind,): float(count) for kind, count in meter.retries.items()}


DURATIONS: Final = (
    Duration(
        "lookup.duration",
        ("result",),
        "Seconds from a lookup's call to its end, all waits included.",
    ),
    Duration(
        "request.duration",
        ("status", "error"),
        "Seconds from a request's first byte to its reply's last.",
    ),
)
FIGURES: Final = (
    Figure("lookups", "counter", "1", ("result",), "Lookups that ended, by how.", _results),
    Figure("lookups.joined", "counter", "1", (), "Calls that shared another's.", _one("joined")),
    Figure("requests", "counter", "1", (), "Requests that were sent.", _one("requests")),
    Figure("retries", "counter", "1", ("error",), "Repeats that were planned.", _retries),
    Figure(
        "free_repeats",
        "counter",
        "1",
        (),
        "Repeats of requests that met a dead reused connection.",
        _one("free_repeats"),
    ),
    Figure("throttled", "counter", "1", (), "Answers that asked for a pause.", _one("throttled")),
    Figure("waited", "counter", "s", ("reason",), "Seconds waited, by reason.", _each("waited_s")),
    Figure("waiting", "gauge", "1", ("reason",), "Lookups that wait now.", _each("waiting")),
    Figure("in_progress", "gauge", "1", (), "Lookups begun and not ended.", _one("in_progress")),
    Figure("in_flight", "gauge", "1", (), "Requests on the way.", _one("slots_in_use")),
    Figure("width", "gauge", "1", (), "Requests that may be on the way.", _one("width")),
    Figure("rate", "gauge", "1", (), "Requests a second that are allowed; +Inf: all.", _rate),
    Figure("gate", "gauge", "s", (), "Seconds left of the pause asked for.", _one("gate_s")),
    Figure("breaker", "gauge", "1", ("state",), "1 for the state it is in.", _breaker),
    Figure("budget", "gauge", "1", (), "Retry tokens left, of 500.", _one("budget")),
    Figure("connections.opened", "counter", "1", (), "Made.", _one("connections_opened")),
    Figure(
        "connections.dropped",
        "counter",
        "1",
        (),
        "Idle ones that were not clean when they were wanted.",
        _one("connections_dropped"),
    ),
)


#: Events that have a duration: an alternative of types would be made anew for each event.
TIMED: Final = (AttemptEnded, LookupEnded, LookupCancelled)


def labels_of(event: AttemptEnded | LookupEnded | LookupCancelled) -> tuple[int, tuple[str, ...]]:
    """Which of `DURATIONS` it belongs to, and the values of its labels."""
    if isinstance(event, AttemptEnded):
        status = "none" if event.status is None else str(event.status)
        return 1, (status, event.kind or "none")
    if isinstance(event, LookupEnded):
        return 0, (event.kind or "found",)
    return 0, ("cancelled",)


class Meter:
    """Listens to one client, and has its figures whenever they are asked for.

    Attributes:
        durations: for each of `DURATIONS`, buckets by the values of its labels.
        retries: repeats that were planned, by the error's kind.
    """

    def __init__(self) -> None:
        self.durations: tuple[dict[tuple[str, ...], Buckets], ...] = tuple({} for _ in DURATIONS)
        self.retries: Counter[str] = Counter()
        self._stats: Callable[[], Any] | None = None
        self._last: Any = None
        self._pid = os.getpid()

    def reads(self, stats: Callable[[], Any]) -> None:
        """The client opens, and these are its figures; in a fork's child all begins anew.

        Raises:
            ConfigurationError: another client was opened before.
        """
        self._begin_anew_in_a_child()
        if self._stats is not None or self._last is not None:
            raise ConfigurationError("metrics are one client's: make new ones for each client")
        self._stats = stats

    def _begin_anew_in_a_child(self) -> None:
        if self._pid != os.getpid():
            self.__init__()  # type: ignore[misc]  # the figures are the parent's

    def timed(self, which: int) -> list[tuple[tuple[str, ...], Buckets]]:
        """One of `DURATIONS`, by the values of its labels."""
        self._begin_anew_in_a_child()
        return list(self.durations[which].items())

    def __call__(self, event: Event) -> None:
        """Count `event`."""
        if isinstance(event, TIMED):
            number, labels = labels_of(event)
            self._add(number, labels, event.elapsed_s)
        elif isinstance(event, RetryPlanned):
            self.retries[event.kind] += 1
        elif isinstance(event, Closed) and self._stats is not None:
            self._last, self._stats = self._stats(), None  # and lets go of the client

    def _add(self, which: int, labels: tuple[str, ...], seconds: float) -> None:
        by_labels = self.durations[which]
        buckets = by_labels.get(labels)
        if buckets is None:
            buckets = by_labels[labels] = Buckets()
        buckets.add(seconds)

    def figures(self) -> dict[str, Values]:
        """All counters and gauges as they are now, by name; none before the client is open."""
        stats = self._now()
        return {} if stats is None else {one.name: one.read(stats, self) for one in FIGURES}

    def values_of(self, figure: Figure) -> Values:
        """One of them."""
        stats = self._now()
        return {} if stats is None else figure.read(stats, self)

    def _now(self) -> Any:
        self._begin_anew_in_a_child()
        return self._last if self._stats is None else self._stats()
