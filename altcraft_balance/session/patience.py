"""How long a lookup may take, and what ends its waits: its deadline, and the brake."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from altcraft_balance.errors import AltcraftBalanceError, ClientClosed
from altcraft_balance.session.brake import Brake, Halted
from altcraft_balance.session.refused import Phase, late

if TYPE_CHECKING:
    from altcraft_balance.session.session import Session

__all__ = ["Over", "Patience"]

_T = TypeVar("_T")


class Over(Exception):
    """The lookup ends with `error`, without another attempt."""

    def __init__(self, error: AltcraftBalanceError) -> None:
        super().__init__()
        self.error = error


class Patience:
    """One lookup's time.

    Args:
        session: whose clock and limits are used.
        started: when it was called or taken, on the loop's clock.
        deadline: when it must have ended, on the loop's clock; None: no limit.
        brake: ends it while it waits.
        call: whether a single call waits for it, or a batch.
    """

    __slots__ = ("_call", "_session", "brake", "deadline", "started")

    def __init__(
        self,
        session: Session,
        started: float,
        deadline: float | None,
        brake: Brake,
        call: bool,
    ) -> None:
        self._session, self._call = session, call
        self.started, self.deadline, self.brake = started, deadline, brake

    def is_hopeless(self, now: float) -> bool:
        """Whether so much was waited that no answer has ever come as fast as it would have to."""
        if self.deadline is None:
            return False
        left_s, fastest_s = self.deadline - now, self._session.counts.fastest_s
        if not self._call or left_s >= fastest_s:
            return left_s <= 0
        return left_s <= 0 or fastest_s < self.deadline - self.started

    async def within(
        self,
        phase: Callable[[], Phase],
        wait: Callable[[], Awaitable[_T]],
        last: AltcraftBalanceError | None,
    ) -> _T:
        """What `wait()` gives, unless the brake or the deadline ends it before, in that phase.

        Raises:
            Halted: the brake was pulled.
            Over: the deadline came; the error names `last`, the last attempt's.
        """
        if self.deadline is None:
            with self.brake.waiting():
                return await wait()
        try:
            with self.brake.waiting(), self._session.limits.until(self.deadline):
                return await wait()
        except TimeoutError:
            too_late = late(phase(), last)
        raise Over(too_late)

    def check(self) -> None:
        """Raise `Halted` when the brake is pulled: nothing more is sent."""
        if self.brake.reason is not None:
            raise Halted

    def why_halted(self, last: AltcraftBalanceError | None) -> AltcraftBalanceError:
        """The error of a lookup that the brake has ended."""
        reason = self.brake.reason
        if last is not None:
            return last
        if isinstance(reason, AltcraftBalanceError):
            return reason
        return ClientClosed("the run ended before this lookup was sent")
