"""The errors of lookups that end without another attempt, for want of time or of hope."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from altcraft_balance.errors import AltcraftBalanceError, CircuitOpen, DeadlineExceeded
from altcraft_balance.session.admission import Refusal
from altcraft_balance.session.passes import Reason

__all__ = ["Phase", "circuit_open", "late", "refused"]

#: What a lookup waited for when its time was up.
Phase: TypeAlias = Reason | Literal["attempt", "token"]

_LATE: Final[dict[Phase, str]] = {
    "attempt": "the time that was left before the deadline is too short for an answer",
    "backoff": "the deadline came before the repeat",
    "slot": "no slot was free before the deadline: raise concurrency",
    "token": "the deadline came while the token was fetched",
    "gate": "the server asked for a pause that outlasts the deadline",
    "rate": "the agreed rate leaves no turn before the deadline",
    "breaker": "the server has been failing, and is not asked before the deadline",
    "budget": "the retry budget is empty, and leaves no turn before the deadline",
}


def late(
    phase: Phase, last: AltcraftBalanceError | None, retry_after_s: float | None = None
) -> DeadlineExceeded:
    """The time is up, or will be before anything can be sent.

    Args:
        phase: what the time went to, or would go to.
        last: the error of the last attempt, if one was made.
        retry_after_s: seconds after which asking again may help, when that is known.
    """
    said = _LATE[phase]
    return DeadlineExceeded(
        said if last is None else f"{said}; the last attempt: {last}",
        phase=phase,
        last_error=last,
        retry_after_s=retry_after_s,
        maybe_sent=last is not None and last.maybe_sent,
    )


def circuit_open(closed_s: float, failure: str | None) -> CircuitOpen:
    """The server has been failing, with `failure` at last, and is asked again after `closed_s`.

    Without a `failure` a late answer came since, to what was sent before.
    """
    last = "" if failure is None else f" (last with {failure})"
    return CircuitOpen(
        f"the server has been failing{last} and is not asked for now: "
        f"try again in {max(0.1, closed_s):.1f} s",
        retry_after_s=closed_s,
    )


def refused(
    refusal: Refusal,
    last: AltcraftBalanceError | None,
    *,
    call: bool,
    closed_s: float,
    failure: str | None,
) -> AltcraftBalanceError:
    """What a lookup ends with that was not let through.

    Args:
        refusal: what was in the way, and for how long.
        last: the error of its last attempt, if one was made.
        call: whether it is a single call.
        closed_s: seconds for which nobody may send.
        failure: the kind of the last attempt's failure, whosever it was.
    """
    if not call or refusal.reason != "breaker":
        return late(refusal.reason, last, refusal.wait_s)
    if last is None:
        return circuit_open(closed_s, failure)
    if last.retry_after_s is None:  # it was asked, and its own failure says more
        last.retry_after_s = closed_s
    return last
