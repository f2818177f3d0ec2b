"""What a lookup tells of itself while it goes on, to those who listen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.models import BalanceQuery
from altcraft_balance.session.admission import Told
from altcraft_balance.session.passes import Reason
from altcraft_balance.telemetry.events import (
    LookupCancelled,
    LookupStarted,
    RetryPlanned,
    Waited,
)

if TYPE_CHECKING:
    from altcraft_balance.session.session import Session

__all__ = ["tell_cancel", "tell_retry", "tell_start", "tells_waits"]


def tell_start(session: Session, lookup: int, query: BalanceQuery, *, call: bool) -> None:
    """It was called, or taken from a batch's source."""
    if session.emit is not None:
        session.emit(LookupStarted(lookup=lookup, call=call, member_ref=session.ref_of(query)))


def tells_waits(session: Session, lookup: int) -> Told | None:
    """What hears of its waits, if anybody listens."""
    emit = session.emit
    if emit is None:
        return None

    def told(reason: Reason, wait_s: float) -> None:
        emit(Waited(lookup=lookup, reason=reason, wait_s=wait_s))

    return told


def tell_retry(
    session: Session, lookup: int, query: BalanceQuery, error: AltcraftBalanceError, wait_s: float
) -> None:
    """It has failed with `error`, and asks again in `wait_s` seconds."""
    if session.emit is not None:
        session.emit(
            RetryPlanned(
                lookup=lookup,
                wait_s=wait_s,
                kind=error.kind,
                retry_after_s=error.retry_after_s,
                member_ref=session.ref_of(query),
            )
        )


def tell_cancel(session: Session, lookup: int, requests: int, started: float) -> None:
    """Whoever wanted it wants it no more."""
    if session.emit is not None:
        elapsed_s = session.clock() - started
        session.emit(LookupCancelled(lookup=lookup, requests=requests, elapsed_s=elapsed_s))
