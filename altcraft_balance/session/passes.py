"""The words between the queue and the policies: whose turn it is, what stops it, leave to send."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal, TypeAlias

from attrs import Factory, field, frozen

__all__ = ["Obstacle", "Pass", "Rank", "Reason"]

Reason: TypeAlias = Literal["backoff", "breaker", "gate", "slot", "budget", "rate"]


class Rank(IntEnum):
    """Who goes first: single calls, then a batch's items that have failed, then new ones."""

    CALL = 0
    RETRY = 1
    ITEM = 2


@frozen
class Obstacle:
    """What is in the way, and for how many seconds at least; `math.inf` is unknown."""

    reason: Reason
    wait_s: float


@frozen
class Pass:
    """The right to send one attempt.

    Attributes:
        call: whether a single call has it.
        probe: whether it is the breaker's probe.
        paid: retry tokens that come back when it is answered.
        unpaid: whether it is a retry that goes unpaid, to find out whether retries are worth it.
        is_test: whether it is sent for everybody's sake, to find out how the server is.
    """

    call: bool
    probe: bool = False
    paid: int = 0
    unpaid: bool = False
    is_test: bool = field(
        init=False, default=Factory(lambda self: self.probe or self.unpaid, takes_self=True)
    )
