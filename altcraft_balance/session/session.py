"""The session manager: opens, closes, drains; concurrent lookups go through its semaphore.

Nothing here is bound to a loop before `open`, so a client may be made anywhere.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any

from altcraft_balance.errors import AltcraftBalanceError, ClientClosed, ConfigurationError
from altcraft_balance.models import BalanceQuery
from altcraft_balance.pace.store import open_store
from altcraft_balance.session.admission import Admission
from altcraft_balance.session.attempt import with_id
from altcraft_balance.session.bad_replies import BadReplies
from altcraft_balance.session.brake import Brake, Halted
from altcraft_balance.session.counts import Counts
from altcraft_balance.session.ended import Ended
from altcraft_balance.session.lookup import Lookup, Watch
from altcraft_balance.session.shared_pace import SharedPace
from altcraft_balance.session.single_flight import SingleFlight
from altcraft_balance.session.stats import State, stats_of
from altcraft_balance.session.timed_pace import TimedPace
from altcraft_balance.session.tokens import Tokens, revealed
from altcraft_balance.session.traffic import Traffic
from altcraft_balance.session.witness import Witness
from altcraft_balance.settings import ClientSettings
from altcraft_balance.shared_rate import SharedRate
from altcraft_balance.telemetry.events import (
    Closed,
    ConnectionChanged,
    Event,
    LookupStarted,
    Opened,
    TokenReloaded,
)
from altcraft_balance.telemetry.listeners import (
    Listeners,
    headers_of,
    listeners_of,
    show_figures,
    speaker,
)
from altcraft_balance.telemetry.member_ref import key_of, member_ref
from altcraft_balance.timetable import RateTimetable
from altcraft_balance.transport.port import SendFailed, Tell, Transport, TransportNews
from altcraft_balance.transport.sweep import Sweep
from altcraft_balance.validators import checked_wait
from altcraft_balance.zones import utc_now

__all__ = ["Session"]


class Session:
    """One open connection pool, one token, one set of slots.

    Args:
        settings: what the client was told.
        make_transport: gives the transport, which tells its news to the callback.
        on_event: who listens to the stream of events.
        rng: draws the jitter.
    """

    def __init__(
        self,
        settings: ClientSettings,
        make_transport: Callable[[Tell], Transport],
        *,
        on_event: Listeners | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.settings = settings
        self.counts = Counts()
        self.rng = rng if rng is not None else random.Random()
        self._listeners = listeners_of(on_event)
        self.emit, self._carried = speaker(self._listeners), headers_of(self._listeners)
        self.adds_headers = settings.request_ids or self._carried is not None
        self._log_key: bytes | None = None
        self.brake = Brake()
        self.transport = make_transport(self._heard)
        self.tokens = Tokens(settings, reloaded=self._token_reloaded)
        self.traffic = Traffic(settings.limits, tell=self._tell)
        self.admission = Admission(self.traffic, draw=lambda: self.rng.random())
        self.clock: Callable[[], float] = lambda: 0.0  # until there is a loop
        self.wall: Callable[[], datetime] = utc_now
        self.state: State = "new"
        self.drained: asyncio.Event | None = None  # is set when the last lookup has ended
        self._shared_pace: SharedPace | None = None
        self.witness = Witness(self)
        self.flights = SingleFlight(self) if settings.single_flight else None
        self.bad_replies = None if settings.save_bad is None else BadReplies(settings.save_bad)

    # ── opening and closing ──────────────────────────────────────────────────────────────────

    async def open(self, *, warm: int = 0) -> None:
        """Bind to the running loop and process, get the token, open `warm` connections.

        Raises:
            ClientClosed: it was opened before.
            AltcraftBalanceError: the token, a certificate or a warm connection is not to be had.
        """
        if self.state != "new":
            raise ClientClosed("a client opens once: make a new BalanceClient")
        if isinstance(warm, bool) or not isinstance(warm, int) or warm < 0:
            raise ConfigurationError("warm must be a whole number of connections, from 0")
        self._loop, self._pid = asyncio.get_running_loop(), os.getpid()
        self.clock = _clock_of(self._loop)
        self.limits = Sweep(self._loop)
        self.admission.open(self._loop, self.clock)
        self._closed = asyncio.Event()
        self.state = "opening"
        try:
            with self.brake.waiting():
                await self._get_ready(warm)
            if self.brake.reason is None:
                self.state = "open"
                if self.traffic.timed is not None:
                    self.traffic.timed.begin()
            else:
                await self.transport.aclose()
        except Halted:
            pass  # closed meanwhile: said below, where no other error hangs on to it
        finally:
            if self.state == "opening":
                self.state = "closed"
        if self.state == "closed":
            raise ClientClosed("the client was closed while it was opening")
        if self.emit is not None:
            self.emit(Opened(base_url=self.settings.base_url))

    async def _get_ready(self, warm: int) -> None:
        show_figures(self._listeners, lambda: stats_of(self))
        await self.tokens.open()
        if self.settings.log_key is not None and self.emit is not None:
            self._log_key = key_of(await revealed(self.settings.log_key))
        if self.bad_replies is not None:
            await self.bad_replies.open()
        await self._open_pace()
        try:
            await self.transport.open(warm=warm)
            return
        except SendFailed as failed:
            trouble = failed.error
        raise trouble

    async def _open_pace(self) -> None:
        """The rate depends on the time of day, or several processes share it."""
        limits, traffic = self.settings.limits, self.traffic
        rate = limits.rate_per_s
        if isinstance(rate, RateTimetable):
            traffic.pace = traffic.timed = TimedPace(
                rate, limits.burst, wall=self.wall, looked=self._looked_at_the_clock
            )
        if isinstance(rate, SharedRate) and rate.kind != "split":
            store = await asyncio.to_thread(open_store, rate, limits.burst)
            traffic.pace = self._shared_pace = SharedPace(
                rate,
                store,
                wanted=self.admission.sendable,
                arrived=self.admission.pump,
                tell=self._tell,
            )

    async def aclose(self, *, grace_s: float) -> None:
        """End what waits, let what is on the wire finish for `grace_s` seconds, close all.

        Whoever calls it while it goes on waits for its end; later calls do nothing.

        Raises:
            ClientClosed: the client was opened on another event loop.
            ConfigurationError: `grace_s` is no number of seconds, 0 or more.
        """
        checked_wait(grace_s, "grace_s")
        if self.state in {"new", "closed"} or os.getpid() != self._pid:
            self.state = "closed"  # in a fork's child too: the connections are the parent's
            return
        if _running_loop() is not self._loop:
            raise ClientClosed("the client was opened on another event loop: close it there")
        if self.state == "open":
            await self._close(grace_s)
        elif self.state == "opening":
            self.brake.pull(ClientClosed("the client was closed while it was opening"))
        else:
            await self._closed.wait()

    async def _close(self, grace_s: float) -> None:
        self.state = "closing"
        self.brake.pull(ClientClosed("the client was closed while this lookup waited"))
        try:
            await self._drain(grace_s)
        finally:
            unfinished = self.counts.in_progress
            self.state = "closed"
            self.admission.close()
            if self.traffic.timed is not None:
                self.traffic.timed.close()
            try:
                await self._close_doors()
            finally:
                self.limits.close()
                self._closed.set()
        if self.emit is not None:
            self.emit(Closed(unfinished=unfinished))

    async def _close_doors(self) -> None:
        try:
            await self.transport.aclose()
        finally:
            if self.bad_replies is not None:
                await self.bad_replies.aclose()
            if self._shared_pace is not None:
                await self._shared_pace.aclose()

    async def _drain(self, grace_s: float) -> None:
        if not self.counts.in_progress:
            return
        self.drained = asyncio.Event()
        try:
            async with asyncio.timeout(grace_s):
                await self.drained.wait()
        except TimeoutError:
            return

    def check(self) -> None:
        """Raise `ClientClosed` unless this can be used here and now."""
        if self.state == "new":
            raise ClientClosed("the client is not open: use 'async with', or await open()")
        if self.state == "opening":
            raise ClientClosed("the client is not open yet: await open() first")
        if self.state != "open":
            raise ClientClosed("the client is closed: make a new BalanceClient")
        if os.getpid() != self._pid:
            raise ClientClosed(
                "the client was opened in another process: open one in each, after the fork"
            )
        if _running_loop() is not self._loop:
            raise ClientClosed("the client was opened on another event loop: open one on each")

    def refuse(self, error: AltcraftBalanceError) -> Ended:
        """Count as a lookup that failed what never became one, for want of a query or of time."""
        ended = Ended(error=error)
        self.counts.lookups += 1
        self.counts.failed[error.kind] += 1
        if self.emit is not None:
            self.emit(LookupStarted(lookup=self.counts.lookups, call=False))
            self.emit(ended.as_event(self.counts.lookups))
        return ended

    # ── one lookup ───────────────────────────────────────────────────────────────────────────

    def call(
        self, query: BalanceQuery, *, started: float, deadline: float | None
    ) -> Coroutine[Any, Any, Ended]:
        """Look `query` up for a single call, which may share the lookup of another."""
        if self.flights is not None:
            return self.flights.look_up(query, started=started, deadline=deadline)
        return self.look_up(query, started=started, deadline=deadline, brake=self.brake, call=True)

    def look_up(
        self,
        query: BalanceQuery,
        *,
        started: float,
        deadline: float | None,
        brake: Brake,
        call: bool = False,
        watch: Watch | None = None,
        naps: Callable[[], object] | None = None,
    ) -> Coroutine[Any, Any, Ended]:
        """Look `query` up and say how that ended; see `Lookup`."""
        return Lookup(self, query, started, deadline, brake, call, watch, naps).run()

    def headers(self, fixed: Mapping[str, str], lookup: int) -> Mapping[str, str]:
        """The headers of one request: the `fixed` ones, and its own."""
        if self.settings.request_ids:
            fixed = with_id(fixed)
        return fixed if self._carried is None else {**fixed, **self._carried(lookup)}

    def ref_of(self, query: BalanceQuery) -> str | None:
        """What events call the member, if there is a key for that."""
        return None if self._log_key is None else member_ref(query.matching, self._log_key)

    def look_at_lag(self) -> None:
        """Let the width follow the latencies, once it is known how long the loop's turns are."""
        self._loop.call_soon(self._measured, self.clock())

    def _measured(self, began: float) -> None:
        now = self.clock()
        self.traffic.narrow_or_widen(now, now - began)
        self.admission.pump()

    def _looked_at_the_clock(self) -> None:
        """By the timetable another rate may hold, or none."""
        self.admission.pump()
        self.refuse_hopeless()

    def refuse_hopeless(self) -> None:
        """Everybody is stopped for a while: those who have no time for that are told at once."""
        self.admission.refuse_hopeless()
        if self.flights is not None:
            self.flights.refuse_hopeless()

    # ── news from below ──────────────────────────────────────────────────────────────────────

    def _heard(self, news: TransportNews) -> None:
        if news == "connected":
            self.counts.connections_opened += 1
        else:
            self.counts.connections_dropped += 1
        if self.emit is not None:
            self.emit(ConnectionChanged(what=news))

    def _tell(self, event: Event) -> None:
        if self.emit is not None:
            self.emit(event)

    def _token_reloaded(self) -> None:
        if self.emit is not None:
            self.emit(TokenReloaded())


def _clock_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """The loop's clock; the system's, where the loop's is only that, with a call between.

    uvloop's is the same one as it was when the loop's turn began, in whole milliseconds, which
    is too coarse for latencies: to `policy.width` those of a fast server seemed to double.
    """
    kind = type(loop)
    asks_system = getattr(kind, "time", None) is asyncio.BaseEventLoop.time
    return time.monotonic if asks_system or kind.__module__ == "uvloop" else loop.time


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
