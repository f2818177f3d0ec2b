"""Which rule finds an unknown quota best? A simulation; prints a table in less than a minute.

    python benchmarks/rates.py [server ...]

A hundred workers in a closed loop, answers after 20 to 50 ms of virtual time, 5,000 items, and a
gate that all rules share: after a refusal nothing is sent for as long as the server asked, and up
to a tenth longer. Each cell: requests per item, time against the ideal (whatever the quota allows
from its full bucket on, without a pause), the most requests within 100 ms after the first second.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
import sys
from collections import deque

from altcraft_balance.policy.pace import Gcra
from altcraft_balance.policy.rate import AdaptiveRate


class Bucket:
    """A server: `take` is whether it accepts a request. It may refuse some whatever the rate."""

    def __init__(self, rate, stored, at_random=0.0):
        self.rate = rate if callable(rate) else lambda _: rate
        self.stored = self.tokens = stored
        self.at, self.at_random, self.draw = 0.0, at_random, random.Random(2).random

    def take(self, now):
        gained = (now - self.at) * self.rate(now)
        self.tokens, self.at = min(self.stored, self.tokens + gained), now
        accepted = self.tokens >= 1 - 1e-9 and self.draw() >= self.at_random
        self.tokens -= accepted
        return accepted


class Window:
    """So many in each window of the clock, or in any."""

    def __init__(self, most, window_s, *, sliding=False):
        self.most, self.window_s, self.sliding, self.taken = most, window_s, sliding, deque()

    def take(self, now):
        since = now - self.window_s if self.sliding else now // self.window_s * self.window_s
        while self.taken and self.taken[0] < since:
            self.taken.popleft()
        if accepted := len(self.taken) < self.most:
            self.taken.append(now)
        return accepted


class GateOnly:
    """No rate at all."""

    def __init__(self):
        self.rate, self.event_at, self.open_at = math.inf, -math.inf, 0.0

    def limit(self, now):
        return self.rate

    def sent(self, now):
        pass

    def answered(self, now, sent_at):
        pass

    def throttled(self, now, sent_at, pause_s):
        self.open_at = now + pause_s


class Cubic(GateOnly):
    """CUBIC on the measured rate of answers, with the constants of botocore's adaptive mode."""

    def __init__(self):
        super().__init__()
        self.measured, self.count, self.since, self.most, self.k = 0.0, 0, None, 0.0, 0.0

    def measure(self, now):
        self.since = now if self.since is None else self.since
        if now - self.since >= 0.5:
            self.measured = 0.8 * self.count / (now - self.since) + 0.2 * self.measured
            self.count, self.since = 0, now

    def answered(self, now, sent_at):
        self.count += 1
        self.measure(now)
        if self.rate < math.inf and now >= self.open_at:
            self.grow(now)

    def grow(self, now):
        grown = 0.4 * (now - self.event_at - self.k) ** 3 + self.most
        self.rate = max(0.5, min(grown, 2 * self.measured))

    def throttled(self, now, sent_at, pause_s):
        super().throttled(now, sent_at, pause_s)
        if sent_at > self.event_at:
            self.measure(now)
            self.most = max(1.0, min(self.measured or 1.0, self.rate))
            self.k, self.event_at = (self.most * 0.3 / 0.4) ** (1 / 3), now
            self.rate = 0.7 * self.most


class Aimd(Cubic):
    """One request a second more each second; 0.7 of the rate after a refusal."""

    def grow(self, now):
        self.rate = 0.7 * self.most + now - self.open_at


class Between(GateOnly):
    """Low: what passed, pause included. High: without it. From one to the other, hold, probe."""

    def __init__(self):
        super().__init__()
        self.count, self.low, self.high, self.hold_s = 0, 0.0, math.inf, 2.0

    def limit(self, now):
        if self.high < math.inf:
            on_s = now - self.open_at
            climb_s = min(1.0, max(0.0, on_s) / 3.0)
            probe_s = max(0.0, on_s - 3.0 - self.hold_s)
            gap = (self.high - self.low) * (1 - climb_s) ** 3
            self.rate = max(0.5, 0.99 * (self.high - gap) + 0.4 * probe_s**3)
        return self.rate

    def answered(self, now, sent_at):
        self.count += now >= self.open_at or self.event_at == -math.inf

    def throttled(self, now, sent_at, pause_s):
        if sent_at > self.event_at:
            since, opened = max(0.0, self.event_at), self.open_at
            self.low = max(0.5, self.count / max(now - since, 1.0))
            high = max(self.low, self.count / max(now - opened, 0.1))
            agreed = abs(high - self.high) < 0.05 * high
            self.hold_s = min(60.0, 4 * self.hold_s) if agreed else 2.0
            self.high, self.event_at, self.count = min(high, self.rate), now, 0
        super().throttled(now, sent_at, pause_s)


RULES = (GateOnly, Cubic, Aimd, Between, AdaptiveRate)


class Client:
    """A closed loop of workers with `items` to look up, from `start` on."""

    def __init__(self, rule, items, workers=100, start=0.0):
        self.rule, self.left, self.workers, self.start = rule, items, workers, start
        self.pace, self.open_at, self.under_way, self.wakes_at = Gcra(math.inf), 0.0, 0, math.inf
        self.sends, self.answers = [], []

    def wait_s(self, now):
        self.pace.rate_per_s = self.rule.limit(now)
        return max(self.open_at - now, self.pace.wait_s(now))

    def send(self, now):
        self.pace.spend(now)
        self.rule.sent(now)
        self.sends.append(now)
        self.under_way += 1


