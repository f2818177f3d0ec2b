"""The pool of connections that pyrate-limiter's PostgreSQL bucket asks for, with one in it.

psycopg's own pool reconnects in threads that complain in the log for as long as the server is
away. Here nothing runs between two takes: a connection is made when it is needed, and dropped at
its first trouble.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from typing import Final

import psycopg

from altcraft_balance.pace.store import LONGEST_TAKE_S
from altcraft_balance.secret import HiddenStr

__all__ = ["OneConnection"]

#: For this transaction only, since a pooler may give the session to a stranger next. The log of
#: permits is worth nothing after a crash, so no disk is waited for while the table is locked; and
#: its timestamps have no time zone, so that each session must speak of the same one.
_BEGIN: Final = """
BEGIN;
SET LOCAL synchronous_commit TO off;
SET LOCAL TimeZone TO 'UTC';
SET LOCAL statement_timeout TO 1000;
"""


class OneConnection:
    """One connection, used by one thread at a time; `cut` may come from another."""

    def __init__(self, url: HiddenStr) -> None:
        self._url = url
        self._connection: psycopg.Connection | None = None
        self._lock = threading.Lock()
        self.closed = False

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, dead or alive."""
        return self._connection is not None

    @contextlib.contextmanager
    def connection(self) -> Iterator[psycopg.Connection]:
        """The connection, in a transaction that is committed at the end."""
        whole = False
        try:
            connection = self._connection or self._connect()
            connection.execute(_BEGIN)
            yield connection
            connection.execute("COMMIT")
            whole = True
        finally:
            if not whole:
                self.drop()

    def drop(self) -> None:
        """Close the connection; the next use makes another."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def cut(self) -> None:
        """Wake the thread that waits for the server: it finds the connection lost.

        psycopg waits without a limit, and a server that stands still breaks no connection.
        """
        with self._lock, contextlib.suppress(OSError, psycopg.Error):
            if self._connection is not None:
                with socket.socket(fileno=os.dup(self._connection.fileno())) as doubled:
                    doubled.shutdown(socket.SHUT_RDWR)

    def _connect(self) -> psycopg.Connection:
        connection = psycopg.connect(
            self._url,
            autocommit=True,  # `_BEGIN` begins, in one round trip with its settings
            prepare_threshold=None,  # a pooler between would lose what was prepared
            connect_timeout=int(LONGEST_TAKE_S),
            tcp_user_timeout=int(LONGEST_TAKE_S * 1000),
        )
        with self._lock:
            self._connection = connection
        if self.closed:
            raise psycopg.OperationalError("closed while connecting")
        return connection
