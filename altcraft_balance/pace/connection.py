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
import zlib
from collections.abc import Iterator
from typing import Final

import psycopg
from psycopg import sql

from altcraft_balance.pace.store import LONGEST_TAKE_S
from altcraft_balance.secret import HiddenStr

__all__ = ["OneConnection"]

#: Each setting is for this transaction only, since a pooler may give the session to a stranger
#: next. The log of permits is worth nothing after a crash, so no disk is waited for; its timestamps
#: have no time zone, so that each session must speak of the same one; who falls silent in his turn
#: loses it. The bucket locks its table without waiting, and who fails leaves an error in the
#: server's log: hence the turns. The clock is read when the turn has come, on the way.
_BEGIN: Final = """
BEGIN;
SET LOCAL synchronous_commit TO off;
SET LOCAL TimeZone TO 'UTC';
SET LOCAL statement_timeout TO 1000;
SET LOCAL idle_in_transaction_session_timeout TO 500;
SELECT pg_advisory_xact_lock({family}, {number});
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
"""
_FAMILY: Final = 0x616C7463  # sets our turns apart from others' advisory locks


class OneConnection:
    """One connection, used by one thread at a time; `cut` may come from another."""

    def __init__(self, url: HiddenStr, name: str) -> None:
        self._url = url
        number = zlib.crc32(name.encode()) & 0x7FFFFFFF
        self._begin = sql.SQL(_BEGIN).format(family=_FAMILY, number=number)
        self._connection: psycopg.Connection | None = None
        self._lock = threading.Lock()
        self.closed = False

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, dead or alive."""
        return self._connection is not None

    @contextlib.contextmanager
    def turn(self) -> Iterator[int]:
        """A transaction in which nobody else uses the bucket; gives the server's time.

        The time is in milliseconds since 1970. At the end the transaction is committed; after a
        trouble the connection is dropped.
        """
        whole = False
        try:
            connection = self._connection or self._connect()
            cursor = connection.execute(self._begin)
            while cursor.nextset():
                pass
            ((now_ms,),) = cursor.fetchall()
            yield now_ms
            connection.execute("COMMIT")
            whole = True
        finally:
            if not whole:
                self.drop()

    @contextlib.contextmanager
    def connection(self) -> Iterator[psycopg.Connection]:
        """The connection, in whose turn it is asked for."""
        if self._connection is None:
            raise psycopg.OperationalError("there is no connection: it is nobody's turn")
        yield self._connection

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
            autocommit=True,  # `turn` begins, in one round trip with its settings
            prepare_threshold=None,  # a pooler between would lose what was prepared
            connect_timeout=int(LONGEST_TAKE_S),
            tcp_user_timeout=int(LONGEST_TAKE_S * 1000),
        )
        with self._lock:
            self._connection = connection
        if self.closed:
            raise psycopg.OperationalError("closed while connecting")
        return connection
