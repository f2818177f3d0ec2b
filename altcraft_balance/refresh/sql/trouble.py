"""What a database's errors mean: it is away for a while, or what was asked of it cannot be.

Neither SQLAlchemy's text nor a driver's is shown as it is: they quote statements and values.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from altcraft_balance.errors import ConfigurationError

__all__ = ["DatabaseAway", "is_passing", "named", "state_of", "telling"]

#: By PostgreSQL's classes of SQLSTATE: connection, resources, operator, serialization, and what
#: a standby says that is not the primary any more.
#: https://www.postgresql.org/docs/15/errcodes-appendix.html
_PASSING: Final = ("08", "53", "57P", "40", "25006", "55P03")
#: Classes whose texts speak of the schema, the user's own statement or the login, never of values.
_MAY_BE_SHOWN: Final = ("42", "28", "3D", "3F", "0A")

_DRIVERS: Final = frozenset({"asyncpg", "sqlite3", "aiosqlite", "aiomysql", "pymysql"})


class DatabaseAway(ConnectionError):
    """A database was away for longer than one waits: the run goes on when it is back."""


def is_passing(error: BaseException) -> bool:
    """Whether the same may succeed a little later."""
    from sqlalchemy import exc

    if isinstance(error, OSError | TimeoutError | asyncio.IncompleteReadError):
        return True
    if not _is_of_driver(error):
        return isinstance(error, exc.TimeoutError)
    is_lost = getattr(error, "connection_invalidated", False)
    if is_lost or state_of(error).startswith(_PASSING):
        return True
    text = str(_orig(error))
    # SQLite has no codes in its text; a driver's own troubles with a connection have none at all.
    is_busy = "database is locked" in text or "disk is full" in text
    return is_busy or _is_of_interface(error) or "connection" in text


def named(error: BaseException) -> str:
    """`error` in a few words, without a value of anybody's."""
    if isinstance(error, OSError):
        return (error.strerror or "the connection was refused or lost").lower()
    if not _is_of_driver(error):
        return type(error).__name__
    state, text = state_of(error), _text_of(error)
    if state.startswith(_MAY_BE_SHOWN) or (not state and _is_sqlite(error)):
        return text
    if not state and _is_of_interface(error):
        return "the connection was lost"
    return " ".join(filter(None, (_cause(error), state)))


@contextmanager
def telling(where: str) -> Iterator[None]:
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
        if not (isinstance(error, OSError | TimeoutError) or _is_of_driver(error)):
            raise
        text = named(error)
        if is_passing(error):
            trouble = DatabaseAway(111, f"{where} cannot be reached: {text}")
        else:
            trouble = ConfigurationError(f"{where}: {text}")
    raise trouble


def state_of(error: BaseException) -> str:
    """The SQLSTATE of what a driver has raised; "" when it has none."""
    orig = _orig(error)
    return str(getattr(orig, "sqlstate", None) or getattr(orig, "pgcode", None) or "")


def _is_of_driver(error: BaseException) -> bool:
    """Whether it is a driver's: SQLAlchemy lets through what comes while a cursor is read."""
    from sqlalchemy import exc

    return isinstance(error, exc.DBAPIError) or _package_of(error) in _DRIVERS


def _is_of_interface(error: BaseException) -> bool:
    from sqlalchemy import exc

    return isinstance(error, exc.InterfaceError) or type(error).__name__ == "InterfaceError"


def _orig(error: BaseException) -> BaseException:
    return getattr(error, "orig", None) or error


def _package_of(error: BaseException) -> str:
    return type(error).__module__.partition(".")[0]


def _is_sqlite(error: BaseException) -> bool:
    return "sqlite" in _package_of(_orig(error))


def _text_of(error: BaseException) -> str:
    """The driver's first line, without the names of its classes."""
    text = str(_orig(error)).partition("\n")[0]
    return text.rpartition(">: ")[2] if text.startswith("<class") else text


def _cause(error: BaseException) -> str:
    orig = _orig(error)
    return type(orig.__cause__ or orig).__name__
