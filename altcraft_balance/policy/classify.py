"""What happened to an attempt, in the five words that the other policies speak.

``NEVER_SENT``: no connection; nothing left. ``MAYBE_SENT``: it may have left, and no whole reply
came. ``THROTTLED``: the server asked for a pause. ``SERVER_TROUBLE``: a reply that a healthy
server would not have sent. ``FINAL``: asking again would give the same answer.

The call is a pure read, so a repeat is always safe, and all but ``FINAL`` are repeated.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import Final

from altcraft_balance.errors import (
    AltcraftBalanceError,
    ApiError,
    AttemptTimeout,
    ClientClosed,
    ConfigurationError,
    ConnectionFailed,
    HttpStatusError,
    NotAMember,
    RateLimited,
    RedirectRefused,
    TlsRefused,
)
from altcraft_balance.policy.backoff import MAX_PAUSE_S

__all__ = ["What", "asks_too_much", "classify", "is_fatal", "was_dead_on_arrival"]

_FATAL_STATUSES: Final = frozenset({401, 402, 404, 407})


class What(Enum):
    """What happened to an attempt."""

    NEVER_SENT = "never sent"
    MAYBE_SENT = "maybe sent"
    THROTTLED = "throttled"
    SERVER_TROUBLE = "server trouble"
    FINAL = "final"


def classify(error: AltcraftBalanceError) -> What:
    """What `error`, with which an attempt ended, means."""
    if not error.transient:
        return What.FINAL
    if isinstance(error, RateLimited):
        return What.THROTTLED
    if isinstance(error, ConnectionFailed | AttemptTimeout):
        return What.MAYBE_SENT if error.maybe_sent else What.NEVER_SENT
    return What.SERVER_TROUBLE


def is_fatal(error: AltcraftBalanceError, fatal_codes: Collection[int]) -> bool:
    """Whether `error` would meet every other lookup of the run as well.

    A bare HTTP 403 is not fatal: that is a firewall's page, which may concern one address only.
    A wish for a pause is, if nobody sits that out: a day's quota that is used up, say.
    """
    if isinstance(error, NotAMember):
        return False  # an answer about one member, whatever its code
    if isinstance(error, ApiError):
        return error.code in fatal_codes
    if isinstance(error, RateLimited):
        return asks_too_much(error)
    if isinstance(error, RedirectRefused | TlsRefused | ClientClosed | ConfigurationError):
        return True
    return isinstance(error, HttpStatusError) and error.status in _FATAL_STATUSES


def asks_too_much(error: AltcraftBalanceError) -> bool:
    """Whether it asks for a pause that nobody sits out."""
    return isinstance(error, RateLimited) and (error.retry_after_s or 0.0) > MAX_PAUSE_S


def was_dead_on_arrival(error: AltcraftBalanceError) -> bool:
    """Whether a reused connection that ended like this was dead before it was used.

    A server closes idle connections when it likes, and its notice may cross our request on the
    way: a 408, a broken reply or an end before any reply (RFC 9112, section 9.3.1).
    """
    if isinstance(error, HttpStatusError):
        return error.status == 408
    return isinstance(error, ConnectionFailed) and error.transient and error.maybe_sent
