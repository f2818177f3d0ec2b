"""What a database's errors mean: it is away for a while, or what was asked of it cannot be.

Neither SQLAlchemy's text nor a driver's is shown as it is: they quote statements and values.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.secret import HIDDEN

__all__ = [
    "WRITES",
    "DatabaseAway",
    "LockIsHeld",
    "away",
    "is_locked",
    "is_passing",
    "named",
    "telling",
]

#: What asyncpg says when a session has ended: in the middle of an answer, or before.
_CONFUSED: Final = "InternalClientError"
_LOST: Final = (_CONFUSED, "ConnectionDoesNotExistError")
_READ_ONLY: Final = "25006"
WRITES: Final = "the query must be one that reads, and gives rows"
#: By PostgreSQL's classes of SQLSTATE: connection, resources, operator, serialization, and what
#: a standby says that is not the primary any more.
#: https://www.postgresql.org/docs/15/errcodes-appendix.html
_PASSING: Final = ("08", "53", "57P", "40", _READ_ONLY, "55P03")
_SCRUBBED: Final = (HIDDEN,)
#: Classes whose texts speak of the schema, the user's own statement or the login, never of values.
_MAY_BE_SHOWN: Final = ("42", "28", "3D", "3F", "0A")


class DatabaseAway(ConnectionError):
    """A database was away for longer than one waits: the run goes on when it is back."""


class LockIsHeld(TimeoutError):
    """Another session has a lock that we had: it may be our own, which the server has not missed.

    Its text is a sentence of ours.
    """


def is_passing(error: BaseException, *, reads: bool = False) -> bool:
    """Whether the same may succeed a little later.

    Args:
        error: what was raised.
        reads: nothing was to be written: then "read-only" is no standby's word.
    """
    from sqlalchemy import exc

    if isinstance(error, OSError | TimeoutError | asyncio.IncompleteReadError):
        return True
    if not _is_a_databases(error):
        return isinstance(error, exc.TimeoutError)
    if getattr(error, "connection_invalidated", False):
        return True
    if state := _state_of(error):
        return state.startswith(_PASSING) and not (reads and state == _READ_ONLY)
    text = str(_origin(error))
    # SQLite has no codes in its text; a driver's own troubles with a connection have none at all.
    is_full = "disk is full" in text
    is_lost = "connection" in text or _cause(error) == _CONFUSED
    return is_locked(error) or is_full or is_lost or isinstance(error, exc.InterfaceError)


def is_locked(error: BaseException) -> bool:
    """Whether another writes to SQLite's file."""
    return _is_sqlite(error) and "database is locked" in str(_origin(error))


def named(error: BaseException) -> str:
    """`error` in a few words, without a value of anybody's."""
    if isinstance(error, LockIsHeld):
        return str(error)
    if type(error) is TimeoutError and not error.args:
        return "there was no answer in time"
    if isinstance(error, OSError):
        return (error.strerror or "the connection was refused or lost").lower()
    if not _is_a_databases(error):
        return type(error).__name__
    if _cause(error) in _LOST:
        return "the connection was lost"
    state, text = _state_of(error), _text_of(error)
    if state.startswith(_MAY_BE_SHOWN) or (not state and _is_sqlite(error)):
        return text
    return " ".join(filter(None, (_cause(error), state)))


def away(where: str, error: BaseException) -> str:
    """The sentence that says that `where` cannot be worked with now."""
    verb = ":" if isinstance(error, LockIsHeld) else " is away:"
    return f"{where}{verb} {named(error)}"


@contextmanager
def telling(where: str, *, reads: bool = False) -> Iterator[None]:
    """Within it, what a database has against something is one sentence that names `where`.

    Raises:
        DatabaseAway: it cannot be reached now.
        ConfigurationError: what is asked of it cannot be.
    """
    trouble: Exception
    try:
        yield
        return
    except DatabaseAway:
        raise
    except Exception as error:
        if not (_is_a_databases(error) or isinstance(error, OSError | TimeoutError)):
            raise
        text = WRITES if reads and _state_of(error) == _READ_ONLY else named(error)
        if is_passing(error, reads=reads):
            trouble = DatabaseAway(111, f"{where} cannot be reached: {text}")
        else:
            trouble = ConfigurationError(f"{where}: {text}")
        _scrub(error)
    try:
        raise trouble
    finally:
        # A context manager raises while the driver's error is at hand, in whose frames the
        # password and the rows are.
        trouble.__context__ = None


def _scrub(error: BaseException) -> None:
    """Take all texts and frames from `error` and whatever it came of.

    Frames of context managers still have it as a local, and tracebacks may show those.
    """
    left: list[Any] = [error]
    while left:
        found = left.pop()
        if not isinstance(found, BaseException) or found.args == _SCRUBBED:
            continue
        left += [found.__cause__, found.__context__, *vars(found).values()]
        found.args, found.__cause__, found.__context__ = _SCRUBBED, None, None
        found.__traceback__ = None
        for name, value in vars(found).items():
            if not isinstance(value, bool | None):
                setattr(found, name, [] if isinstance(value, list) else None)


def _is_a_databases(error: BaseException) -> bool:
    """Whether SQLAlchemy or a driver says so; some of the latter's errors come as they are."""
    from sqlalchemy import exc

    is_asyncpgs = type(error).__module__.startswith("asyncpg")
    return isinstance(error, exc.DBAPIError) or is_asyncpgs or hasattr(error, "sqlstate")


def _origin(error: Any) -> Any:
    return getattr(error, "orig", error)


def _state_of(error: Any) -> str:
    origin = _origin(error)
    return str(getattr(origin, "sqlstate", None) or getattr(origin, "pgcode", None) or "")


def _is_sqlite(error: Any) -> bool:
    return "sqlite" in type(_origin(error)).__module__


def _text_of(error: Any) -> str:
    """The driver's first line, without the names of its classes."""
    text = str(_origin(error)).partition("\n")[0]
    return text.rpartition(">: ")[2] if text.startswith("<class") else text


def _cause(error: Any) -> str:
    origin = _origin(error)
    return type(origin.__cause__ or origin).__name__
