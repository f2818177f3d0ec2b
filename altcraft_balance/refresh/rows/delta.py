"""Which answers differ from those of the run before: by number, not by how it is written. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, Protocol, TypeAlias

from altcraft_balance.refresh.port import Cell, Column
from altcraft_balance.refresh.rows.answer import CELLS, FOUND, NOT_A_MEMBER, STATUS, Answer

__all__ = [
    "PREVIOUS",
    "Amounts",
    "Previous",
    "RowKey",
    "amounts_before",
    "has_changed",
    "keep_previous",
]

#: What a row is known by: the key's or the member's cell, the program, the currency.
RowKey: TypeAlias = tuple[Cell, Cell, Cell]
#: The total and the active balance, as text.
Amounts: TypeAlias = tuple[str | None, str | None]
#: What the changes have beside the output's columns.
PREVIOUS: Final = (
    Column("previous_total_balance", "amount", "previous_total_balance"),
    Column("previous_active_balance", "amount", "previous_active_balance"),
)
_NOTHING: Final[Amounts] = (None, None)


class Previous(Protocol):
    """Knows the amounts of the run before; its methods may be async.

    Attributes:
        key: the column by which it knows rows; None: the member's.
        fingerprint: what it is; known after `describe`.
    """

    key: str | None
    fingerprint: str

    def describe(self) -> Any:
        """Look at what there is; called once, before anything else."""
        return None

    def build(self) -> Any:
        """Make ready for `lookup`."""
        return None

    def close(self) -> Any:
        """Let go of everything."""
        return None

    def interrupt(self) -> None:
        """Whatever it is doing shall end soon; may be called from another thread."""
        return

    def lookup(self, keys: Sequence[RowKey]) -> Any:
        """The amounts of each of `keys`, as a list; None where that run had none."""
        ...


def keep_previous(answer: Answer, amounts: Amounts | None) -> None:
    """Let `answer` hold what came before it, wherever it is kept until its row is written."""
    del answer[CELLS:]
    answer.extend(amounts or _NOTHING)


def amounts_before(answer: Answer) -> list[Cell]:
    """The total and the active balance that `answer` holds from before."""
    return answer[CELLS:]


def has_changed(answer: Answer) -> bool:
    """Whether the amounts of `answer` differ from those that it holds from before."""
    if answer[STATUS] not in (FOUND, NOT_A_MEMBER):
        return False
    now, before = answer[:2], amounts_before(answer)
    return now != before and list(map(_number, now)) != list(map(_number, before))


def _number(amount: Cell) -> Decimal | None:
    return None if amount is None else Decimal(str(amount))
