"""The witness: what was answered before, to be asked again when the server must be tested.

A member that always fails cannot find out that the server is well, and would not be known for such
a one while nobody else is asked. So a batch's item that is let through as a test asks the witness
in the place of its own question. The witness may have become such a member itself: each time that
it was asked in vain the item's own question is the next test, which costs no attempt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from altcraft_balance.models import BalanceQuery
from altcraft_balance.session.passes import Pass

if TYPE_CHECKING:
    from altcraft_balance.session.session import Session

__all__ = ["Witness"]


class Witness:
    """One client's witness.

    Attributes:
        query: what was answered with a balance at last; None: nothing was.
    """

    __slots__ = ("_in_vain", "_session", "query")

    def __init__(self, session: Session) -> None:
        self._session = session
        self.query: BalanceQuery | None = None
        self._in_vain = False

    def is_wanted(self, passed: Pass) -> bool:
        """Whether what is sent with `passed` is for everybody's sake.

        That is a batch's test of a server which was there before. When an outage lasts, the
        server may be gone: then everybody asks for himself.
        """
        if passed.call or not passed.is_test or self.query is None:
            return False
        return not self._session.traffic.breaker.is_lasting(self._session.clock())

    def question(self, passed: Pass) -> BalanceQuery | None:
        """What to ask with `passed`; None: the item's own question."""
        if self._in_vain or not self.is_wanted(passed):
            return None
        return self.query

    def was_asked(self, *, in_vain: bool) -> None:
        """It was asked; or, not in vain, somebody else's question was the test."""
        self._in_vain = in_vain
