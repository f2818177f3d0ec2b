"""How others ask: one attempt, per-item backoff, aiohttp-retry, tenacity; all over aiohttp.

Each is what a good engineer would write for a batch:

- Repeated is what this client repeats: 429, every 5xx, connections that break or are refused,
  attempts that time out. 12 attempts in all, as this client is given; 3 s to connect and 10 s an
  attempt, as this client has by default. (With 100 attempts they come through ten minutes of
  HTTP 500 as well, at 49 requests an item.)
- Waits are drawn from 0 to 1 s, which doubles each time up to 20 s. Of 0.1, 0.25, 0.5 and 1 s to
  begin with, per-item backoff with 1 s sends the quota the fewest requests (1.8 an item, not 2.3
  as with this client's 0.1 s) and loses the fewest items; with 0.1 s it is quicker where the
  server flaps (1.8 of the ideal time, not 2.4).
- ``Retry-After`` is obeyed, and the jitter added to it, so that those who were refused together
  do not come back together.
- `asyncio.Semaphore` lets in as many items as this client has slots. An item keeps its place
  while it waits for its next attempt; else all 5,000 of them would soon be in flight.
- aiohttp-retry: `JitterRetry` as it comes, 0.1 s that doubles, and up to 4 s at random. It knows
  nothing of ``Retry-After``; its README says where that is added.
- tenacity: `wait_random_exponential`, and `wait_exception` for ``Retry-After``, as in its
  documentation.
"""

import asyncio
import random

import aiohttp
import tenacity
from aiohttp_retry import JitterRetry, RetryClient

from altcraft_balance.settings import Timeouts

MAX_ATTEMPTS = 12
BASE_S, CAP_S = 1.0, 20.0
LIMITS = Timeouts()
TROUBLES = (aiohttp.ClientError, TimeoutError)


def timeouts():
    """This client's limits in aiohttp's terms."""
    return aiohttp.ClientTimeout(total=LIMITS.attempt_s, sock_connect=LIMITS.connect_s)


async def post(session, url, fields):
    """One attempt; raises what aiohttp raises."""
    async with session.post(url, json=fields, allow_redirects=False) as response:
        response.raise_for_status()
        return await response.json()


def is_transient(error):
    """Whether the same request may fare better later."""
    if isinstance(error, aiohttp.ClientResponseError):
        return error.status == 429 or error.status >= 500
    return isinstance(error, TROUBLES)


def asked_pause_s(headers):
    """What ``Retry-After`` asks for; these servers say it in seconds."""
    return float((headers or {}).get("Retry-After", 0))


def pause_s(error):
    """What the server asked for when it failed with `error`."""
    return asked_pause_s(getattr(error, "headers", None))


# ── each takes a session, and gives a function of a URL and the fields of a request ──────────


def no_policy(session):
    """One attempt."""

    async def ask(url, fields):
        return await post(session, url, fields)

    return ask


def per_item_backoff(session):
    """A loop around each item: full jitter on top of what the server asked for."""

    async def ask(url, fields):
        for attempt in range(MAX_ATTEMPTS - 1):
            try:
                return await post(session, url, fields)
            except TROUBLES as error:
                if not is_transient(error):
                    raise
                longest_s = min(CAP_S, BASE_S * 2**attempt)
                wait_s = pause_s(error) + random.uniform(0, longest_s)
            await asyncio.sleep(wait_s)
        return await post(session, url, fields)

    return ask


class ObedientRetry(JitterRetry):
    """`JitterRetry` that waits for as long as the server asks, and then its own time."""

    def get_timeout(self, attempt, response=None):
        wait_s = super().get_timeout(attempt, response)
        return wait_s if response is None else wait_s + asked_pause_s(response.headers)


def aiohttp_retry(session):
    """The library of that name."""
    options = ObedientRetry(
        attempts=MAX_ATTEMPTS,
        start_timeout=0.05,  # doubled before the first wait
        max_timeout=CAP_S,
        statuses={429},
        exceptions=set(TROUBLES),
    )
    client = RetryClient(client_session=session, retry_options=options)

    async def ask(url, fields):
        return await post(client, url, fields)

    return ask


def tenacity_semaphore(session):
    """Each attempt within tenacity's decorator."""

    @tenacity.retry(
        stop=tenacity.stop_after_attempt(MAX_ATTEMPTS),
        wait=tenacity.wait_random_exponential(multiplier=BASE_S, max=CAP_S)
        + tenacity.wait_exception(pause_s),
        retry=tenacity.retry_if_exception(is_transient),
        reraise=True,
    )
    async def ask(url, fields):
        return await post(session, url, fields)

    return ask


PEERS = {
    "no policy": no_policy,
    "per-item backoff": per_item_backoff,
    "aiohttp-retry": aiohttp_retry,
    "tenacity + semaphore": tenacity_semaphore,
}
