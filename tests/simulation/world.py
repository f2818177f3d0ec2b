"""One run: the real client, the real sandbox, a network in memory, a clock that jumps.

All that is random comes from the seed, through sources of their own for the client's jitter, the
sandbox's faults, the server's behaviours and the single calls, so that a change in one does not
shift the others. Time is async-solipsism's: it jumps as soon as nothing can run, and a run in
which nothing can ever run again ends with an error.
"""

import asyncio
import traceback
import warnings
from contextlib import suppress
from random import Random
from unittest.mock import patch

import async_solipsism
from async_solipsism.exceptions import ResolutionWarning, SleepForeverError
from attrs import frozen

from altcraft_balance.client import BalanceClient
from altcraft_balance.models import ByEmail
from altcraft_balance.sandbox import Sandbox
from altcraft_balance.settings import ClientSettings, Limits, RetryPolicy
from altcraft_balance.transport.aiohttp import AiohttpTransport
from altcraft_balance.transport.direct import DirectTransport
from tests.simulation.judge import Judge
from tests.simulation.report import Report
from tests.simulation.server import Door, number_in
from tests.simulation.trace import Trace

URL = "http://127.0.0.1:8085"
_MOST_TURNS = 100_000
#: The numbers of single calls begin here, above all items'.
CALLS_FROM = 1_000_000


@frozen
class Run:
    """What came of a run: figures, and the trace line by line."""

    report: Report
    lines: tuple[str, ...]


def simulate(scenario, seed, lane="aiohttp"):
    """Run `scenario` with `seed` on a loop of its own, over that transport."""
    with warnings.catch_warnings(), suppress(Stuck, SleepForeverError):
        # Time goes in steps of 1 µs; a wait of less than half of one is over at once.
        warnings.simplefilter("ignore", ResolutionWarning)
        with asyncio.Runner(debug=False, loop_factory=Loop) as runner:
            world = World(scenario, seed, runner.get_loop(), lane)
            # aiohttp times its idle connections by the machine's clock, on whatever loop.
            with patch("aiohttp.connector.monotonic", world.clock):
                try:
                    runner.run(world.run())
                except SleepForeverError:
                    world.judge.problem("deadlock: nothing can ever run again")
                except Stuck:
                    world.judge.problem("livelock: it runs on and on, and no time passes")
    return Run(world.judge.report(world.door, world.trace), world.trace.lines)


class Stuck(Exception):
    """So many turns of the loop, and no time passes."""


class Loop(async_solipsism.EventLoop):
    """A virtual clock; an end to what would go on for ever in one moment of it."""

    _turns, _moment = 0, 0.0

    def _run_once(self):
        super()._run_once()
        self._turns += 1
        if self._turns >= _MOST_TURNS:
            before, self._turns, self._moment = self._moment, 0, self.time()
            if before == self._moment:
                raise Stuck


class Simulated:
    """The real transport, on pipes; it tells the judge what is on the wire."""

    def __init__(self, settings, world):
        super().__init__(
            settings,
            user_agent="simulation/1",
            tell=lambda news: world.client._session._heard(news),
            connect=world.door.connect,
            look=lambda pipe: pipe.has_unread(),
        )
        self._judge = world.judge

    async def send(self, body, headers, *, limit_s, fresh=False):
        self._judge.sends(number_in(body), fresh=fresh)
        try:
            return await super().send(body, headers, limit_s=limit_s, fresh=fresh)
        finally:
            self._judge.on_wire -= 1


class SimulatedTransport(Simulated, AiohttpTransport):
    """aiohttp's."""


class SimulatedDirect(Simulated, DirectTransport):
    """The fast lane's."""


_LANES = {"aiohttp": SimulatedTransport, "direct": SimulatedDirect}


class World:
    """A client and a server that are about to meet."""

    def __init__(self, scenario, seed, loop, lane="aiohttp"):
        self.scenario, self.seed, self.loop, self.lane = scenario, seed, loop, lane
        self.clock = loop.time
        self.trace = Trace(self.clock)
        self.sandbox = Sandbox(faults=scenario.faults, seed=seed)
        self.judge = Judge(scenario, seed, self.sandbox, self.clock)
        self.door = self.client = None

    def chance(self, whose):
        """A source of randomness for one purpose."""
        return Random(f"{self.seed} {whose}")

    async def run(self):
        """All of it, within the scenario's limit of virtual time."""
        self.door = Door(
            self.sandbox,
            self.scenario.behaviours,
            self.chance("server"),
            lambda what: self.trace.add("server", what),
        )
        for behaviour in self.scenario.behaviours:
            for at, what in behaviour.changes():
                self.loop.call_at(at, self.door.change, what)
        try:
            async with asyncio.timeout(self.scenario.ends_within_s):
                await self._ask()
        except TimeoutError:
            limit_s = self.scenario.ends_within_s
            self.judge.problem(f"not over after {limit_s:g} s; the last line: {self.last_line()}")
        except Exception:
            self.judge.problem("".join(traceback.format_exc(limit=-3)))
        finally:
            await self._close_server()

    async def _ask(self):
        self.client = self._make_client()
        async with self.client, asyncio.TaskGroup() as calls:
            chance = self.chance("calls")
            for number in range(self.scenario.calls):
                at = chance.uniform(0, self.scenario.calls_within_s)
                calls.create_task(self._call(CALLS_FROM + number, at))
            await self._batch()
        self.judge.closed(self.client.stats())

    async def _batch(self):
        members = (_email(number) for number in range(self.scenario.items))
        async with self.client.stream_balances(members, by=ByEmail) as outcomes:
            async for outcome in outcomes:
                self.judge.item(outcome)

    async def _call(self, number, at):
        await asyncio.sleep(at)
        await self.judge.call(self.client, ByEmail(_email(number)))

    def _make_client(self):
        scenario = self.scenario
        settings = {
            "base_url": URL,
            "token": "sandbox-token",
            "loyalty_program_id": 123,
            "format": scenario.form,
            "retry": RetryPolicy(max_attempts=scenario.max_attempts),
            "limits": Limits(concurrency=scenario.concurrency, **scenario.limits),
        }
        transport = _LANES[self.lane](ClientSettings(**settings), self)
        client = BalanceClient(**settings, transport=transport, on_event=self._heard)
        client._session.rng = self.chance("jitter")
        return client

    def last_line(self):
        """What happened last."""
        return " ".join(self.trace.lines[-1].split()) if self.trace.lines else "none"

    def _heard(self, event):
        self.trace.heard(event)
        self.judge.heard(event)

    async def _close_server(self):
        self.door.cut()
        while self.door.connections:  # noqa: ASYNC110 - a few turns: each has been told to go
            await asyncio.sleep(0)


def _email(number):
    return f"member-{number}@example.com"
