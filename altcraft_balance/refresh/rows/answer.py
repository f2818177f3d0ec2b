"""What came of one query, as the cells of its row. None of them holds the member's address.

An answer is what the checkpoint keeps of a row until it is in the output, so that a run that goes
on asks nobody twice.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final, TypeAlias

from altcraft_balance.errors import (
    AltcraftBalanceError,
    ApiError,
    InvalidQuery,
    NotAMember,
    RateLimited,
)
from altcraft_balance.models import Failed, Found
from altcraft_balance.refresh.port import Cell

__all__ = [
    "ACTIVE",
    "BAD_INPUT",
    "CELLS",
    "CURRENCY",
    "FAILED",
    "FOUND",
    "KIND",
    "NOT_ASKED",
    "NOT_A_MEMBER",
    "STATUS",
    "STATUSES",
    "TEXT",
    "TOTAL",
    "Answer",
    "bad_input",
    "is_trouble",
    "not_asked",
    "of_outcome",
]

#: Total and active balance, currency, program, status, error's kind, code and text, attempts, time.
Answer: TypeAlias = list[Cell]
FOUND: Final = "found"
NOT_A_MEMBER: Final = "not_a_member"
FAILED: Final = "failed"
BAD_INPUT: Final = "bad_input"
NOT_ASKED: Final = "not_asked"
STATUSES: Final = (FOUND, NOT_A_MEMBER, FAILED, BAD_INPUT, NOT_ASKED)
#: How many cells an answer has; some amounts of the run before may follow.
CELLS: Final = 10
#: Where these stand in an answer.
TOTAL: Final = 0
ACTIVE: Final = 1
CURRENCY: Final = 2
STATUS: Final = 4
KIND: Final = 5
TEXT: Final = 7


def of_outcome(
    outcome: Found | Failed,
    currency: str | None,
    program: int | None,
    *,
    refuses: Callable[[str], str | None] | None,
) -> Answer:
    """A lookup's answer; `refuses` says what the sink has against an amount."""
    if not isinstance(outcome, Found):
        return _of_error(outcome, currency, program)
    balance = outcome.balance
    total, active = _plain(balance.total_balance), _plain(balance.active_balance)
    at = _time(balance.looked_up_at)
    if refuses is not None and (why := refuses(total) or refuses(active)):
        return [
            None, None, currency, program, FAILED, "amount_does_not_fit", None, why,
            outcome.attempts, at,
        ]  # fmt: skip
    return [total, active, currency, program, FOUND, None, None, None, outcome.attempts, at]


def _of_error(outcome: Failed, currency: str | None, program: int | None) -> Answer:
    error = outcome.error
    status = _status_of(error)
    code = error.code if isinstance(error, ApiError | RateLimited) else None
    at = _time(datetime.now(UTC))
    return [
        None, None, currency, program, status, error.kind, code, _text(error),
        outcome.attempts, at,
    ]  # fmt: skip


def _plain(amount: Decimal) -> str:
    text = str(amount)
    return format(amount, "f") if "E" in text else text


def _time(moment: datetime) -> str:
    return f"{_second(moment.timestamp() // 1)}.{moment.microsecond // 1000:03}+00:00"


@lru_cache(64)
def _second(timestamp: float) -> str:
    # Thousands of answers share a second, and Python takes long for a time's text.
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _status_of(error: AltcraftBalanceError) -> str:
    if isinstance(error, NotAMember):
        return NOT_A_MEMBER
    return BAD_INPUT if isinstance(error, InvalidQuery) else FAILED


def _text(error: AltcraftBalanceError) -> str:
    return error.text or str(error) if isinstance(error, ApiError) else str(error)


def bad_input(why: str, currency: str | None, program: int | None) -> Answer:
    """The answer of a row of which no query can be made."""
    return [None, None, currency, program, BAD_INPUT, "invalid_query", None, why, 0, None]


def not_asked(currency: str | None, program: int | None) -> Answer:
    """The answer of a row that nobody asked about."""
    return [None, None, currency, program, NOT_ASKED, None, None, None, 0, None]


def is_trouble(answer: Answer) -> bool:
    """Whether its row belongs into the file of errors."""
    return answer[STATUS] not in (FOUND, NOT_A_MEMBER)
