"""What an attempt's end means for everybody: the policies are told, and its slot is free."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from altcraft_balance.errors import AltcraftBalanceError, AttemptTimeout
from altcraft_balance.models import Balance
from altcraft_balance.policy.classify import What, classify
from altcraft_balance.session.passes import Pass

if TYPE_CHECKING:
    from altcraft_balance.session.session import Session

__all__ = ["finish"]

_FAIR_S: Final = 0.2
_FAIR_TIMES: Final = 3.0  # what answers usually take
_CLOCK_STEP_S: Final = 1e-6


def finish(
    session: Session,
    passed: Pass,
    result: Balance | AltcraftBalanceError | None,
    sent_at: float,
    taken: int,
    paid: int,
) -> None:
    """Tell the policies how an attempt ended, and give its slot back.

    Args:
        session: whose policies and counters are told.
        passed: the pass with which it was sent.
        result: what came of it; None when that says nothing about the server.
        sent_at: when it was sent, on the loop's clock.
        taken: the tokens that the lookup's retries have taken.
        paid: those of them that were taken for this attempt.
    """
    now = session.clock()
    if isinstance(result, Balance):
        _answered(session, passed, now, sent_at, taken)
    elif result is None or _was_cut_short(session, result, now - sent_at):
        session.traffic.silent(passed, now, paid=paid if result is None else 0)
    else:
        _ended_with(result, session, passed, now, sent_at, taken)
    session.admission.leave(now)


def _was_cut_short(session: Session, error: AltcraftBalanceError, took_s: float) -> bool:
    """Whether it ran out of its caller's time, which was short for an answer of this server.

    That says more of the caller than of the server.
    """
    if _patience_s(session, error, took_s) == math.inf:
        return False
    usual_s = max(session.counts.latency.percentile(50) or 0.0, session.counts.recent_s)
    return took_s < max(_FAIR_S, _FAIR_TIMES * usual_s) - _CLOCK_STEP_S


def _patience_s(session: Session, error: AltcraftBalanceError, took_s: float) -> float:
    """Seconds that its caller gave it; `math.inf` when it was not the caller who ended it."""
    if not isinstance(error, AttemptTimeout):
        return math.inf
    limits = session.settings.timeouts
    its_own_s = limits.attempt_s if error.maybe_sent else min(limits.attempt_s, limits.connect_s)
    return took_s if took_s < its_own_s - _CLOCK_STEP_S else math.inf


def _answered(session: Session, passed: Pass, now: float, sent_at: float, taken: int) -> None:
    traffic = session.traffic
    session.counts.answered(now - sent_at)
    traffic.answered(passed, now, sent_at, taken)
    if traffic.adaptive:
        width = traffic.width
        width.note(now, now - sent_at, traffic.slots.in_use)
        if now >= width.due_at:
            session.look_at_lag()


def _ended_with(
    error: AltcraftBalanceError,
    session: Session,
    passed: Pass,
    now: float,
    sent_at: float,
    taken: int,
) -> None:
    what = classify(error)
    # A final error without a reply, such as TLS refused, is no healthy server's answer.
    if what is What.FINAL and error.maybe_sent:
        _answered(session, passed, now, sent_at, taken)
        return
    session.counts.troubled(error.kind)
    draw = session.rng.random()
    if what is What.THROTTLED:
        session.counts.throttled += 1
        stopped = session.traffic.throttled(
            passed, now, sent_at=sent_at, asked_s=error.retry_after_s, draw=draw
        )
    else:
        stopped = session.traffic.failed(
            passed,
            now,
            replied=what is What.SERVER_TROUBLE,
            draw=draw,
            patience_s=_patience_s(session, error, now - sent_at),
            doubt=session.witness.query is not None and not passed.call,
        )
        if session.traffic.adaptive and isinstance(error, AttemptTimeout) and error.maybe_sent:
            session.traffic.width.note(
                now, now - sent_at, session.traffic.slots.in_use, answered=False
            )
    if stopped:
        session.refuse_hopeless()
