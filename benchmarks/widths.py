"""Which rule for the width of the semaphore: a simulation in virtual time, seeded.

    python benchmarks/widths.py [seed [server ...]]

As many clients as there are slots ask a server of some kind in a closed loop, without a rule and
with each candidate. `AdaptiveWidth` won and is in the library; those that lost are here only.
"""

from __future__ import annotations

import heapq
import math
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from altcraft_balance.policy.width import AdaptiveWidth

ATTEMPT_S = 10.0
BASE_S = 0.05

Done = Callable[[bool], None]  # told whether the attempt was answered


class Fixed:
    """No rule; also what the losing rules share: windows of a quarter of a second."""

    def __init__(self, most: int) -> None:
        self.width = self.most = most
        self.due_at = self.total_s = self.long_s = 0.0
        self.count = self.in_use = 0
        self.least_s = math.inf

    def note(self, now: float, latency_s: float, in_use: int, answered: bool = True) -> None:
        self.total_s += latency_s
        self.count += 1
        self.in_use += in_use

    def due(self, now: float) -> bool:
        return now >= self.due_at

    def tick(self, now: float, lag_s: float) -> None:
        self.due_at = now + 0.25
        if self.count >= 10:
            mean_s = self.total_s / self.count
            self.least_s = min(self.least_s, mean_s)
            if self.in_use / self.count > self.width / 2:
                width = self.decided(mean_s, mean_s - 4 * lag_s)
                self.width = max(1, min(self.most, int(width)))
            self.total_s, self.count, self.in_use = 0.0, 0, 0

    def decided(self, mean_s: float, servers_s: float) -> float:
        return self.width


class Aimd(Fixed):
    """Times 0.9 while the mean latency is over twice the least seen; else one more."""

    def decided(self, mean_s: float, servers_s: float) -> float:
        return self.width * 0.9 if servers_s > 2 * self.least_s else self.width + 1


class Gradient(Fixed):
    """After Gradient2: a long mean of the latency over the present one, and room for a queue."""

    def decided(self, mean_s: float, servers_s: float) -> float:
        self.long_s += (mean_s - self.long_s) * (0.01 if self.long_s else 1.0)
        if self.long_s > 2 * mean_s:
            self.long_s *= 0.95
        gradient = max(0.5, min(1.0, 1.5 * self.long_s / max(servers_s, 1e-9)))
        aim = self.width * gradient + math.sqrt(self.width)
        return math.ceil(0.8 * self.width + 0.2 * aim)


class Vegas(Fixed):
    """The queue that the growth over the least latency stands for, kept between two bounds."""

    def decided(self, mean_s: float, servers_s: float) -> float:
        queue = self.width * (1 - self.least_s / max(servers_s, self.least_s))
        unit = max(1.0, math.log10(self.width))
        if queue > 6 * unit:
            return self.width - unit
        return self.width + unit if queue < 3 * unit else self.width


class Simulation:
    """Virtual time."""

    def __init__(self, seed: int) -> None:
        self.now = 0.0
        self.random = random.Random(seed)
        self.serial = count()
        self.events: list[tuple[float, int, Done, bool]] = []

    def at(self, when: float, call: Done, value: bool = True) -> None:
        heapq.heappush(self.events, (when, next(self.serial), call, value))

    def run(self, until_s: float) -> None:
        while self.events and self.events[0][0] < until_s:
            self.now, _, call, value = heapq.heappop(self.events)
            call(value)


class Server(Protocol):
    """Calls `done` when an attempt ends."""

    def arrive(self, sim: Simulation, done: Done) -> None: ...


@dataclass
class Free:
    """Latency does not depend on load."""

    latency_s: Callable[[random.Random], float]

    def arrive(self, sim: Simulation, done: Done) -> None:
        latency_s = self.latency_s(sim.random)
        sim.at(sim.now + min(latency_s, ATTEMPT_S), done, latency_s < ATTEMPT_S)


