"""What a client has done and how it is: frozen snapshots for others."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from attrs import frozen

from altcraft_balance.session.passes import Reason

if TYPE_CHECKING:
    from altcraft_balance.session.session import Session

__all__ = ["BreakerWord", "ClientStats", "Health", "State", "health_of", "stats_of"]

State: TypeAlias = Literal["new", "opening", "open", "closing", "closed"]
BreakerWord: TypeAlias = Literal["closed", "open", "probing"]


@frozen(kw_only=True)
class ClientStats:
    """Counts since the client was opened, and how many are where now.

    Attributes:
        lookups: lookups that were begun.
        found: lookups that gave a balance.
        failed: by the error's kind, how many lookups ended with it.
        joined: calls that shared the lookup of another, which counts once (`single_flight`).
        cancelled: lookups whose task was cancelled, as when a stream's reader leaves.
        requests: all that was sent.
        most_per_s: the most requests in any one second.
        most_per_min: likewise in any one minute, to a tenth of a second.
        throttled: answers that asked for a pause.
        free_repeats: repeats of requests that met a dead reused connection.
        in_progress: lookups that have begun and not ended.
        slots: the limit on requests at once, `Limits.concurrency`.
        slots_in_use: requests on the way.
        width: how many may be on the way now; less than `slots` when more made the server slower.
        rate_per_s: requests per second that are allowed now, known or found; 0.0 in a timetable's
            quiet time; None: no limit.
        gate_s: seconds for which nobody sends, since the server asked for a pause; 0.0: none.
        breaker: ``closed``, ``open`` (nothing is sent) or ``probing`` (one request is).
        last_failure: the kind of the last attempt that failed, if no answer has come since.
        budget: retry tokens left, of 500; a retry costs 14.
        waiting: how many wait now, by the first thing that stood in their way: ``slot``,
            ``rate``, ``gate``, ``breaker``, ``budget``, or ``backoff`` before a repeat.
        waited_s: seconds that were waited so far, all lookups together, by the same reasons.
        latency_p50_s: half of the answered attempts took no longer than this; to 10 %.
        latency_p99_s: 99 of 100 took no longer than this.
        connections_opened: connections that were made.
        connections_dropped: idle connections that were not clean when they were wanted.
    """

    lookups: int
    found: int
    failed: Mapping[str, int]
    joined: int
    cancelled: int
    requests: int
    most_per_s: int
    most_per_min: int
    throttled: int
    free_repeats: int
    in_progress: int
    slots: int
    slots_in_use: int
    width: int
    rate_per_s: float | None
    gate_s: float
    breaker: BreakerWord
    last_failure: str | None
    budget: int
    waiting: Mapping[Reason, int]
    waited_s: Mapping[Reason, float]
    latency_p50_s: float | None
    latency_p99_s: float | None
    connections_opened: int
    connections_dropped: int


@frozen(kw_only=True)
class Health:
    """Whether the client can be used and whether the server has been answering.

    Attributes:
        ok: it is open, and the last attempt that ended was answered by a healthy server.
        state: ``new``, ``opening``, ``open``, ``closing`` or ``closed``.
        failures_in_a_row: attempts since the last such answer.
        last_failure: the kind of the last of them; None when there is none.
        breaker: ``closed``, ``open`` or ``probing``.
        retry_after_s: seconds until anything may be sent, as gate, breaker and a timetable have it.
    """

    ok: bool
    state: State
    failures_in_a_row: int
    last_failure: str | None
    breaker: BreakerWord
    retry_after_s: float


def stats_of(session: Session) -> ClientStats:
    """What the client has done, and how much of everything is left."""
    counts, traffic, admission = session.counts, session.traffic, session.admission
    now = session.clock()
    return ClientStats(
        lookups=counts.lookups,
        found=counts.found,
        failed=MappingProxyType(dict(counts.failed)),
        joined=counts.joined,
        cancelled=counts.cancelled,
        requests=counts.requests,
        most_per_s=counts.peaks.most_per_s,
        most_per_min=counts.peaks.most_per_min,
        throttled=counts.throttled,
        free_repeats=counts.free_repeats,
        in_progress=counts.in_progress,
        slots=traffic.slots.most,
        slots_in_use=traffic.slots.in_use,
        width=traffic.slots.width,
        rate_per_s=traffic.rate_per_s(now),
        gate_s=traffic.gate.closed_s(now),
        breaker=traffic.breaker.state.value,
        last_failure=counts.last_failure,
        budget=traffic.budget.tokens,
        waiting=MappingProxyType(dict(admission.waiting())),
        waited_s=MappingProxyType(dict(admission.waited_s)),
        latency_p50_s=counts.latency.percentile(50),
        latency_p99_s=counts.latency.percentile(99),
        connections_opened=counts.connections_opened,
        connections_dropped=counts.connections_dropped,
    )


def health_of(session: Session) -> Health:
    """How the client is now."""
    counts, traffic, now = session.counts, session.traffic, session.clock()
    return Health(
        ok=session.state == "open" and counts.failures_in_a_row == 0,
        state=session.state,
        failures_in_a_row=counts.failures_in_a_row,
        last_failure=counts.last_failure,
        breaker=traffic.breaker.state.value,
        retry_after_s=traffic.closed_s(now),
    )
