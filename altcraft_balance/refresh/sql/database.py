"""A database: where it is, how it is reached, and what its errors mean to a run."""

from __future__ import annotations

import hashlib
import importlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.secret import HiddenStr, Secret

if TYPE_CHECKING:
    from sqlalchemy import URL
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["Database", "cut", "hidden", "sqlalchemy_for"]

_DRIVERS: Final = {
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
    "mysql": "mysql+aiomysql",
    "mariadb": "mariadb+aiomysql",
}
_LOGGED_AS: Final = "altcraft_balance"
_CONNECT_S: Final = 10.0
#: SQLite's driver waits for another writer in its thread, where nobody can interrupt it: whoever
#: waits for longer tries again.
_BUSY_S: Final = 0.5
#: A server that says nothing for so long is taken for one that is away.
_COMMAND_S: Final = 120.0
#: Of a URL's query: what says where the database is, beside the host and the path.
_PLACES: Final = ("host", "port", "database", "unix_socket")
_UNQUOTED: Final = "the dsn has an '@', ':' or '/' that must be percent-encoded (%40, %3A, %2F)"
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
        self.shown = ""  # for repr, when there is no more of it
        dsn = hidden(dsn)
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

    def is_missing(self) -> bool:
        """Whether it is a file of its own that is not there; for a thread, as it asks the disk."""
        return self.file is not None and not Path(self.file).exists()

    def fingerprint(self, *texts: str) -> str:
        """Which database it is, together with `texts`."""
        given = self._url.query
        places = [f"{name}={given[name]}" for name in _PLACES if name in given]
        content = "\0".join((self.shown, *places, *texts))
        return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()

    def engine(self, came: Callable[[Any], object] = lambda driver: None) -> AsyncEngine:
        """Opens a connection each time it is asked for one, and closes it when it is given back.

        Args:
            came: is told the driver's own connection before the first word over it, for whoever
                has to cut it while SQLAlchemy gets to know the server.
        """
        from sqlalchemy import event
        from sqlalchemy.ext.asyncio import create_async_engine
        from sqlalchemy.pool import NullPool

        # SQLAlchemy shows rows to whoever wants to debug it: not ours, they are members' addresses.
        logging.getLogger(f"sqlalchemy.engine.Engine.{_LOGGED_AS}").setLevel(logging.WARNING)
        engine = create_async_engine(
            self._url,
            poolclass=NullPool,
            logging_name=_LOGGED_AS,
            hide_parameters=True,  # likewise, in what its errors say
            connect_args=self._connect_args(),
        )

        def tell(connection: Any, _: object) -> None:
            came(connection.driver_connection)

        event.listen(engine.sync_engine, "connect", tell, insert=True)
        return engine

    def _connect_args(self) -> dict[str, Any]:
        if self._url.get_driver_name() == "asyncpg":
            return {"timeout": _CONNECT_S, "command_timeout": _COMMAND_S}
        return {"timeout": _BUSY_S} if self.dialect == "sqlite" else {}

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


def cut(driver: Any) -> None:
    """End a driver's connection without a word to the server; SQLite has none."""
    if (terminate := getattr(driver, "terminate", None)) is not None:
        terminate()


def hidden(dsn: str | Secret) -> str | Secret:
    """`dsn` as frames may show it, which show their locals."""
    return HiddenStr(dsn) if isinstance(dsn, str) else dsn


def _url_of(sqlalchemy: Any, dsn: str | Secret) -> URL:
    text, trouble = _revealed(dsn)
    if not trouble and _is_split_wrongly(text):
        raise ConfigurationError(_UNQUOTED)
    if not trouble:
        try:
            return sqlalchemy.make_url(_with_driver(text))  # type: ignore[no-any-return]
        except (sqlalchemy.exc.ArgumentError, ValueError):
            trouble = "is not a database's URL"
    raise ConfigurationError(f"dsn {trouble}: give one {_EXAMPLES}")


def _with_driver(text: str) -> HiddenStr:
    scheme, _, rest = text.partition("://")
    return HiddenStr(f"{_DRIVERS.get(scheme, scheme)}://{rest}")


def _is_split_wrongly(text: str) -> bool:
    """Whether a part of a password may be taken for a host or a database, which are shown.

    SQLAlchemy ends a password at its first ``@``.
    """
    scheme, _, rest = text.partition("://")
    if scheme.startswith("sqlite"):
        return False
    path = rest.partition("/")[2]
    return rest.count("@") > 1 or "@" in path or not set(":/").isdisjoint(path.partition("?")[0])


def _revealed(dsn: str | Secret) -> tuple[HiddenStr, str]:
    """The URL, and what is wrong with it in a few words."""
    text, trouble = dsn.look_up() if isinstance(dsn, Secret) else (dsn, "")
    if not trouble and not (isinstance(text, str) and "://" in text):
        trouble = "is not a database's URL"  # it may be a password alone
    return HiddenStr("" if trouble else text), trouble
