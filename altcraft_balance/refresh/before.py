"""What the run before knew of a block's rows, looked up before any of them is written.

Afterwards a table knows the new amounts only. So it is kept with the answer, in the checkpoint as
well: a run that goes on compares with the same amounts.
"""

from __future__ import annotations

from collections.abc import Sequence

from altcraft_balance.refresh.desk import Desk
from altcraft_balance.refresh.outputs import Asked
from altcraft_balance.refresh.rows.delta import Previous, keep_previous
from altcraft_balance.refresh.rows.plan import Plan

__all__ = ["Before"]


class Before:
    """Looks rows up in `previous`, at the desk or on the loop, as it is made."""

    def __init__(self, desk: Desk, plan: Plan, previous: Previous) -> None:
        self._desk, self._plan, self._previous = desk, plan, previous

    async def look(self, rows: Sequence[Asked]) -> None:
        """Let each answer of `rows` hold the amounts that came before it."""
        answers = [(row, answer) for row in rows for answer in row.answers]
        keys = [self._plan.key(row.cells, answer) for row, answer in answers]
        amounts = await self._desk.call(self._previous.lookup, keys)
        for (_, answer), before in zip(answers, amounts, strict=True):
            keep_previous(answer, before)
