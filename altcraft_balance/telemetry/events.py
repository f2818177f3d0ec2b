"""What a client tells while it works: one stream of frozen events.

An event holds neither a token nor a member's address, so a reader may log every one of them.
Without a listener no event is even made. Times are seconds; `lookup` is a serial number within
one client.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeAlias

from attrs import frozen

__all__ = [
    "AttemptEnded",
    "BreakerChanged",
    "Closed",
    "ConnectionChanged",
    "Event",
    "GateClosed",
    "Listener",
    "LookupEnded",
    "LookupStarted",
    "Opened",
    "RateStoreChanged",
    "RetryPlanned",
    "TokenReloaded",
    "WidthChanged",
    "deaf_to_errors",
]


@frozen(kw_only=True)
class Opened:
    """The client is open."""


@frozen(kw_only=True)
class Closed:
    """The client is closed; `unfinished` lookups were cut off when its grace was over."""

    unfinished: int


@frozen(kw_only=True)
class LookupStarted:
    """A lookup was called, or taken from a batch's source."""

    lookup: int


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


@frozen(kw_only=True)
class LookupEnded:
    """A lookup's end; `kind` and `code` are its error's, None for a balance."""

    lookup: int
    kind: str | None
    code: int | None
    attempts: int
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
    | AttemptEnded
    | RetryPlanned
    | LookupEnded
    | ConnectionChanged
    | TokenReloaded
    | GateClosed
    | BreakerChanged
    | WidthChanged
    | RateStoreChanged
)
Listener: TypeAlias = Callable[[Event], object]


def deaf_to_errors(listener: Callable[[Any], object], name: str = "on_event") -> Any:
    """`listener`, whose exceptions are logged once and then ignored: it may not break a lookup."""
    complained = False

    def tell(event: Any) -> None:
        nonlocal complained
        try:
            listener(event)
        except Exception as error:  # noqa: BLE001 - whatever it raises, the lookup goes on
            if not complained:
                complained = True
                logging.getLogger("altcraft_balance").error(
                    "the %s listener raised %s; further errors of it are not logged",
                    name,
                    type(error).__name__,
                )

    return tell
