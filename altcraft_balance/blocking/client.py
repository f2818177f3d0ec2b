"""`BalanceClient` whose calls wait: a thin cover over the asynchronous one in a loop's thread."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Final, Self

from altcraft_balance import client as asynchronous
from altcraft_balance.batch.source import By
from altcraft_balance.blocking.loop_thread import LoopThread, check_thread
from altcraft_balance.blocking.outcomes import Outcomes
from altcraft_balance.client import UNSET, Seconds
from altcraft_balance.errors import ClientClosed
from altcraft_balance.models import Balance, BalanceQuery, Matching, Outcome
from altcraft_balance.session.stats import ClientStats, Health
from altcraft_balance.settings import ClientSettings
from altcraft_balance.validators import checked_wait

__all__ = ["BalanceClient"]

#: Those that a fork's child has to open anew.
_CLIENTS: Final[weakref.WeakSet[BalanceClient]] = weakref.WeakSet()


class BalanceClient:
    """Asks one Altcraft account for points balances; opened by ``with`` or `open`.

    Any number of threads may share it. One that was opened before a fork, by a Celery or gunicorn
    parent, say, opens itself anew in each child: connections, learnt rates and figures are a
    process's own.

    Args:
        base_url: the platform's address, such as ``https://ru.altkraft.com``.
        settings: `token` and all other arguments of `altcraft_balance.BalanceClient`. An async
            callable for the token and `on_event` are called in the loop's thread.

    Raises:
        ConfigurationError: a setting is wrong; the sentence says which and what is accepted.
    """

    def __init__(self, base_url: str, **settings: Any) -> None:
        self._begin(asynchronous.BalanceClient(base_url, **settings), settings.get("on_event"))

    @classmethod
    def from_env(cls, prefix: str = "ALTCRAFT_", **overrides: Any) -> Self:
        """A client as the environment has it, with `overrides` for single arguments.

        Raises:
            ConfigurationError: a variable is missing or cannot be read.
        """
        self = cls.__new__(cls)
        client = asynchronous.BalanceClient.from_env(prefix, **overrides)
        self._begin(client, overrides.get("on_event"))
        return self

    def _begin(self, client: asynchronous.BalanceClient, on_event: Any) -> None:
        self._client, self._on_event = client, on_event
        self._thread: LoopThread | None = None
        self._state, self._warm = "new", 0
        self._lock = threading.Lock()
        self._of_parents: list[object] = []
        _CLIENTS.add(self)

    # ── opening and closing ──────────────────────────────────────────────────────────────────

    def open(self, *, warm: int = 0) -> None:
        """Open the client, with `warm` connections ready from the start.

        Raises:
            ClientClosed: it was opened before.
            AltcraftBalanceError: the token, a certificate or a warm connection is not to be had.
        """
        check_thread()
        with self._lock:
            if self._state != "new":
                raise ClientClosed("a client opens once: make a new BalanceClient")
            self._warm = warm
            self._start()

    def close(self, *, grace_s: float = 10) -> None:
        """Close the client: what waits ends now, what is on the wire has `grace_s` seconds.

        Raises:
            ConfigurationError: `grace_s` is not a number of seconds, 0 or more.
        """
        check_thread()
        checked_wait(grace_s, "grace_s")
        self._of_here()
        with self._lock:
            thread, self._thread = self._thread, None
            self._state = "closed"
        if thread is not None:
            try:
                thread.call(self._client.aclose(grace_s=grace_s))
            finally:
                thread.end()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(grace_s=10 if kind is None else 0)

    def _start(self) -> None:
        thread = LoopThread()
        try:
            thread.call(self._client.open(warm=self._warm))
        except BaseException:
            if self._state == "new":  # a fork's child may try again
                self._state = "closed"
            thread.end()
            raise
        self._thread, self._state = thread, "open"

    def _running(self) -> LoopThread:
        """The loop's thread; begun anew in a fork's child."""
        check_thread()
        with self._lock:
            if self._state == "new":
                raise ClientClosed("the client is not open: use 'with', or call open()")
            if self._state == "forked":
                self._client = self._another()
                self._start()
            if self._thread is None:
                raise ClientClosed("the client is closed: make a new BalanceClient")
            return self._thread

    def _another(self) -> asynchronous.BalanceClient:
        arguments = self._client.settings.arguments()
        return asynchronous.BalanceClient(**arguments, on_event=self._on_event)

    def _of_here(self) -> asynchronous.BalanceClient:
        """Not the parent's, in a fork's child that has asked for nothing yet."""
        with self._lock:
            if self._state == "forked" and self._client in self._of_parents:
                self._client = self._another()
            return self._client

    def _was_forked(self) -> None:
        """In the child: only this thread is here, and connections are the parent's."""
        self._lock = threading.Lock()
        if self._state == "open":
            # Kept, since to clean them up would speak on the parent's connections.
            self._of_parents += [self._client, self._thread]
            self._state, self._thread = "forked", None

    # ── lookups ──────────────────────────────────────────────────────────────────────────────

    def get_balance(
        self, query: Matching | BalanceQuery, *, deadline_s: Seconds = UNSET
    ) -> Balance:
        """The balance of one member.

        Args:
            query: how the member is found, or a whole query.
            deadline_s: seconds for all of it, waits and repeats included; None: no limit.

        Raises:
            AltcraftBalanceError: one of its kinds, with `attempts` and `elapsed_s`.
        """
        thread = self._running()
        return thread.call(self._client.get_balance(query, deadline_s=deadline_s))

    def get_balances(
        self,
        queries: Iterable[Any],
        *,
        by: By | None = None,
        item_deadline_s: Seconds = UNSET,
    ) -> list[Outcome]:
        """One outcome for each of `queries`, in their order; for small batches.

        Args:
            queries: matchings or queries, or plain values when `by` says what they are.
            by: makes a matching of a plain value: ``by=ByEmail``.
            item_deadline_s: seconds for each item, from when it is taken; None: no limit.
        """
        thread = self._running()
        items = self._client.get_balances(queries, by=by, item_deadline_s=item_deadline_s)
        return thread.call(items)

    def stream_balances(
        self,
        source: Iterable[Any],
        *,
        by: By | None = None,
        ordered: bool = False,
        item_deadline_s: Seconds = UNSET,
        run_deadline_s: float | None = None,
    ) -> Outcomes:
        """A plain iterator of outcomes, and a context manager that ends it early.

        The source is read lazily, in the thread that reads the outcomes: a database's cursor may
        stand there. A slow reader stops it. It may be infinite.

        Args:
            source: an iterable of matchings, queries, or, with `by`, values.
            by: makes a matching of a plain value: ``by=ByEmail``.
            ordered: give outcomes in the source's order, within a bounded window.
            item_deadline_s: seconds for each item, from when it is taken; None: no limit.
            run_deadline_s: seconds for the whole run; then `DeadlineExceeded` ends it.
        """
        thread = self._running()
        return Outcomes(
            thread,
            source,
            lambda items: self._client.stream_balances(
                items,
                by=by,
                ordered=ordered,
                item_deadline_s=item_deadline_s,
                run_deadline_s=run_deadline_s,
            ),
        )

    # ── looking at it ────────────────────────────────────────────────────────────────────────

    @property
    def settings(self) -> ClientSettings:
        """What the client was told, the defaults filled in; the token in it stays hidden."""
        return self._client.settings

    def stats(self) -> ClientStats:
        """What was done so far in this process, and what is under way; sends nothing."""
        return self._of_here().stats()

    def health(self) -> Health:
        """Whether the client is open and the server answers; sends nothing."""
        return self._of_here().health()

    def __repr__(self) -> str:
        client = self.__dict__.get("_client")
        if client is None:  # in the frame of a constructor that raised
            return "<blocking.BalanceClient>"
        return f"<blocking.BalanceClient {client.settings.base_url} {self._state}>"


def _in_a_forks_child() -> None:
    for client in tuple(_CLIENTS):
        client._was_forked()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no forks
    os.register_at_fork(after_in_child=_in_a_forks_child)
