"""What an event consumer does with the outcomes of its batch: answered, again, hopeless.

Brokers deliver again whatever is not acknowledged, at once and for ever, so a consumer says itself
what becomes of each event: an answer goes on, a trouble that passes is asked again later, and what
would give the same error each time is put aside.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from attrs import field, frozen

from altcraft_balance.errors import NotAMember
from altcraft_balance.models import Failed, Found, Outcome
from altcraft_balance.policy.classify import is_fatal
from altcraft_balance.settings import FATAL_CODES

__all__ = ["SortedOutcomes", "again_after_s", "sort_outcomes"]

_MOST_DOUBLINGS: Final = 32


@frozen(kw_only=True)
class SortedOutcomes:
    """A batch's outcomes, each in one of three lists.

    Attributes:
        answered: balances, and members who are not in the program, which is an answer as well.
        again: what may be answered later; `again_after_s` says when.
        hopeless: what would give the same error each time: a wrong address, say.
    """

    answered: list[Outcome] = field(factory=list)
    again: list[Failed] = field(factory=list)
    hopeless: list[Failed] = field(factory=list)


def sort_outcomes(
    outcomes: Iterable[Outcome], *, fatal_codes: Collection[int] = FATAL_CODES
) -> SortedOutcomes:
    """Sort the outcomes of `BalanceClient.get_balances`.

    Args:
        outcomes: of one batch.
        fatal_codes: as the client has them.

    Raises:
        AltcraftBalanceError: one of them would meet every event, such as a token that is refused,
            or the client is closed: stop, and acknowledge nothing.
    """
    came = SortedOutcomes()
    for outcome in outcomes:
        if isinstance(outcome, Found):
            came.answered.append(outcome)
            continue
        error = outcome.error
        if is_fatal(error, fatal_codes):
            raise error
        if isinstance(error, NotAMember):
            came.answered.append(outcome)
        else:
            (came.again if error.transient else came.hopeless).append(outcome)
    return came


def again_after_s(
    failed: Failed, tries: int = 0, *, base_s: float = 30.0, cap_s: float = 900.0
) -> float:
    """Seconds after which to ask again: they double with each try, and a server's wish counts.

    Args:
        failed: one of `SortedOutcomes.again`.
        tries: how often it was asked again already.
        base_s: of the first time.
        cap_s: the most, but for what the server itself asks.
    """
    wait_s: float = min(cap_s, base_s * 2.0 ** min(tries, _MOST_DOUBLINGS))
    return max(wait_s, failed.error.retry_after_s or 0.0)
