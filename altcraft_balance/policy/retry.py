"""Whether a lookup asks again, and when: one decision, made from values.

- ``FINAL`` stops.
- Attempts that failed count against `max_attempts`, unless they tested the server in an outage.
  Throttled ones cost time only, and how much is the gate's to say, for everybody: the lookup itself
  does not sleep.
- A wait that ends at or after the deadline is not begun: `DeadlineExceeded`, at once.
- A pause longer than 15 minutes that the server asks for is not sat out; its error comes back.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from attrs import frozen

from altcraft_balance.errors import AltcraftBalanceError, DeadlineExceeded
from altcraft_balance.policy.backoff import MAX_PAUSE_S, backoff_s
from altcraft_balance.policy.classify import What, classify
from altcraft_balance.settings import RetryPolicy

__all__ = ["BEGUN", "Again", "Progress", "Stop", "after_failure", "attempt_limit_s"]


@frozen
class Progress:
    """How far one lookup has come.

    Attributes:
        attempts: attempts that count against ``max_attempts``.
        put_off: requests that cost no attempt: throttled ones, and tests of the server.
    """

    attempts: int = 0
    put_off: int = 0

    def attempted(self) -> Progress:
        """With one attempt more."""
        return Progress(self.attempts + 1, self.put_off)

    def spared(self) -> Progress:
        """With one request more that costs no attempt."""
        return Progress(self.attempts, self.put_off + 1)


#: Where every lookup begins; nearly all come no further.
BEGUN: Final = Progress()


@frozen
class Again:
    """Ask again after `wait_s` seconds, with this `progress`."""

    wait_s: float
    progress: Progress


@frozen
class Stop:
    """Do not ask again; `error` is the lookup's end."""

    error: AltcraftBalanceError
    progress: Progress


Decision: TypeAlias = Again | Stop


def after_failure(
    policy: RetryPolicy,
    progress: Progress,
    error: AltcraftBalanceError,
    *,
    left_s: float | None,
    draw: float,
    spare: bool = False,
) -> Decision:
    """What follows the failure of an attempt.

    Args:
        policy: the limits.
        progress: how far the lookup had come before this attempt.
        error: how the attempt ended.
        left_s: seconds until the lookup's deadline; None without one.
        draw: a number from 0 up to 1, drawn by the caller.
        spare: the attempt was sent for everybody's sake; its failure does not count.
    """
    what = classify(error)
    throttled = what is What.THROTTLED
    spare = throttled or (spare and what is not What.FINAL)
    progress = progress.spared() if spare else progress.attempted()
    if what is What.FINAL:
        return Stop(error, progress)
    if left_s is not None and left_s <= 0:
        return Stop(_out_of_time(error, 0.0, phase="attempt"), progress)
    if progress.attempts >= policy.max_attempts:
        return Stop(error, progress)
    asked_s = error.retry_after_s or 0.0
    if asked_s > MAX_PAUSE_S:
        return Stop(error, progress)
    wait_s = asked_s if throttled else asked_s + backoff_s(policy, progress.attempts, draw)
    if left_s is not None and wait_s >= left_s:
        phase = "gate" if throttled else "backoff"
        return Stop(_out_of_time(error, wait_s, phase=phase), progress)
    return Again(0.0 if throttled else wait_s, progress)


def attempt_limit_s(attempt_s: float, left_s: float | None) -> float:
    """Seconds that one attempt may take: its own limit, or what is left of the lookup's."""
    return attempt_s if left_s is None else min(attempt_s, left_s)


def _out_of_time(error: AltcraftBalanceError, wait_s: float, *, phase: str) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"no time for another attempt before the deadline; the last one: {error}",
        phase=phase,
        last_error=error,
        retry_after_s=error.retry_after_s if error.retry_after_s is not None else wait_s,
        maybe_sent=error.maybe_sent,
    )
