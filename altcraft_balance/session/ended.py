"""How a lookup ended, as a value: single calls raise its error, batches hand it out."""

from __future__ import annotations

from attrs import frozen

from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.models import Balance, BalanceQuery, Failed, Found, Outcome

__all__ = ["Ended"]


@frozen(kw_only=True)
class Ended:
    """How a lookup ended: `balance` or `error`.

    Attributes:
        halted: the brake ended it while it waited; `error` is its last attempt's, if it had one.
    """

    balance: Balance | None = None
    error: AltcraftBalanceError | None = None
    attempts: int = 0
    requests: int = 0
    elapsed_s: float = 0.0
    halted: bool = False

    def as_outcome(self, query: BalanceQuery, index: int) -> Outcome:
        """This end as an item of a batch."""
        counts = {"attempts": self.attempts, "requests": self.requests}
        if self.balance is not None:
            return Found(
                query=query, index=index, balance=self.balance, elapsed_s=self.elapsed_s, **counts
            )
        if self.error is None:
            raise RuntimeError("a lookup ended with neither a balance nor an error")
        return Failed(
            query=query, index=index, error=self.error, elapsed_s=self.elapsed_s, **counts
        )
