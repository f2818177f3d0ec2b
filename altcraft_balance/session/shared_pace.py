"""A rate shared by several processes, as the admission sees it: permits, fetched when needed.

Permits come from the store in small lots and are used at once: one that lies about for longer
than a moment is thrown away, since the second it was meant for is over. While the store is away
this process goes on with its share of the rate, says so once, and asks the store now and then
whether it is back; then it keeps to both for as long as the others may take to find that out.
Whatever the store does, nobody is lost and nobody waits for it for ever.

A store that is silent for a moment may be away, which only time can tell. Meanwhile the process
goes on with its share already, and says nothing. When the answer comes after all, each request
costs two permits, until all that went without one are paid for: no more is sent than was granted,
and yet nobody is kept waiting until the debt is gone.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Final

from altcraft_balance.pace.store import LONGEST_TAKE_S, Store, StoreAway, Taken
from altcraft_balance.policy.pace import Gcra
from altcraft_balance.shared_rate import SharedRate
from altcraft_balance.telemetry.events import Event, RateStoreChanged

__all__ = ["SharedPace"]

_FRESH_S: Final = 0.02
_ASK_AGAIN_S: Final = 5.0
_LULL_S: Final = 0.1
#: A healthy store answers in some milliseconds, or in 200 more when a packet had to be sent twice.
_SILENT_S: Final = 0.22
_SHORTEST_S: Final = 0.001
_LOG: Final = logging.getLogger("altcraft_balance")


class SharedPace:
    """Permits of one process; fits `traffic.Pace`.

    Args:
        rate: what was agreed.
        store: gives the permits.
        wanted: says how many permits could be used at once.
        arrived: is called when there are permits, or when it is known how long there are none.
        tell: is called when the store goes away or is back.
    """

    def __init__(
        self,
        rate: SharedRate,
        store: Store,
        *,
        wanted: Callable[[], int],
        arrived: Callable[[], None],
        tell: Callable[[Event], None],
    ) -> None:
        self._rate, self._store = rate, store
        self._wanted, self._arrived, self._tell = wanted, arrived, tell
        self._loop = asyncio.get_running_loop()
        self._permits = 0  # below 0: sent without a permit, still to be made up for
        self._fresh_until = self._ask_at = -math.inf
        self._away, self._share_until = False, -math.inf
        self._silent, self._owed = False, 0.0  # owed: for what was sent while it was silent
        self._alone: Gcra | None = None  # this process's share, while it is to be kept
        self._fetching: asyncio.Task[None] | None = None

    @property
    def rate_per_s(self) -> float:
        """The agreed rate of all, or this process's share while it keeps to that."""
        return self._rate.per_s if self._alone is None else self._alone.rate_per_s

    def wait_s(self, now: float, ahead: int = 0) -> float:
        """Seconds until there may be a permit; `math.inf` while the store is asked for some."""
        share_s = self._share_wait_s(now, ahead)
        if self._away:
            self._ask_if_due(now)
        if share_s or self._away or self._silent:
            return share_s
        if self._permits > 0 and now < self._fresh_until:
            return 0.0
        self._ask_if_due(now)
        at_least_s = ahead / self._rate.per_s
        if self._fetching is None:
            return max(at_least_s, self._ask_at - now)
        return at_least_s or math.inf

    def _share_wait_s(self, now: float, ahead: int) -> float:
        if self._alone is None:
            return 0.0
        if not (self._away or self._silent or self._owed or now < self._share_until):
            self._alone = None
            return 0.0
        return self._alone.wait_s(now, ahead)

    def _ask_if_due(self, now: float) -> None:
        if self._fetching is None and now >= self._ask_at:
            self._fetching = self._loop.create_task(self._fetch(), name="altcraft_balance rate")

    def spend(self, now: float) -> None:
        """One request goes out."""
        if self._alone is not None:
            self._alone.spend(now)
        if self._silent:
            # Bounded, for a store that is never quick again.
            self._owed = min(self._owed + 1, self._rate.share_per_s * LONGEST_TAKE_S)
        elif not self._away:
            self._permits -= 2 if self._owed else 1
            self._owed = max(0.0, self._owed - 1)

    async def aclose(self) -> None:
        """Ask no more, and close the connection to the store."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])
        await self._store.aclose()

    async def _fetch(self) -> None:
        """Ask the store once, and let those who wait know what came of it."""
        trouble, patience = "", self._loop.call_later(_SILENT_S, self._go_on_meanwhile)
        try:
            self._permits = min(0, self._permits)  # what is left of the last lot is stale
            self._came(await self._store.take(max(1, self._wanted()) - self._permits))
        except StoreAway as away:
            trouble = away.reason
        except Exception as error:  # noqa: BLE001 - whatever a store raises, lookups go on
            trouble = type(error).__name__
        finally:
            patience.cancel()
            self._fetching, self._silent = None, False
            if trouble:
                self._go_alone(trouble)
            self._arrived()

    def _came(self, taken: Taken) -> None:
        now = self._loop.time()
        self._permits += taken.granted  # some may have been sent without one meanwhile
        self._fresh_until = now + _FRESH_S
        self._ask_at = now if taken.granted else now + max(_SHORTEST_S, taken.retry_after_s)
        if self._away:
            self._away = False
            # The others may not have found it yet, and go on with their shares.
            self._share_until = now + _ASK_AGAIN_S + LONGEST_TAKE_S
            _LOG.warning(
                "the store of the shared rate is back, and in %g s the whole rate is used again",
                _ASK_AGAIN_S + LONGEST_TAKE_S,
            )
            self._tell(RateStoreChanged(away=False, rate_per_s=self._rate.per_s))

    def _go_alone(self, trouble: str) -> None:
        self._ask_at = self._loop.time() + _ASK_AGAIN_S
        if not self._away:
            share_per_s, self._permits, self._away = self._rate.share_per_s, 0, True
            self._owed = 0.0
            # The last permits were for this second, and came in lots.
            self._keep_to_share(self._loop.time() + _LULL_S)
            _LOG.warning(
                "the store of the shared rate is away (%s): going on with this process's share, "
                "%g requests per second",
                trouble,
                share_per_s,
            )
            self._tell(RateStoreChanged(away=True, rate_per_s=share_per_s))

    def _go_on_meanwhile(self) -> None:
        if not self._away:
            self._silent = True
            self._keep_to_share(self._loop.time() - _SILENT_S)
            self._arrived()

    def _keep_to_share(self, spent_at: float) -> None:
        """Send no more than this process's share, as if the last one had gone at `spent_at`."""
        if self._alone is None:
            self._alone = Gcra(self._rate.share_per_s)
            self._alone.spend(spent_at)
