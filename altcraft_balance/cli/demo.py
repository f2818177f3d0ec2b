"""``altcraft-balance demo``: many lookups against a sandbox that misbehaves, each one verified.

The sandbox can say what each member's balance is, so "0 wrong" is counted and not hoped for.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Final

import typer
from attrs import define, field

from altcraft_balance.cli.exits import ExitCode
from altcraft_balance.cli.progress import follow
from altcraft_balance.cli.sandbox import Seed
from altcraft_balance.cli.show import Screen, rows, screen
from altcraft_balance.cli.stopping import run_until_signal
from altcraft_balance.client import BalanceClient
from altcraft_balance.models import ByEmail, Found, Outcome
from altcraft_balance.sandbox import Sandbox
from altcraft_balance.settings import Format, RetryPolicy
from altcraft_balance.telemetry.progress import Progress

__all__ = ["demo"]

#: A tenth of all requests. None of these makes a lookup slow by design, as a Retry-After would.
FAULTS: Final = (
    "reset=0.02,status500=0.01,app_error_200=0.01,html=0.01,empty=0.005,truncated=0.01,"
    "other_format=0.01,stray=0.015,idle_close=0.005,late_408=0.005"
)
_PROGRAM: Final = 123
_FORMATS: Final[tuple[Format, ...]] = ("json", "xml")
# At a fault rate of 10 % one lookup in 10**12 meets twelve of them in a row.
_RETRY: Final = RetryPolicy(max_attempts=12, base_s=0.02, cap_s=1.0)


@define
class Tally:
    """What came of the lookups.

    Attributes:
        members: how many were to be looked up.
        right: balances equal to the sandbox's.
        wrong: balances that are not.
        failed: errors by kind.
        dropped: idle connections that were not clean when they were wanted.
        elapsed_s: seconds that the lookups took together.
    """

    members: int
    right: int = 0
    wrong: int = 0
    failed: Counter[str] = field(factory=Counter)
    dropped: int = 0
    elapsed_s: float = 0.0

    @property
    def done(self) -> int:
        """Lookups that ended, in whatever way."""
        return self.right + self.wrong + self.failed.total()

    @property
    def lost(self) -> int:
        """Members about whom nothing was heard."""
        return self.members - self.done

    @property
    def all_right(self) -> bool:
        """Whether every member's right balance came."""
        return self.right == self.members

    def count(self, outcome: Outcome, sandbox: Sandbox) -> None:
        """Count one outcome, verified against the sandbox's own function."""
        if not isinstance(outcome, Found):
            self.failed[outcome.error.kind] += 1
            return
        truth = sandbox.balance_of(outcome.query, loyalty_program_id=_PROGRAM)
        balance = outcome.balance
        if truth is not None and (balance.total_balance, balance.active_balance) == (
            truth.total_balance,
            truth.active_balance,
        ):
            self.right += 1
        else:
            self.wrong += 1


def demo(
    members: Annotated[
        int,
        typer.Option(
            "--members", metavar="NUMBER", min=1, help="How many to look up.", show_envvar=False
        ),
    ] = 20_000,
    faults: Annotated[
        str,
        typer.Option(
            "--faults",
            metavar="NAME=RATE,...",
            help="How the server misbehaves; sandbox --help lists the names.",
            show_default="ten kinds, 10 % of all requests",
            show_envvar=False,
        ),
    ] = FAULTS,
    seed: Seed = 0,
) -> int:
    """Look up thousands of members on a server that misbehaves, and verify every balance."""
    out = screen()
    server = Sandbox(faults=faults, seed=seed)
    tally = run_until_signal(_run(server, members, faults, out))
    return ExitCode.DONE if tally.all_right else ExitCode.FAILURES


async def _run(server: Sandbox, members: int, faults: str, out: Screen) -> Tally:
    tally, heard = Tally(members), Progress()
    async with server:
        server_is = f"a sandbox in this process, {server.url}"
        faults_are = faults.replace(",", ", ") or "none"
        out.print(rows([("Server", server_is), ("Faults", faults_are)]))
        await _look_one_up(server, out)
        half = members // 2
        shares = {"json": range(half), "xml": range(half, members)}
        for form in _FORMATS:
            await _stream(server, form, shares[form], tally, heard)
        _sum_up(server, tally, heard, out)
    return tally


async def _look_one_up(server: Sandbox, out: Screen) -> None:
    """The same member in both formats."""
    member = ByEmail("user@example.com")
    out.print(f"\n{member.email}, asked in both formats:\n")
    for form in _FORMATS:
        async with _client(server, form, Progress()) as client:
            balance = await client.get_balance(member)
        total, active = format(balance.total_balance, "f"), format(balance.active_balance, "f")
        out.print(f"  {form.upper():<6}total {total}, active {active}")
    out.print()


def _client(server: Sandbox, form: Format, heard: Progress) -> BalanceClient:
    return BalanceClient(
        server.url,
        token="sandbox-token",  # noqa: S106 - opens nothing but the sandbox
        loyalty_program_id=_PROGRAM,
        format=form,
        retry=_RETRY,
        on_event=heard,
    )


async def _stream(
    server: Sandbox, form: Format, numbers: range, tally: Tally, heard: Progress
) -> None:
    """Look the members with these numbers up, in one stream."""
    label, done_before, began_s = f"{form.upper():<4}", tally.done, time.monotonic()
    with follow(screen(stderr=True), label, len(numbers)) as tell:
        async with _client(server, form, heard) as client:
            async with client.stream_balances(_members(numbers)) as outcomes:
                async for outcome in outcomes:
                    tally.count(outcome, server)
                    done = tally.done - done_before
                    tell(done, f"{done / (time.monotonic() - began_s + 1e-9):,.0f}/s")
            tally.dropped += client.stats().connections_dropped
    tally.elapsed_s += time.monotonic() - began_s


def _members(numbers: range) -> Iterator[ByEmail]:
    return (ByEmail(f"member{number}@example.com") for number in numbers)


def _sum_up(server: Sandbox, tally: Tally, heard: Progress, out: Screen) -> None:
    seen = heard.snapshot()
    out.print()
    out.print(
        rows(
            [
                ("Looked up", f"{tally.members:,} members, half in JSON and half in XML"),
                ("Time", f"{tally.elapsed_s:.1f} s"),
                ("Rate", f"{tally.done / (tally.elapsed_s + 1e-9):,.0f} lookups/s"),
                ("One lookup", f"p50 {_ms(seen.p50_s)}, p99 {_ms(seen.p99_s)}, waits included"),
                ("Requests", f"{seen.requests:,}"),
                ("Retries", f"{seen.retries:,} after a wait"),
                ("Repeats", f"{seen.free_repeats:,} at once, since a connection was dead"),
                ("Dropped", f"{tally.dropped:,} idle connections that were not clean"),
                ("Met", _met(server)),
                ("Failed", _failed(tally)),
            ]
        )
    )
    verdict = f"{tally.wrong:,} wrong, {tally.lost:,} lost"
    out.print(f"\n{verdict}: {tally.right:,} of {tally.members:,} balances verified.")


def _ms(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"{seconds * 1000:,.0f} ms"


def _met(server: Sandbox) -> str:
    met = Counter(server.counts)
    del met["ok"]
    return ", ".join(f"{name}={count}" for name, count in met.most_common()) or "no fault"


def _failed(tally: Tally) -> str:
    return ", ".join(f"{kind}={count}" for kind, count in tally.failed.most_common()) or "none"