class Loop:
    """Clients and a server on a virtual clock."""

    def __init__(self, server, latency, pause_s, seed):
        self.server, self.latency, self.pause_s = server, latency, pause_s
        self.queue, self.order, self.uniform = [], itertools.count(), random.Random(seed).uniform

    def at(self, moment, client, sent_at=None, accepted=False):
        heapq.heappush(self.queue, (moment, next(self.order), client, sent_at, accepted))

    def step(self):
        now, _, client, sent_at, accepted = heapq.heappop(self.queue)
        if sent_at is not None:
            self.arrive(now, client, sent_at, accepted)
        while client.under_way < min(client.workers, client.left):
            if (wait_s := client.wait_s(now)) > 0:
                if not now < client.wakes_at <= now + wait_s:
                    client.wakes_at = now + wait_s
                    self.at(client.wakes_at, client)
                break
            client.send(now)
            answered_at = now + self.uniform(*self.latency)
            # A clock never shows the same moment twice.
            sent_at = now + 1e-9 * len(client.sends)
            self.at(answered_at, client, sent_at, self.server.take(now))

    def arrive(self, now, client, sent_at, accepted):
        client.under_way -= 1
        if accepted:
            client.left -= 1
            client.answers.append(now)
            client.rule.answered(now, sent_at)
        else:
            client.open_at = max(client.open_at, now + self.pause_s * self.uniform(1.0, 1.1))
            client.rule.throttled(now, sent_at, self.pause_s)


def run(server, clients, *, latency=(0.02, 0.05), pause_s=1.0, until=1500.0, seed=1):
    """Let the clients look up all their items, or as many as they can until then."""
    loop = Loop(server, latency, pause_s, seed)
    for client in clients:
        loop.at(client.start, client)
    while loop.queue and loop.queue[0][0] <= until and any(client.left for client in clients):
        loop.step()


def worst_burst(moments, window_s=0.1):
    recent, worst = deque(), 0
    for moment in moments:
        recent.append(moment)
        while recent[0] <= moment - window_s:
            recent.popleft()
        worst = max(worst, len(recent))
    return worst


def rate_between(client, start, end):
    return sum(start <= moment < end for moment in client.answers) / (end - start)


ITEMS = 5_000
SERVERS = {
    "bucket of 50": (lambda: Bucket(50, 50), 50, {}),
    "bucket of 10": (lambda: Bucket(50, 10), 10, {}),
    "bucket of 1": (lambda: Bucket(50, 1), 1, {}),
    "bucket of 50, latency 1 s": (lambda: Bucket(50, 50), 50, {"latency": (0.9, 1.1)}),
    "50 in each second": (lambda: Window(50, 1.0), 50, {}),
    "50 in any second": (lambda: Window(50, 1.0, sliding=True), 50, {}),
    "500 in each 10 s": (lambda: Window(500, 10.0), 500, {}),
    "500 in any 10 s": (lambda: Window(500, 10.0, sliding=True), 500, {}),
    "no quota, 1 % at random": (lambda: Bucket(2_000, 1_000, at_random=0.01), 50, {}),
    "bucket of 50, and 1 % at random": (lambda: Bucket(50, 50, at_random=0.01), 50, {}),
}


def cell(rule, name):
    server, stored, conditions = SERVERS[name]
    client = Client(rule(), ITEMS)
    run(server(), [client], **conditions)
    if client.left:
        return "never"
    time = client.answers[-1] / ((ITEMS - stored) / 50)
    burst = worst_burst([moment for moment in client.sends if moment > 1.0])
    return f"{len(client.sends) / ITEMS:.3f} {time:6.3f} {burst:3d}"


def changed(rule, factor):
    """Seconds until nine tenths of a changed quota are used, or it is no longer passed."""
    client = Client(rule(), 10**6)
    run(Bucket(lambda now: 50 if now < 100 else 50 * factor, 50), [client], until=260.0)
    good = (0.9, math.inf) if factor > 1 else (0.0, 1.15)
    for after in range(150):
        used = rate_between(client, 100 + after, 110 + after) / (50 * factor)
        if good[0] <= used <= good[1]:
            return f"{after} s"
    return "never"


def shared(rule):
    """What two clients get of one quota, the second of them 5 s late; after a minute."""
    clients = [Client(rule(), 10**6), Client(rule(), 10**6, start=5.0)]
    run(Bucket(50, 50), clients, until=265.0)
    return " + ".join(f"{rate_between(client, 65, 265):.1f}" for client in clients) + " /s"


def main():
    print(f"{'':32}" + "".join(f"{rule.__name__:>18}" for rule in RULES))
    rows = {name: lambda rule, name=name: cell(rule, name) for name in SERVERS}
    rows["quota doubles: found after"] = lambda rule: changed(rule, 2)
    rows["quota halves: found after"] = lambda rule: changed(rule, 0.5)
    rows["two clients share it"] = shared
    for name in sys.argv[1:] or rows:
        print(f"{name:32}" + "".join(f"{rows[name](rule):>18}" for rule in RULES), flush=True)


if __name__ == "__main__":
    main()
