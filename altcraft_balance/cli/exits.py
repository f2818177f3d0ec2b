"""Exit codes: one table for every command.

69, 74, 75 and 77 are those of sysexits.h (EX_UNAVAILABLE, EX_IOERR, EX_TEMPFAIL, EX_NOPERM).
"""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import Final

from altcraft_balance.errors import (
    AltcraftBalanceError,
    ApiError,
    AttemptTimeout,
    ConfigurationError,
    ConnectionFailed,
    DeadlineExceeded,
    HttpStatusError,
    InvalidQuery,
    NotAMember,
)

__all__ = ["MEANINGS", "CannotWrite", "ExitCode", "code_of"]


class CannotWrite(Exception):
    """A file cannot be written; the sentence says which, and why."""


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    BUG = 1
    USAGE = 2
    FAILURES = 3
    NOT_A_MEMBER = 4
    UNREACHABLE = 69
    CANNOT_WRITE = 74
    STOPPED = 75
    REFUSED = 77


#: The table as ``--help`` shows it.
MEANINGS: Final = MappingProxyType(
    {
        ExitCode.DONE: "done",
        ExitCode.BUG: "a bug in this program",
        ExitCode.USAGE: "wrong usage, settings or files",
        ExitCode.FAILURES: "an error; of a refresh: more failed than may fail",
        ExitCode.NOT_A_MEMBER: "the member is not in the program (get)",
        ExitCode.UNREACHABLE: "the server cannot be reached",
        ExitCode.CANNOT_WRITE: "a file cannot be written; run it again",
        ExitCode.STOPPED: "stopped: a signal, its time, a database away; run it again",
        ExitCode.REFUSED: "the server refuses the token, the account or everybody",
    }
)
# 407 is a proxy's way to say 401; the envelope has no such code.
_REFUSALS: Final = frozenset({401, 402, 403, 407})


def code_of(error: AltcraftBalanceError) -> ExitCode:
    """The exit code of a command that `error` ended."""
    if isinstance(error, ConfigurationError | InvalidQuery):
        return ExitCode.USAGE
    if isinstance(error, NotAMember):
        return ExitCode.NOT_A_MEMBER
    if _is_unreachable(error):
        return ExitCode.UNREACHABLE
    return ExitCode.REFUSED if _is_refusal(error) else ExitCode.FAILURES


def _is_unreachable(error: AltcraftBalanceError) -> bool:
    if isinstance(error, DeadlineExceeded):
        return error.last_error is None or _is_unreachable(error.last_error)
    return isinstance(error, ConnectionFailed | AttemptTimeout)


def _is_refusal(error: AltcraftBalanceError) -> bool:
    if isinstance(error, ApiError):
        return error.code in _REFUSALS
    return isinstance(error, HttpStatusError) and error.status in _REFUSALS
