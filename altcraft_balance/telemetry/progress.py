"""A reader that counts: how far a run has come, how fast, and how long lookups take.

Memory does not grow with the number of lookups: times go into a histogram whose bounds grow by
a tenth each, so a percentile is off by at most 10 %.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from attrs import frozen

from altcraft_balance.telemetry.events import AttemptEnded, Event, LookupEnded, RetryPlanned

__all__ = ["Histogram", "Progress", "ProgressSnapshot", "bound_s"]

_GROWTH: Final = math.log(1.1)
_SMALLEST_S: Final = 1e-5
_PER_E: Final = 1 / _GROWTH
_FIRST: Final = -math.log(_SMALLEST_S) / _GROWTH


def bound_s(bucket: float) -> float:
    """Where `bucket` of a histogram begins, in seconds."""
    return _SMALLEST_S * math.exp(bucket * _GROWTH)


class Histogram:
    """Durations in seconds, by powers of 1.1.

    Args:
        kept: what `as_dict` of another gave, to go on from.
    """

    __slots__ = ("_buckets", "_count")

    def __init__(self, kept: Mapping[str, int] | None = None) -> None:
        self._buckets = Counter({int(bucket): count for bucket, count in (kept or {}).items()})
        self._count = self._buckets.total()

    def add(self, seconds: float) -> None:
        """Count one duration."""
        bucket = int(math.log(seconds) * _PER_E + _FIRST) if seconds > _SMALLEST_S else 0
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self._count += 1

    @property
    def counts(self) -> Mapping[int, int]:
        """How many there are in each bucket; `bound_s` says where it begins."""
        return MappingProxyType(self._buckets)

    def as_dict(self) -> dict[str, int]:
        """The counts, for JSON."""
        return {str(bucket): count for bucket, count in self._buckets.items()}

    def percentile(self, percent: float) -> float | None:
        """The duration that `percent` of all do not exceed, in seconds; None without any."""
        if not self._count:
            return None
        wanted = self._count * percent / 100
        seen, bucket = 0, 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                break
        return bound_s(bucket + 1)


@frozen(kw_only=True)
class ProgressSnapshot:
    """How far a run has come.

    Attributes:
        done: lookups that ended, of which `found` gave a balance.
        failed: by the error's kind, how many ended with it.
        requests: all that was sent.
        retries: waits before a repeat.
        free_repeats: repeats of requests that met a dead reused connection.
        p50_s: half of the lookups took no longer than this, in seconds; likewise `p99_s`.
    """

    done: int
    found: int
    failed: Mapping[str, int]
    requests: int
    retries: int
    free_repeats: int
    p50_s: float | None
    p99_s: float | None


class Progress:
    """Give it to a client as ``on_event``, and ask it for a `snapshot` at any time."""

    def __init__(self) -> None:
        self._done = self._found = self._requests = self._retries = self._free_repeats = 0
        self._failed: Counter[str] = Counter()
        self._times = Histogram()

    def __call__(self, event: Event) -> None:
        """Count `event`."""
        if isinstance(event, AttemptEnded):
            self._requests += 1
            self._free_repeats += event.free_repeat
        elif isinstance(event, RetryPlanned):
            self._retries += 1
        elif isinstance(event, LookupEnded):
            self._count_end(event)

    def _count_end(self, event: LookupEnded) -> None:
        self._done += 1
        self._times.add(event.elapsed_s)
        if event.kind is None:
            self._found += 1
        else:
            self._failed[event.kind] += 1

    def snapshot(self) -> ProgressSnapshot:
        """The counts as they are now."""
        return ProgressSnapshot(
            done=self._done,
            found=self._found,
            failed=MappingProxyType(dict(self._failed)),
            requests=self._requests,
            retries=self._retries,
            free_repeats=self._free_repeats,
            p50_s=self._times.percentile(50),
            p99_s=self._times.percentile(99),
        )
