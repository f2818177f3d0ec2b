"""An agreed rate in the terms of pyrate-limiter's buckets.

A permit is used some milliseconds after it was granted, now more, now fewer, so a bucket that
grants the whole rate within a second of its own makes a fuller second at the moment of sending.
Hence a second that is 2 or 3 % longer: by the server's clock no second has more than agreed, and
what is sent late stays within 102 %. A take brings a portion of 1 or 2 % of a second: few enough
that one late take does little harm, many enough that the round trips leave time to send.
"""

from __future__ import annotations

import math
from typing import Final

from pyrate_limiter import Rate

__all__ = ["gcra_rate", "window_rates"]

_GCRA_SECOND_MS: Final = 1020
_LOG_SECOND_MS: Final = 1030  # a take of PostgreSQL is some milliseconds of work, often late
_LOG_MOMENT_MS: Final = 920
#: A window of pyrate-limiter counts both its ends, so that the shortest, 1 ms, holds two of them.
_SHORTEST_MS: Final = 2
_LONGEST_MS: Final = 10**13  # three centuries: what began before the calendar is no timestamp
#: A slower rate cannot be told from none, and overflows the server's integers.
_SLOWEST_PER_S: Final = 1e-6
_MOST_AT_ONCE: Final = 1000  # a bucket's column for it is a `smallint`
#: Slower permits come one by one; from here on a pair is a tenth of a second at most, and makes
#: up for a timer that was late.
_PAIRS_FROM_PER_S: Final = 10


def gcra_rate(per_s: float, burst: float | None) -> tuple[Rate, int]:
    """The rate of a GCRA bucket, and how many permits one take may ask for."""
    at_once = _default_burst(per_s) if burst is None else max(1, math.floor(burst))
    limit = math.ceil(per_s)
    rate = Rate(limit, _interval_ms(limit, per_s, _GCRA_SECOND_MS), burst=at_once)
    # Half of it: while one waits for its portion, the other half keeps what comes in meanwhile.
    return rate, max(1, min(at_once // 2, _portion(per_s)))


def window_rates(per_s: float, burst: float | None) -> tuple[list[Rate], int]:
    """The rates of a bucket that logs each permit, and how many one take may ask for.

    A long window holds the rate. A short one, somewhat faster so that it does not cost throughput,
    spreads the permits over the second, for a server that dislikes thuds, and for the moment when
    the store goes away and each process goes on with its share. A burst of more than
    a second's permits is a longer window, so that it may come again whenever that has passed.

    A burst is at least 2 ms' worth of permits, from 500 per second on more than one: the bucket's
    clock tells milliseconds, and fewer would slow the rate down.
    """
    at_once = _default_log_burst(per_s) if burst is None else math.floor(burst)
    at_once = max(1, at_once, math.ceil(per_s * _SHORTEST_MS / 1000))
    limit = max(at_once, math.ceil(per_s) if per_s >= _PAIRS_FROM_PER_S else 1)
    rates = [Rate(limit, min(_interval_ms(limit, per_s, _LOG_SECOND_MS), _LONGEST_MS))]
    if at_once < limit:
        rates.insert(0, Rate(at_once, _moment_ms(at_once, per_s)))
    return rates, max(1, min(at_once, _portion(per_s)))


def _default_burst(per_s: float) -> int:
    return max(2, math.floor(per_s / 50)) if per_s >= _PAIRS_FROM_PER_S else 1


def _default_log_burst(per_s: float) -> int:
    return math.ceil(per_s / 8) if per_s >= _PAIRS_FROM_PER_S else 1


def _portion(per_s: float) -> int:
    return min(math.floor(per_s / 50), _MOST_AT_ONCE)


def _moment_ms(at_once: int, per_s: float) -> int:
    worth_s = at_once / per_s
    return max(1, math.floor(min(_LOG_MOMENT_MS * worth_s, 1000 * worth_s - 1)))


def _interval_ms(limit: int, per_s: float, second_ms: int) -> int:
    return math.ceil(limit * second_ms / max(per_s, _SLOWEST_PER_S))
