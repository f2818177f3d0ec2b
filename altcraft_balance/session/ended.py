"""How a lookup ended, as a value: single calls raise its error, batches hand it out."""

from __future__ import annotations

from attrs import define

from altcraft_balance.errors import AltcraftBalanceError, ApiError, RateLimited
from altcraft_balance.models import Balance, BalanceQuery, Failed, Found, Outcome
from altcraft_balance.telemetry.events import LookupEnded

__all__ = ["Ended"]


@define(eq=False)  # not frozen: a batch makes one for every item, and setting is twice as slow then
class Ended:
    """How a lookup ended: `balance` or `error`.

    Attributes:
        halted: the brake ended it while it waited; `error` is its last attempt's, if it had one.
        unsent: so, and its own question was never sent.
    """

    balance: Balance | None = None
    error: AltcraftBalanceError | None = None
    attempts: int = 0
    requests: int = 0
    elapsed_s: float = 0.0
    halted: bool = False
    unsent: bool = False

    def as_event(self, lookup: int, member_ref: str | None = None) -> LookupEnded:
        """This end as an event, of the lookup with that number and of that member."""
        error = self.error
        return LookupEnded(
            lookup=lookup,
            kind=None if error is None else error.kind,
            code=error.code if isinstance(error, ApiError | RateLimited) else None,
            attempts=self.attempts,
            requests=self.requests,
            elapsed_s=self.elapsed_s,
            member_ref=member_ref,
        )

    def as_outcome(self, query: BalanceQuery, index: int) -> Outcome:
        """This end as an item of a batch."""
        if self.balance is not None:
            return Found(
                query=query,
                index=index,
                balance=self.balance,
                attempts=self.attempts,
                requests=self.requests,
                elapsed_s=self.elapsed_s,
            )
        if self.error is None:
            raise RuntimeError("a lookup ended with neither a balance nor an error")
        return Failed(
            query=query,
            index=index,
            error=self.error,
            attempts=self.attempts,
            requests=self.requests,
            elapsed_s=self.elapsed_s,
        )
