"""The retry budget: retries are paid for with tokens that answers bring.

A retry costs 14 of 500 tokens, the figures of botocore 1.44's standard mode: 35 retries may be
unanswered at once, whatever the number of lookups, and a dead server gets no more than that. A
lookup that ends with an answer gives back all that its retries took, and one token more: what
counts is how many retries are in vain, not how many there are, so that a server that fails half
of the time does not stop a batch. botocore gives the last retry's tokens back only; its callers
come from outside and their number is not bounded, as that of a batch's workers is.

A single call that finds the budget empty ends with the error it has. A batch's items are parked
until tokens come; so that they do come when nothing else is under way, one of them is sent unpaid,
as a probe, each 1 to 30 seconds. When that is answered the server is well, whoever has emptied the
budget: members that always fail, say. Then a few retries are worth their tokens, and if those are
in vain the next probe may go at once.
"""

from __future__ import annotations

import math
from typing import Final

from altcraft_balance.policy.backoff import probe_after_s

__all__ = ["CAPACITY", "RETRY_COST", "Budget"]

CAPACITY: Final = 500
RETRY_COST: Final = 14
_FEW: Final = 10 * RETRY_COST  # a herd of parked items should not be let loose on it


class Budget:
    """The tokens of one client.

    Attributes:
        tokens: what there is, from 0 to `CAPACITY`.
    """

    def __init__(self) -> None:
        self.tokens = CAPACITY
        self._probe_at = -math.inf
        self._probed_since = math.inf  # the first probe in vain since the last answer

    def take(self) -> int:
        """The tokens for one retry, taken; 0 when there are not enough of them."""
        if self.tokens < RETRY_COST:
            return 0
        self.tokens -= RETRY_COST
        return RETRY_COST

    def wait_s(self, now: float) -> float:
        """Seconds until a parked item may be sent, paid or as a probe; 0.0 is now."""
        if self.tokens >= RETRY_COST:
            return 0.0
        return max(0.0, self._probe_at - now)

    def spend(self, now: float, draw: float) -> int:
        """Send a parked item: take its tokens; 0 makes it a probe, which costs none."""
        if taken := self.take():
            return taken
        self._probed_since = min(self._probed_since, now)
        self._probe_at = now + probe_after_s(now - self._probed_since, draw)
        return 0

    def give_back(self, taken: int) -> None:
        """A retry was not sent."""
        self.tokens = min(CAPACITY, self.tokens + taken)

    def unasked(self) -> None:
        """A probe was not sent: the next is due at once."""
        self._probe_at = -math.inf

    def answered(self, taken: int) -> None:
        """A lookup ended with an answer; its retries had taken so many tokens."""
        self._probed_since = math.inf
        if self.tokens < CAPACITY:
            self.tokens = min(CAPACITY, self.tokens + taken + 1)

    def refill(self) -> None:
        """The outage that emptied it is over."""
        self.tokens, self._probe_at, self._probed_since = CAPACITY, -math.inf, math.inf

    def trust(self) -> None:
        """The server was seen to be well: a few retries are paid for, and the next probe is due."""
        self.tokens = max(self.tokens, _FEW)
        self._probe_at, self._probed_since = -math.inf, math.inf