class Workers:
    """So many workers and a queue in front; silent past `queue`; late work is done in vain."""

    def __init__(self, workers: int, queue: float = math.inf, service_s: float = BASE_S) -> None:
        self.free_at = [0.0] * workers
        self.room, self.inside = workers + queue, 0
        self.service_s = service_s

    def arrive(self, sim: Simulation, done: Done) -> None:
        late_at = sim.now + ATTEMPT_S
        if self.inside >= self.room:
            sim.at(late_at, done, False)
            return

        def leave(answered: bool) -> None:
            self.inside -= 1
            done(answered)

        self.inside += 1
        served_at = max(sim.now, self.free_at[0]) + self.service_s * sim.random.uniform(0.5, 1.5)
        heapq.heapreplace(self.free_at, served_at)
        sim.at(min(served_at, late_at), leave, served_at < late_at)


class Contended:
    """Requests share it and slow each other: the most is answered at `knee`, less beyond."""

    def __init__(self, knee: int) -> None:
        self.knee = knee
        self.work = self.since = 0.0  # done so far for a request that was there all the time
        self.inside: list[tuple[float, int, Done]] = []
        self.plan = 0

    def arrive(self, sim: Simulation, done: Done) -> None:
        self.advance(sim)
        end = self.work + sim.random.uniform(0.5, 1.5)
        heapq.heappush(self.inside, (end, next(sim.serial), done))
        self.expect(sim)

    def pace(self) -> float:
        return 1 / (BASE_S * (1 + (len(self.inside) / self.knee) ** 2))

    def advance(self, sim: Simulation) -> None:
        self.work += (sim.now - self.since) * self.pace()
        self.since = sim.now

    def expect(self, sim: Simulation) -> None:
        self.plan += 1
        plan = self.plan

        def leave(value: bool) -> None:
            if plan == self.plan:
                self.advance(sim)
                _, _, done = heapq.heappop(self.inside)
                self.expect(sim)
                done(True)

        if self.inside:
            sim.at(sim.now + max(0.0, self.inside[0][0] - self.work) / self.pace(), leave)


class Then:
    """One server after another: each until its time."""

    def __init__(self, *turns: tuple[float, Server]) -> None:
        self.turns = turns

    def arrive(self, sim: Simulation, done: Done) -> None:
        next(server for until, server in self.turns if sim.now < until).arrive(sim, done)


@dataclass
class Client:
    """Asks as often as it may, or every so often; its CPU takes `cpu_s` for each answer."""

    rule: Fixed | AdaptiveWidth
    server: Server
    sim: Simulation
    cpu_s: float
    every_s: float
    in_use: int = 0
    answers: int = 0
    cpu_free_at: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    widths: list[tuple[float, int]] = field(default_factory=list)

    def ask(self, value: bool = True) -> None:
        while self.in_use < self.rule.width:
            self.send()
            if self.every_s:
                break
        if self.every_s:
            self.sim.at(self.sim.now + self.sim.random.expovariate(1 / self.every_s), self.ask)

    def send(self) -> None:
        self.in_use += 1
        sent_at = self.sim.now

        def arrived(answered: bool) -> None:
            self.cpu_free_at = max(self.cpu_free_at, self.sim.now) + self.cpu_s
            self.sim.at(self.cpu_free_at, ended, answered)

        def ended(answered: bool) -> None:
            self.end(self.sim.now - sent_at, answered)

        self.server.arrive(self.sim, arrived if self.cpu_s else ended)

    def end(self, latency_s: float, answered: bool) -> None:
        now = self.sim.now
        self.answers += answered
        self.latencies_s.append(latency_s)
        self.rule.note(now, latency_s, self.in_use, answered)
        if self.rule.due_at <= now:
            self.rule.tick(now, max(0.0, self.cpu_free_at - now) + self.cpu_s)
            self.widths.append((now, self.rule.width))
        self.in_use -= 1
        if not self.every_s:
            self.ask()


@dataclass(frozen=True)
class Scenario:
    """A server, and the client's circumstances; `over_s`: when the server's trouble is over."""

    name: str
    server: Callable[[], Server]
    most: int = 64
    for_s: float = 60.0
    cpu_s: float = 0.0
    every_s: float = 0.0
    over_s: float = 0.0


def lognormal(median_s: float, sigma: float) -> Free:
    return Free(lambda draw: draw.lognormvariate(math.log(median_s), sigma))


