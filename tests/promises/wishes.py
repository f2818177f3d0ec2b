"""Throttles lookups with `Retry-After` in every form, and prints what they made of it as JSON.

The clock is virtual, the sandbox in memory. A date without a `Date` beside it is measured against
this machine's own clock, so for such a wish the real time that went by counts as well.
"""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

from attrs import frozen

from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.models import Balance
from altcraft_balance.sandbox import Sandbox
from altcraft_balance.settings import RetryPolicy, Timeouts
from tests.promises import virtual
from tests.promises.child import answer, options_of

#: Longer pauses are not sat out: the error comes back at once.
LONGEST_PAUSE_S = 900
#: How much later than it was asked for a repeat may be: a tenth, and a backoff's longest wait.
ROOM, ROOM_S = 1.1, 30.0
OFF_S = 44 * 365 * 86_400  # beyond 50 years two digits mean another century
GARBAGE = (
    *("", "+5", "1e3", "0x10", "5 s", "5,5", "five", "NaN", "inf", "1_0", ".5", "1.2.3", ","),
    *("soon", "GMT", "Sun", "Sun, 99 Nov 2094 08:49:37 GMT", "2094-11-06T08:49:37Z", "\xb2"),
    *("Sun, 06 Foo 2094 08:49:37", "Sun, 06 Nov 2094 25:61:61 GMT", "5; 6", "x" * 4000),
)


@frozen
class Wish:
    """What a server asks for.

    Attributes:
        headers: in what words.
        seconds: what it means; None when that is not certain.
        since: when it was said, for a date that only this machine's clock can measure.
    """

    headers: dict
    seconds: float | None
    since: datetime | None = None

    def is_early(self, virtual_s):
        """Whether so many virtual seconds after it are too soon."""
        real_s = 0 if self.since is None else (datetime.now(UTC) - self.since).total_seconds()
        return virtual_s + real_s < (self.seconds or 0) - 1e-6


def imf_date(moment):
    return format_datetime(moment, usegmt=True)


def rfc_850_date(moment):
    return f"{moment:%A, %d-%b-%y %H:%M:%S} GMT"


def asctime_date(moment):
    return f"{moment:%a %b} {moment.day:2d} {moment:%H:%M:%S %Y}"


DATES = (imf_date, rfc_850_date, asctime_date)


def by_date(rng, ahead_s, *, skew_s=None):
    """A date so far ahead; with `skew_s` beside a `Date` of a server whose clock is off."""
    form, now = rng.choice(DATES), datetime.now(UTC)
    if skew_s is None:
        until = (now + timedelta(seconds=ahead_s)).replace(microsecond=0)
        left_s = max(0.0, (until - now).total_seconds())
        return Wish({"Retry-After": form(until)}, left_s, now)
    date = (now + timedelta(seconds=skew_s)).replace(microsecond=0)
    headers = {
        "Retry-After": form(date + timedelta(seconds=ahead_s)),
        "Date": rng.choice(DATES)(date),
    }
    return Wish(headers, max(0.0, ahead_s))


def by_number(text, seconds=0.0):
    return Wish({"Retry-After": text}, seconds)


def damaged_date(rng):
    text = list(rng.choice(DATES)(datetime.now(UTC)))
    for _ in range(rng.randint(1, 3)):
        text[rng.randrange(len(text))] = chr(rng.randint(32, 126))
    return Wish({"Retry-After": "".join(text), "Date": rng.choice(GARBAGE)}, None)


def whole(rng):
    seconds = rng.randint(0, LONGEST_PAUSE_S)
    return by_number(rng.choice(("{}", "00{}", " {} ")).format(seconds), seconds)


def with_places(rng):
    seconds = rng.randint(0, LONGEST_PAUSE_S * 1000) / 1000
    return by_number(str(seconds), seconds)


def skewed(rng):
    skew_s = rng.choice((-OFF_S, rng.randint(-OFF_S, OFF_S), OFF_S))
    return by_date(rng, rng.randint(0, LONGEST_PAUSE_S), skew_s=skew_s)


def huge(rng):
    seconds = rng.choice((901, 86_400, rng.randint(901, 10**9), 10 ** rng.randint(10, 300)))
    return by_number(str(seconds), seconds)


FORMS = {
    "seconds": whole,
    "float": with_places,
    "date": lambda rng: by_date(rng, rng.randint(1, LONGEST_PAUSE_S)),
    "skewed clock": skewed,
    "past": lambda rng: by_date(rng, -rng.randint(1, 10**6), skew_s=rng.choice((None, 0, 3600))),
    "huge": huge,
    "huge date": lambda rng: by_date(rng, rng.randint(1000, 10**8), skew_s=rng.choice((None, 0))),
    "negative": lambda rng: by_number(f"-{rng.randint(0, 10**6)}"),
    "garbage": lambda rng: by_number(rng.choice(GARBAGE)),
    "damaged date": damaged_date,
}


async def wrong_about(sandbox, rng, number, form):
    """What was wrong about one lookup that was throttled once or twice in this form, or None."""
    wish, status = FORMS[form](rng), rng.choice((429, 503))
    member, times = virtual.member(number), rng.randint(1, 2)
    sandbox.answer(member, status=status, headers=wish.headers, times=times)
    client, transport = virtual.make_client(
        sandbox.url, timeouts=Timeouts(deadline_s=None), retry=RetryPolicy(max_attempts=4)
    )
    async with client:
        try:
            end = await client.get_balance(member)
        except AltcraftBalanceError as error:
            end = error
        except Exception as error:
            return f"raised: {form}, {wish.headers}, {type(error).__name__}"
    waits = [after.sent - before.ended for before, after in pairwise(transport.requests)]
    if any(map(wish.is_early, waits)):
        return f"early: {form}, {wish.headers}, {waits} s"
    if wish.seconds is None or wish.seconds > LONGEST_PAUSE_S:
        return None
    if not isinstance(end, Balance):
        return f"not sat out: {form}, {wish.headers}, {end!r}"
    if len(waits) != times or max(waits) > wish.seconds * ROOM + ROOM_S:
        return f"late: {form}, {wish.headers}, {waits} s"
    return None


async def main():
    rng, tried, wrong = random.Random(asked.seed), Counter(), []
    async with Sandbox() as sandbox:
        for number in range(asked.lookups):
            form = list(FORMS)[number % len(FORMS)]
            tried[form] += 1
            if (trouble := await wrong_about(sandbox, rng, number, form)) is not None:
                wrong.append(trouble)
    return {"tried": tried.total(), "wrong": wrong, "forms": dict(tried)}


if __name__ == "__main__":
    asked = options_of(__doc__, lookups=500, seed=1)
    answer(virtual.run(main))
