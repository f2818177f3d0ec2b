"""This package: the whole client, as it comes, with the number of slots set.

A stream is what a bulk job writes; single calls in fixed workers are what a web backend does. A
stream has four workers a slot, so the time it states for a lookup, which runs from when the member
was taken, has the wait for a slot in it.
"""

from collections.abc import Iterable

from altcraft_balance.client import BalanceClient
from altcraft_balance.models import ByEmail, CurrencyEid, Found
from altcraft_balance.settings import Limits
from benchmarks.side.answer import ACTIVE, CURRENCY, PROGRAM, TOKEN, TOTAL, WrongAnswer
from benchmarks.side.drive import Peer, Watch


class _Ours(Peer):
    ours = True
    packages = ("altcraft-balance",)
    transport = "aiohttp"

    @classmethod
    def look(cls):
        BalanceClient("http://127.0.0.1:1", token=TOKEN, transport=cls.transport)

    async def open(self):
        target = self.target
        self.client = BalanceClient(
            target.base_url,
            token=TOKEN,
            loyalty_program_id=PROGRAM,
            currency=CurrencyEid(CURRENCY),
            format=target.format,
            transport=self.transport,
            limits=Limits(concurrency=target.at),
            ca_file=target.ca_file,
        )
        await self.client.open()

    async def close(self):
        await self.client.aclose()


class _Stream(_Ours):
    note = "latency counts from when a member was taken, the wait for a slot included"

    async def run(self, things: Iterable[str], watch: Watch) -> None:
        async with self.client.stream_balances(things, by=ByEmail) as outcomes:
            async for outcome in outcomes:
                watch.took.append(outcome.elapsed_s)
                if isinstance(outcome, Found):
                    self._check(outcome.balance, watch)
                else:
                    watch.fail(outcome.error)

    def _check(self, balance, watch):
        if balance.total_balance == TOTAL and balance.active_balance == ACTIVE:
            watch.checked += 1
        else:
            watch.fail(WrongAnswer(f"{balance.total_balance} and {balance.active_balance}"))


class _Calls(_Ours):
    async def ask(self, thing: str) -> int:
        balance = await self.client.get_balance(ByEmail(thing))
        if balance.total_balance == TOTAL and balance.active_balance == ACTIVE:
            return 1
        raise WrongAnswer(f"{balance.total_balance} and {balance.active_balance}")


class DefaultStream(_Stream):
    title = "altcraft_balance, a stream"
    packages = ("altcraft-balance", "aiohttp")


class DefaultCalls(_Calls):
    title = "altcraft_balance, single calls"
    packages = ("altcraft-balance", "aiohttp")


class DirectStream(_Stream):
    title = "altcraft_balance, direct, a stream"
    packages = ("altcraft-balance", "httptools")
    transport = "direct"


class DirectCalls(_Calls):
    title = "altcraft_balance, direct, single calls"
    packages = ("altcraft-balance", "httptools")
    transport = "direct"