def tail(share: float, slow_s: float) -> Free:
    return Free(lambda draw: slow_s if draw.random() < share else BASE_S)


def steady(times: float = 1.0) -> Free:
    return Free(lambda draw: times * BASE_S)


def between(start_s: float, end_s: float, trouble: Server) -> Then:
    return Then((start_s, steady()), (end_s, trouble), (math.inf, steady()))


SCENARIOS = [
    Scenario("healthy", steady),
    Scenario("healthy, uniform 0..5x", lambda: Free(lambda draw: draw.uniform(0, 5 * BASE_S))),
    Scenario("healthy, lognormal", lambda: lognormal(BASE_S, 1.0)),
    Scenario("healthy, 1 % take 1 s", lambda: tail(0.01, 1.0)),
    Scenario("healthy, 5 % time out", lambda: tail(0.05, math.inf)),
    Scenario("healthy, 1,000 wide", lambda: lognormal(0.5, 0.5), most=1000, for_s=30),
    Scenario("healthy, one a second", steady, every_s=1.0),
    Scenario("our CPU saturated", steady, cpu_s=0.004),
    Scenario("3x slower for good", lambda: between(20, math.inf, steady(3)), for_s=120),
    Scenario("3x slower 20..40 s", lambda: between(20, 40, steady(3)), over_s=40),
    Scenario("8 workers", lambda: Workers(8)),
    Scenario("32 workers", lambda: Workers(32)),
    Scenario("8 workers 20..40 s", lambda: between(20, 40, Workers(8)), over_s=40),
    Scenario("8 workers, silent past 24", lambda: Workers(8, queue=16)),
    Scenario("8 workers, queue too long", lambda: Workers(8, service_s=1.5), for_s=200),
    Scenario("contended at once", lambda: Contended(12)),
    Scenario("contended from 20 s", lambda: between(20, math.inf, Contended(12))),
    Scenario("contended 20..40 s", lambda: between(20, 40, Contended(12)), over_s=40),
]

RULES: dict[str, Callable[[int], Fixed | AdaptiveWidth]] = {
    "none": Fixed,
    "AIMD": Aimd,
    "gradient": Gradient,
    "Vegas": Vegas,
    "AdaptiveWidth": AdaptiveWidth,
}


def simulate(scenario: Scenario, rule: Fixed | AdaptiveWidth, seed: int) -> Client:
    sim = Simulation(seed)
    client = Client(rule, scenario.server(), sim, scenario.cpu_s, scenario.every_s)
    client.ask()
    sim.run(scenario.for_s)
    return client


def again_wide_s(client: Client, scenario: Scenario) -> str:
    """Seconds from the end of the trouble until nine slots of ten were allowed again."""
    if not scenario.over_s:
        return ""
    full = (
        now
        for now, width in client.widths
        if now > scenario.over_s and width >= 0.9 * scenario.most
    )
    return f"{next(full, math.inf) - scenario.over_s:.1f}"


def row(scenario: Scenario, name: str, client: Client, plain: Client) -> str:
    took_ms = sorted(latency_s * 1e3 for latency_s in client.latencies_s)
    p50, p99 = took_ms[len(took_ms) // 2], took_ms[len(took_ms) * 99 // 100]
    mean = sum(width for _, width in client.widths) / len(client.widths)
    rate = client.answers / plain.answers
    again = again_wide_s(client, scenario)
    return f"{scenario.name:26} {name:14} {rate:6.3f} {p50:7.0f} {p99:7.0f} {mean:7.1f} {again:>6}"


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    print(
        f"{'server':26} {'rule':14} {'rate':>6} {'p50 ms':>7} {'p99 ms':>7} {'width':>7} wide after"
    )
    names = sys.argv[2:] or [scenario.name for scenario in SCENARIOS]
    for scenario in [scenario for scenario in SCENARIOS if scenario.name in names]:
        clients = {
            name: simulate(scenario, make(scenario.most), seed) for name, make in RULES.items()
        }
        for name, client in clients.items():
            print(row(scenario, name, client, clients["none"]))


if __name__ == "__main__":
    main()
