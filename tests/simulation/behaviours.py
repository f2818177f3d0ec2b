"""How a server behaves over time and under load: small values, put together by scenarios.

A behaviour is asked about each request as it arrives. It may put the reply off, and it may put
something in the place of the right answer. Behaviours are asked in order and their delays add up,
as far as the first that has something else to say than the right answer: behind a quota that
refuses at once nobody works. What one has to remember is kept by the function that `begin` gives,
so that the value itself stays what it was.

All times are seconds from the scenario's start.
"""

import math

from attrs import frozen

from altcraft_balance.sandbox.quota import Quota as Bucket


@frozen
class Arrival:
    """A request as it arrives: when, on which connection, how many are under way, for whom."""

    now: float
    connection: int
    under_way: int
    item: int


@frozen
class Page:
    """A status without an envelope, in the place of the answer."""

    status: int
    retry_after_s: int | None = None


@frozen
class Reset:
    """The connection breaks, in the place of the answer."""


@frozen
class Silence:
    """Nothing ever comes."""


@frozen
class Verdict:
    """What a behaviour has to say about one request; `instead` None means the right answer."""

    delay_s: float = 0.0
    instead: Page | Reset | Silence | None = None


FAILURES = {"status500": Page(500), "reset": Reset(), "refused": Reset(), "silent": Silence()}


class Behaviour:
    """What every behaviour has, and what the better part of them has no use for.

    Attributes:
        head_start: answers that it gives at once, before its rate counts; for the ideal time.
    """

    head_start = 0.0

    def begin(self, chance):
        """A function from `Arrival` to `Verdict`, with a memory of its own."""
        raise NotImplementedError

    def refuses(self, now):
        """How a new connection fares now: None, ``refused`` or ``silent``."""

    def changes(self):
        """When the server changes: pairs of a time and a word for the trace."""
        return ()

    def rate_per_s_at(self, now):
        """The most answers a second that it lets through; for the ideal time."""
        return math.inf

    def latency_s_at(self, now, under_way):
        """By how much it puts a reply off on average; for the ideal time."""
        return 0.0


@frozen
class Steady(Behaviour):
    """Every reply takes `latency_s`, and at random up to `jitter_s` more."""

    latency_s: float = 0.05
    jitter_s: float = 0.02

    def begin(self, chance):
        return lambda _: Verdict(self.latency_s + chance.uniform(0, self.jitter_s))

    def latency_s_at(self, now, under_way):
        return self.latency_s + self.jitter_s / 2


@frozen
class Quota(Behaviour):
    """429 with ``Retry-After`` to what is beyond the rate, at once."""

    rate_per_s: float = 50.0
    burst: float = 50.0
    retry_after_s: int = 1

    def begin(self, chance):
        bucket, refusal = Bucket(self.rate_per_s, self.burst), Page(429, self.retry_after_s)

        def meet(arrival):
            return Verdict() if bucket.take(arrival.now) else Verdict(0.0, refusal)

        return meet

    def rate_per_s_at(self, now):
        return self.rate_per_s

    @property
    def head_start(self):
        return self.burst


@frozen
class Capacity(Behaviour):
    """Requests are worked off one after another; 503 to what would wait longer than `queue_s`."""

    rate_per_s: float = 200.0
    queue_s: float = 1.0

    def begin(self, chance):
        free_at = 0.0

        def meet(arrival):
            nonlocal free_at
            begun = max(free_at, arrival.now)
            if begun - arrival.now > self.queue_s:
                return Verdict(0.0, Page(503))
            free_at = begun + 1 / self.rate_per_s
            return Verdict(free_at - arrival.now)

        return meet

    def rate_per_s_at(self, now):
        return self.rate_per_s


@frozen
class Down(Behaviour):
    """Everything fails between each of `times`.

    Attributes:
        times: pairs of seconds, from and to.
        how: ``refused`` and ``reset`` also break what is open; ``status500`` answers; ``silent``
            neither answers nor accepts.
    """

    times: tuple[tuple[float, float], ...]
    how: str = "refused"

    def begin(self, chance):
        failed = Verdict(0.0, FAILURES[self.how])
        return lambda arrival: failed if self.is_down(arrival.now) else Verdict()

    def is_down(self, now):
        return any(begins <= now < ends for begins, ends in self.times)

    def refuses(self, now):
        return self.how if self.how in {"refused", "silent"} and self.is_down(now) else None

    def changes(self):
        for begins, ends in self.times:
            yield begins, f"down ({self.how})"
            yield ends, "up"

    def rate_per_s_at(self, now):
        return 0.0 if self.is_down(now) else math.inf


def flapping(*, up_s, down_s, times, how="refused"):
    """Up, down, up, down: so often."""
    whole_s = up_s + down_s
    return Down(tuple((n * whole_s + up_s, (n + 1) * whole_s) for n in range(times)), how)


@frozen
class Slow(Behaviour):
    """Latency grows evenly to `peak_s` and falls again, between two times."""

    begins: float
    ends: float
    peak_s: float = 4.0

    def begin(self, chance):
        return lambda arrival: Verdict(self.latency_s_at(arrival.now, 1))

    def latency_s_at(self, now, under_way):
        middle, half = (self.begins + self.ends) / 2, (self.ends - self.begins) / 2
        return self.peak_s * max(0.0, 1 - abs(now - middle) / half)

    def changes(self):
        yield self.begins, f"slower, up to {self.peak_s:g} s"
        yield self.ends, "as fast as before"


@frozen
class BadConnections(Behaviour):
    """Some connections never give an answer."""

    share: float = 0.1
    how: str = "reset"

    def begin(self, chance):
        bad = {}

        def meet(arrival):
            if arrival.connection not in bad:
                bad[arrival.connection] = chance.random() < self.share
            return Verdict(0.0, FAILURES[self.how]) if bad[arrival.connection] else Verdict()

        return meet


@frozen
class BadMembers(Behaviour):
    """For one member in so many there is never an answer."""

    every: int = 33
    how: str = "status500"

    def begin(self, chance):
        failed = Verdict(0.0, FAILURES[self.how])
        return lambda arrival: failed if self.is_bad(arrival.item) else Verdict()

    def is_bad(self, item):
        return item % self.every == self.every - 1


@frozen
class Knee(Behaviour):
    """Beyond `knee` requests under way latency grows with their square, and no more gets done."""

    knee: int = 16
    base_s: float = 0.05

    def begin(self, chance):
        return lambda arrival: Verdict(self.latency_s_at(arrival.now, arrival.under_way))

    def latency_s_at(self, now, under_way):
        return self.base_s * max(0.0, (under_way / self.knee) ** 2 - 1)
