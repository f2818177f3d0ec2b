"""What the demo makes, and whether what came of it is right: each row of it, and their order."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

from attrs import define, field

from altcraft_balance.models import ByEmail
from altcraft_balance.sandbox import Sandbox

__all__ = ["PROGRAM", "Tally", "checked_output", "member", "write_members"]

PROGRAM: Final = 123


def member(number: int) -> str:
    """The address of a member."""
    return f"member{number}@example.com"


def write_members(path: Path, members: int) -> None:
    """Make the input."""
    with path.open("w", encoding="utf-8") as file:
        file.write("email\n")
        file.writelines(f"{member(number)}\n" for number in range(members))


@define
class Tally:
    """What came of the members.

    Attributes:
        members: how many were to be looked up.
        right: rows whose balance is the sandbox's.
        wrong: rows whose balance is not.
        failed: rows without a balance, by the error's kind.
        lost: members without a row.
        doubled: rows beyond a member's first.
        misplaced: rows that do not stand where their member does in the input.
    """

    members: int
    right: int = 0
    wrong: int = 0
    failed: Counter[str] = field(factory=Counter)
    lost: int = 0
    doubled: int = 0
    misplaced: int = 0

    @property
    def all_right(self) -> bool:
        """Whether every member's right balance stands where it belongs, once."""
        return self.right == self.members and not (self.doubled or self.misplaced)

    def count(self, rows: Iterable[Mapping[str, str]], sandbox: Sandbox) -> None:
        """Count all rows, each verified against the sandbox's own function."""
        seen: Counter[str] = Counter()
        for number, row in enumerate(rows):
            seen[row["member"]] += 1
            self.misplaced += row["member"] != member(number)
            if row["status"] != "found":
                self.failed[row["error_kind"]] += 1
            elif _is_right(row, sandbox):
                self.right += 1
            else:
                self.wrong += 1
        self.doubled = seen.total() - len(seen)
        self.lost = sum(member(number) not in seen for number in range(self.members))


def _is_right(row: Mapping[str, str], sandbox: Sandbox) -> bool:
    truth = sandbox.balance_of(ByEmail(row["member"]), loyalty_program_id=PROGRAM)
    amounts = Decimal(row["total_balance"]), Decimal(row["active_balance"])
    return truth is not None and amounts == (truth.total_balance, truth.active_balance)


def checked_output(path: Path, members: int, sandbox: Sandbox) -> Tally:
    """Read the output, and check each row of it."""
    tally = Tally(members)
    with path.open(encoding="utf-8", newline="") as file:
        tally.count(csv.DictReader(file), sandbox)
    return tally
