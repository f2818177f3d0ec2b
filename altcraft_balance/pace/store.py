"""What a store of permits is: something to take a few from, which may be away.

A permit is leave to send one request now. Whoever holds one sends at once: the rate holds by the
server's clock, with two parts in a hundred left over for what is sent late.
"""

from __future__ import annotations

from typing import Final, Protocol

from attrs import frozen

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.shared_rate import SharedRate

__all__ = ["LONGEST_TAKE_S", "Store", "StoreAway", "Taken", "open_store", "refused"]

#: A store that has not answered after so long is away.
LONGEST_TAKE_S: Final = 2.0
_CLOCK_SLACK_S: Final = 1.0


class StoreAway(Exception):
    """The store gives no answer, or none that can be used; it may be back at the next take.

    Attributes:
        reason: why, in a few words without secrets.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@frozen
class Taken:
    """What a take brought.

    Attributes:
        granted: how many requests may be sent now.
        retry_after_s: seconds after which asking again makes sense; 0 when some were granted.
    """

    granted: int
    retry_after_s: float = 0.0


class Store(Protocol):
    """A bucket of permits, shared with other processes. It belongs to one event loop."""

    async def take(self, most: int) -> Taken:
        """Up to `most` permits, at least 1; fewer when a fair portion is less.

        Raises:
            StoreAway: no answer, within `LONGEST_TAKE_S` seconds. Nothing was granted.
        """
        ...

    async def aclose(self) -> None:
        """Let go of the connection. Nothing may be taken afterwards."""
        ...


def open_store(rate: SharedRate, burst: float | None = None) -> Store:
    """The store of `rate`; connects at its first take.

    Imports the store's packages and, if the URL stands in a file, reads it: a matter for a thread
    where the loop must not wait.

    Args:
        rate: a rate of kind ``redis`` or ``postgres``.
        burst: how many permits may be taken at once after a rest, by all processes together.
            None: a portion for which no second has more than the rate.

    Raises:
        ConfigurationError: a split rate; a secret that is not set; a package that is missing.
    """
    url = rate.reveal_url()
    try:
        if rate.kind == "redis":
            from altcraft_balance.pace.redis import RedisStore

            return RedisStore(url, rate.name, rate.per_s, burst)
        from altcraft_balance.pace.postgres import PostgresStore

        return PostgresStore(url, rate.name, rate.per_s, burst)
    except ImportError as error:
        missing = (error.name or "a package").partition(".")[0]
    raise ConfigurationError(
        f"a rate kept in {rate.kind} needs {missing}: pip install 'altcraft-balance[shared-rate]'"
    )


def refused(retry_after_s: float, longest_s: float) -> Taken:
    """Nothing granted; asking again makes sense after `retry_after_s`.

    Raises:
        StoreAway: that is longer than the rate itself can ask for, `longest_s`. Waiting it out
            could take hours.
    """
    if retry_after_s > longest_s + _CLOCK_SLACK_S:
        raise StoreAway(
            "what was taken lies in its future: its clock was set back, or somebody uses the "
            "same name for a slower rate"
        )
    return Taken(0, retry_after_s)
