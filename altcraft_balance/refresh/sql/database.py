"""A database: where it is, how it is reached, and what its errors mean to a run."""

from __future__ import annotations

import hashlib
import importlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.secret import HiddenStr, Secret

if TYPE_CHECKING:
    from sqlalchemy import URL
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["Database", "sqlalchemy_for"]

_DRIVERS: Final = {
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
    "mysql": "mysql+aiomysql",
    "mariadb": "mariadb+aiomysql",
}
_LOGGED_AS: Final = "altcraft_balance"
_CONNECT_S: Final = 10.0
#: A server that says nothing for so long is taken for one that is away.
_COMMAND_S: Final = 120.0
_EXAMPLES: Final = "such as postgresql://user@host:5432/database or sqlite:///members.db"


def sqlalchemy_for(what: str) -> Any:
    """SQLAlchemy with its asyncio part, for `what`.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        importlib.import_module("sqlalchemy.ext.asyncio")
        importlib.import_module("greenlet")
        return importlib.import_module("sqlalchemy")
    except ModuleNotFoundError:
        pass
    raise ConfigurationError(
        f"{what} needs the extra 'sql': python -m pip install 'altcraft-balance[sql]'"
    )


class Database:
    """A database by its DSN, which is kept like a token.

    Args:
        dsn: SQLAlchemy's URL of it, or a `Secret` that holds one; a driver need not be named.
        what: who wants it, for the sentence when SQLAlchemy is missing.

    Attributes:
        shown: the URL without password and options, for people.
        dialect: ``postgresql``, ``sqlite`` or another.

    Raises:
        ConfigurationError: it is no such URL, or its driver is missing or cannot be awaited.
    """

    def __init__(self, dsn: str | Secret, what: str) -> None:
        sqlalchemy = sqlalchemy_for(what)
        self._url: URL = _url_of(sqlalchemy, dsn)
        self.dialect = self._url.get_backend_name()
        url = self._url  # anew: set(password=None) leaves the password as it is
        plain = sqlalchemy.URL.create(
            self.dialect, url.username, None, url.host, url.port, url.database
        )
        self.shown = plain.render_as_string(hide_password=True)
        self._check_driver()

    def __repr__(self) -> str:
        return f"Database({self.shown})"

    @property
    def file(self) -> str | None:
        """The path of a database that is a file of its own."""
        name = self._url.database
        return name if self.dialect == "sqlite" and name and name != ":memory:" else None

    @property
    def is_missing(self) -> bool:
        """Whether it is a file of its own that is not there."""
        return self.file is not None and not Path(self.file).exists()

    def fingerprint(self, *texts: str) -> str:
        """Which database it is, together with `texts`."""
        content = "\0".join((self.shown, *texts))
        return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()

    def engine(self) -> AsyncEngine:
        """Opens a connection each time it is asked for one, and closes it when it is given back."""
        from sqlalchemy.ext.asyncio import create_async_engine
        from sqlalchemy.pool import NullPool

        # SQLAlchemy shows rows to whoever wants to debug it: not ours, they are members' addresses.
        logging.getLogger(f"sqlalchemy.engine.Engine.{_LOGGED_AS}").setLevel(logging.WARNING)
        return create_async_engine(
            self._url,
            poolclass=NullPool,
            logging_name=_LOGGED_AS,
            hide_parameters=True,  # likewise, in what its errors say
            connect_args=self._connect_args(),
        )

    def _connect_args(self) -> dict[str, Any]:
        if self._url.get_driver_name() == "asyncpg":
            return {"timeout": _CONNECT_S, "command_timeout": _COMMAND_S}
        return {"timeout": _CONNECT_S} if self.dialect == "sqlite" else {}

    def _check_driver(self) -> None:
        trouble = ""
        try:
            dialect = self._url.get_dialect()
            dialect.import_dbapi()
            if not dialect.is_async:
                trouble = (
                    f"the driver {self._url.drivername} cannot be awaited: leave it out, or name "
                    "an async one"
                )
        except ModuleNotFoundError as error:
            trouble = f"{self._url.drivername} needs the package {error.name}: install it"
        except Exception as error:  # noqa: BLE001 - SQLAlchemy knows no such dialect
            trouble = f"no database is known by the name {self.dialect} ({type(error).__name__})"
        if trouble:
            raise ConfigurationError(trouble)


def _url_of(sqlalchemy: Any, dsn: str | Secret) -> URL:
    text, trouble = _revealed(dsn)
    if not trouble:
        try:
            scheme, _, rest = text.partition("://")
            return sqlalchemy.make_url(HiddenStr(f"{_DRIVERS.get(scheme, scheme)}://{rest}"))  # type: ignore[no-any-return]
        except (sqlalchemy.exc.ArgumentError, ValueError):
            trouble = "is not a database's URL"
    raise ConfigurationError(f"dsn {trouble}: give one {_EXAMPLES}")


def _revealed(dsn: str | Secret) -> tuple[HiddenStr, str]:
    """The URL, and what is wrong with it in a few words."""
    text, trouble = dsn.look_up() if isinstance(dsn, Secret) else (dsn, "")
    if not trouble and not (isinstance(text, str) and "://" in text):
        trouble = "is not a database's URL"  # it may be a password alone
    return HiddenStr("" if trouble else text), trouble
