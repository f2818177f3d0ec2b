"""What a client tells while it works: one stream of frozen events.

An event holds neither a token nor a member's address, so a reader may log every one of them.
Without a listener no event is even made. Times are seconds; `lookup` is a serial number within
one client.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from attrs import frozen

__all__ = [
    "AttemptEnded",
    "BreakerChanged",
    "Closed",
    "ConnectionChanged",
    "Event",
    "GateClosed",
    "Listener",
    "LookupCancelled",
    "LookupEnded",
    "LookupStarted",
    "Opened",
    "RateStoreChanged",
    "RetryPlanned",
    "TokenReloaded",
    "Waited",
    "WidthChanged",
]


@frozen(kw_only=True)
class Opened:
    """The client is open; `base_url` is where it asks, as it was given."""

    base_url: str


@frozen(kw_only=True)
class Closed:
    """The client is closed; `unfinished` lookups were cut off when its grace was over."""

    unfinished: int


@frozen(kw_only=True)
class LookupStarted:
    """A lookup was called, or taken from a batch's source.

    Attributes:
        call: whether a single call waits for it, and no batch.
        member_ref: eight hexadecimal digits that are the same for the same member, and of which
            nobody makes the member without the client's `log_key`; None without such a key.
    """

    lookup: int
    call: bool = True
    member_ref: str | None = None


@frozen(kw_only=True)
class Waited:
    """The lookup has waited for its turn to send, or has slept before a repeat.

    `reason` is the first thing that stood in its way, as in `ClientStats.waiting`.
    """

    lookup: int
    reason: str
    wait_s: float


@frozen(kw_only=True)
class AttemptEnded:
    """One request and what came of it.

    Attributes:
        status: the HTTP status; None when no reply came.
        kind: the error's kind; None for a balance.
        free_repeat: it repeated a request that met a dead reused connection.
        test: it tested the server by what was answered before, in the place of its own question.
    """

    lookup: int
    elapsed_s: float
    status: int | None
    kind: str | None
    free_repeat: bool
    test: bool = False


@frozen(kw_only=True)
class RetryPlanned:
    """The lookup waits before it asks again; `retry_after_s` is what the server asked for."""

    lookup: int
    wait_s: float
    kind: str
    retry_after_s: float | None
    member_ref: str | None = None


@frozen(kw_only=True)
class LookupEnded:
    """A lookup's end; `kind` and `code` are its error's, None for a balance."""

    lookup: int
    kind: str | None
    code: int | None
    attempts: int
    requests: int
    elapsed_s: float
    member_ref: str | None = None


@frozen(kw_only=True)
class LookupCancelled:
    """A lookup's end as well: whoever wanted it was cancelled, or has left the stream."""

    lookup: int
    requests: int
    elapsed_s: float


@frozen(kw_only=True)
class ConnectionChanged:
    """``connected``, ``dropped_when_taken`` or ``dropped_when_written`` (see `transport.port`)."""

    what: str


@frozen(kw_only=True)
class TokenReloaded:
    """The token's file or callable gave another token."""


@frozen(kw_only=True)
class GateClosed:
    """The server asks for a pause: nobody on this client sends for `pause_s` seconds."""

    pause_s: float


@frozen(kw_only=True)
class BreakerChanged:
    """The breaker is ``open``, ``probing`` or ``closed``; open, for `retry_after_s` at least."""

    state: str
    retry_after_s: float | None


@frozen(kw_only=True)
class WidthChanged:
    """So many requests may be on the way at once from now on."""

    width: int


@frozen(kw_only=True)
class RateStoreChanged:
    """The store of a shared rate went away, or is back; without it, `rate_per_s` is ours."""

    away: bool
    rate_per_s: float


Event: TypeAlias = (
    Opened
    | Closed
    | LookupStarted
    | Waited
    | AttemptEnded
    | RetryPlanned
    | LookupEnded
    | LookupCancelled
    | ConnectionChanged
    | TokenReloaded
    | GateClosed
    | BreakerChanged
    | WidthChanged
    | RateStoreChanged
)
Listener: TypeAlias = Callable[[Event], object]
