"""Permits kept in Redis: pyrate-limiter's GCRA bucket, one small hash for each name.

Beside the bucket's numbers the hash holds the rate that was spoken of last, so that processes with
different rates for one name find that out while they use it at the same time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Final

from pyrate_limiter import GCRA, RateItem, RedisStateStore, StateBucket
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.pace.clock import ServerClock
from altcraft_balance.pace.rates import gcra_rate
from altcraft_balance.pace.reason import reason_of
from altcraft_balance.pace.store import LONGEST_TAKE_S, StoreAway, Taken, refused
from altcraft_balance.secret import HiddenStr

__all__ = ["RedisStore"]

_KEY_PREFIX: Final = "altcraft-balance:rate:"
_LOG: Final = logging.getLogger("altcraft_balance")


class RedisStore:
    """A `Store` in Redis 5 or newer, which is told by its URL.

    Raises:
        ConfigurationError: `url` has options that redis-py refuses.
    """

    def __init__(self, url: HiddenStr, name: str, per_s: float, burst: float | None) -> None:
        self._url = url
        self._redis = _client(url)
        self._clock = ServerClock()
        self._rate, self._portion = gcra_rate(per_s, burst)
        self._per_s, self._said = per_s, False
        self._name = name.lower()
        self._key = _KEY_PREFIX + self._name
        state = RedisStateStore(self._redis, self._key)
        self._bucket = StateBucket([self._rate], algorithm=GCRA(), store=state)

    async def take(self, most: int) -> Taken:
        """Up to `most` permits; as `Store.take`."""
        reason = f"no answer within {LONGEST_TAKE_S:g} s"
        try:
            async with asyncio.timeout(LONGEST_TAKE_S):
                return await self._take(min(most, self._portion))
        except TimeoutError:
            pass
        except (RedisError, OSError) as error:
            reason = reason_of(error, self._url)
        self._clock.forget()
        raise StoreAway(reason)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._redis.aclose()

    async def _take(self, wanted: int) -> Taken:
        item = RateItem(self._name, await self._now_ms(), weight=wanted)
        # Awaitable, as the bucket's client is an asynchronous one.
        decision: Any = await self._bucket.put_decision(item)  # type: ignore[misc]
        if decision.allowed:
            return Taken(wanted)
        return refused(decision.retry_after_ms / 1000, wanted * self._permit_s)

    @property
    def _permit_s(self) -> float:
        return self._rate.interval / self._rate.limit / 1000

    async def _now_ms(self) -> int:
        if self._clock.is_stale(time.monotonic()):
            seconds, microseconds = await self._time()
            self._clock.set(seconds * 1000 + microseconds / 1000, time.monotonic())
        return self._clock.now_ms(time.monotonic())

    async def _time(self) -> tuple[int, int]:
        """The server's clock; in the same round trip the rates are compared."""
        ours = repr(self._per_s)
        pipeline: Any = self._redis.pipeline(transaction=False)  # typed as if each were awaited
        # Written each time, so that a rate that nobody uses any more is forgotten.
        pipeline.time().hmget(self._key, "per_s").hset(self._key, "per_s", ours)
        (seconds, microseconds), [theirs], _ = await pipeline.execute()
        if theirs is not None and theirs != ours.encode():
            self._say_once()
        return seconds, microseconds

    def _say_once(self) -> None:
        if not self._said:
            self._said = True
            _LOG.warning(
                "another process uses the shared rate %r with another per_s than %g: "
                "they keep neither, give all the same",
                self._name,
                self._per_s,
            )


def _client(url: HiddenStr) -> Redis:
    try:
        client = Redis.from_url(
            url,
            socket_connect_timeout=LONGEST_TAKE_S / 2,
            socket_timeout=LONGEST_TAKE_S / 2,
            retry=Retry(NoBackoff(), 1),  # a connection that died since the last take
            protocol=2,  # all that is needed, and every server has it
        )
        pool: Any = client.connection_pool
        pool.make_connection()  # only this looks at the options; it connects to nothing
        return client
    except (ValueError, TypeError, RedisError):
        pass
    raise ConfigurationError("url is not one that redis-py takes: see its path and options")
