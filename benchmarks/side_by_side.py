"""The same servers for this client and for its peers, on a virtual clock.

Servers, network, clock and judge are those of `tests.simulation`. A peer gets aiohttp's own
`ClientSession`, whose connector connects in memory; the server is aiohttp's as well.
"""

import asyncio
import functools
import random
from datetime import UTC, datetime
from decimal import Decimal
from unittest.mock import patch

import aiohttp
from attrs import evolve

from altcraft_balance.errors import AltcraftBalanceError, ConnectionFailed
from altcraft_balance.models import Balance, BalanceQuery, ByEmail, Failed, Found
from altcraft_balance.urls import endpoint_url
from benchmarks.peers import MAX_ATTEMPTS, PEERS, TROUBLES, timeouts
from tests.simulation import world
from tests.simulation.scenarios import SCENARIOS

OURS = "this client"
KNOWN = "this client, rate known"
NAMES = (*PEERS, OURS, KNOWN)
PROGRAM = 123
#: By name, and how many items in the place of the scenario's own number.
SIZES = {
    "quota": None,
    "outage": 1200,
    "recovery": None,
    "slow": None,
    "flapping": None,
    "bad_connections": None,
    "bad_answers": None,
    "knee": None,
}
RATE_KNOWN = {"quota": 50.0}


def runs(scenarios, seeds):
    """Triples of scenario, client and seed, the longest first."""
    return [
        (scenario, name, seed)
        for scenario in sorted(scenarios, key=list(SIZES).index)
        for name in NAMES
        for seed in range(1, seeds + 1)
        if name != KNOWN or scenario in RATE_KNOWN
    ]


def scenario_of(name, client):
    """The scenario without the single calls that the simulation makes beside the batch."""
    scenario = evolve(SCENARIOS[name], calls=0, max_attempts=MAX_ATTEMPTS)
    if SIZES[name] is not None:
        scenario = evolve(scenario, items=SIZES[name])
    if client == KNOWN:
        scenario = evolve(scenario, limits={"rate_per_s": RATE_KNOWN[name]})
    return scenario


def run(name, client, seed):
    """The report of one run; raises when something was wrong with the run itself."""
    random.seed(f"{seed} {name} {client}")  # the libraries draw from the module's own source
    scenario = scenario_of(name, client)
    if client in PEERS:
        peers_world = functools.partial(PeerWorld, peer=PEERS[client])
        with patch.object(world, "World", peers_world):
            report = world.simulate(scenario, seed).report
    else:
        report = world.simulate(scenario, seed).report
    if report.problems:
        raise RuntimeError(f"{name}, {client}, seed {seed}: {report.problems}")
    return report


class MemoryConnector(aiohttp.TCPConnector):
    """aiohttp's own pool, but `connect` makes the connections, in memory."""

    def __init__(self, connect, **options):
        super().__init__(**options)
        self._open = connect

    async def _create_connection(self, req, traces, timeout):
        try:
            async with asyncio.timeout(timeout.sock_connect):
                _, protocol = await self._open(self._factory, req.url.raw_host, req.port)
        except ConnectionError as error:
            raise aiohttp.ClientConnectorError(req.connection_key, error) from error
        return protocol


class PeerWorld(world.World):
    """The simulation's world with a peer in the client's place."""

    def __init__(self, *arguments, peer):
        super().__init__(*arguments)
        self._peer = peer
        self._url = endpoint_url(world.URL)

    async def _ask(self):
        slots = asyncio.Semaphore(self.scenario.concurrency)
        connector = MemoryConnector(self.door.connect, limit=self.scenario.concurrency)
        async with aiohttp.ClientSession(connector=connector, timeout=timeouts()) as session:
            ask = self._peer(session)
            items = range(self.scenario.items)
            await asyncio.gather(*(self._item(ask, slots, number) for number in items))

    async def _item(self, ask, slots, number):
        query = BalanceQuery(ByEmail(f"member-{number}@example.com"))
        fields = {
            "token": "sandbox-token",
            "loyalty_program_id": PROGRAM,
            "matching": "email",
            "email": query.matching.email,
        }
        try:
            async with slots:
                balance = _balance(await ask(self._url, fields))
        except TROUBLES as error:
            failure = ConnectionFailed(type(error).__name__)
            self.judge.item(Failed(query=query, index=number, error=failure))
        else:
            self.judge.item(Found(query=query, index=number, balance=balance))


def _balance(reply):
    if reply["error"] != 0:
        raise AltcraftBalanceError(reply["error_text"])
    return Balance(
        total_balance=Decimal(str(reply["data"]["total_balance"])),
        active_balance=Decimal(str(reply["data"]["active_balance"])),
        loyalty_program_id=PROGRAM,
        looked_up_at=datetime.now(UTC),
    )
