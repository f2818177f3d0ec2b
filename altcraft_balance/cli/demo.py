"""``altcraft-balance demo``: a refresh against a sandbox that misbehaves, killed half-way.

The sandbox can say what each member's balance is, so "0 wrong" is counted and not hoped for. The
first half is asked by a process of its own, in JSON, which is killed; the rest by this one, in XML.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

import typer
from attrs import field, frozen

from altcraft_balance.cli.demo_check import (
    PROGRAM,
    Tally,
    checked_output,
    member,
    write_members,
)
from altcraft_balance.cli.exits import ExitCode
from altcraft_balance.cli.refresh_progress import telling
from altcraft_balance.cli.sandbox import Seed
from altcraft_balance.cli.show import Screen, rows, say_error, screen
from altcraft_balance.cli.stopping import run_until_signal
from altcraft_balance.cli.summary_table import counts
from altcraft_balance.client import BalanceClient
from altcraft_balance.models import ByEmail
from altcraft_balance.refresh.durations import milliseconds, plural, span
from altcraft_balance.refresh.files.csv_file import CsvSink, CsvSource
from altcraft_balance.refresh.options import RunOptions
from altcraft_balance.refresh.rows.limits import MaxFailed
from altcraft_balance.refresh.rows.plan import Asking
from altcraft_balance.refresh.run import Run
from altcraft_balance.refresh.sinks import Sinks
from altcraft_balance.refresh.state.folder import usual_state
from altcraft_balance.refresh.state.seen import runs_in
from altcraft_balance.refresh.summary import RefreshSummary
from altcraft_balance.sandbox import Sandbox
from altcraft_balance.sandbox.faults import checked_rates
from altcraft_balance.settings import Format, RetryPolicy

__all__ = ["demo"]

#: A tenth of all requests. None of these makes a lookup slow by design, as a Retry-After would.
FAULTS: Final = (
    "reset=0.02,status500=0.01,app_error_200=0.01,html=0.01,empty=0.005,truncated=0.01,"
    "other_format=0.01,stray=0.015,idle_close=0.005,late_408=0.005"
)
_TOKEN: Final = "sandbox-token"  # noqa: S105 - opens nothing but the sandbox
_FORMATS: Final[tuple[Format, ...]] = ("json", "xml")
# At a fault rate of 10 % one lookup in 10**12 meets twelve of them in a row.
_RETRY: Final = RetryPolicy(max_attempts=12, base_s=0.02, cap_s=1.0)
_ALL_MAY_FAIL: Final = "100%"  # failures are shown at the end, and decide the exit code
_LOOK_EVERY_S: Final = 0.005


@frozen
class _Demo:
    """One demo.

    Attributes:
        server: who is asked until the kill.
        members: how many are looked up.
        folder: where the input and the output lie.
        out: where it is told.
    """

    server: Sandbox
    members: int
    out: Screen
    folder: Path = field(factory=lambda: Path(tempfile.mkdtemp(prefix="altcraft-balance-demo-")))

    @property
    def input(self) -> Path:
        """The members."""
        return self.folder / "members.csv"

    @property
    def output(self) -> Path:
        """Their balances."""
        return self.folder / "balances.csv"


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
    """Refresh a file of members on a server that misbehaves, and verify every row of it.

    The run is killed half-way, goes on by itself, and leaves its files in a folder that it names.
    """
    out = screen()
    tally = run_until_signal(_run(faults, seed, members, out))
    return ExitCode.DONE if tally.all_right else ExitCode.FAILURES


async def _run(faults: str, seed: int, members: int, out: Screen) -> Tally:
    rates = checked_rates(faults)
    # A reply that crosses a request on its way to another process is no stray that could be told
    # from the answer, so that one meets none: here both are in one process, and none crosses.
    first = Sandbox(faults={**rates, "stray": 0.0}, seed=seed)
    demo = _Demo(first, members, out)
    async with first:
        server_is = f"a sandbox in this process, {first.url}"
        faults_are = faults.replace(",", ", ") or "none"
        out.print(rows([("Server", server_is), ("Faults", faults_are)]))
        await _look_one_up(first, out)
        await asyncio.to_thread(write_members, demo.input, members)
        # Whole, so that it can be copied: a table would fold a long one.
        out.print(f"Input   {demo.input}\nOutput  {demo.output}", soft_wrap=True)
        await _begin_and_kill(demo)
        asked_before, port = _asked(first, range(members)), int(first.url.rpartition(":")[2])
    async with Sandbox(faults=rates, seed=seed + 1, port=port) as second:
        summary = await _go_on(demo, second)
        if not summary.is_finished:
            say_error(summary.reason)
            return Tally(members, lost=members)
        tally = checked_output(demo.output, members, second)
        again = len(_asked(second, asked_before))
        requests = first.requests + second.requests
        _sum_up(demo, requests, first.counts + second.counts, summary, tally, again)
    return tally


async def _look_one_up(server: Sandbox, out: Screen) -> None:
    """The same member in both formats."""
    one = ByEmail("user@example.com")
    out.print(f"\n{one.email}, asked in both formats:\n")
    for form in _FORMATS:
        async with _client(server, form) as client:
            balance = await client.get_balance(one)
        total, active = format(balance.total_balance, "f"), format(balance.active_balance, "f")
        out.print(f"  {form.upper():<6}total {total}, active {active}")
    out.print()


def _client(server: Sandbox, form: Format) -> BalanceClient:
    return BalanceClient(
        server.url, token=_TOKEN, loyalty_program_id=PROGRAM, format=form, retry=_RETRY
    )


def _asked(server: Sandbox, numbers: Iterable[int]) -> list[int]:
    """Those of the members that were asked about."""
    return [number for number in numbers if server.asked(ByEmail(member(number)))]


# ── the run, in two processes ────────────────────────────────────────────────────────────────


async def _begin_and_kill(demo: _Demo) -> None:
    """Begin as anybody would, in a process of its own, and end that without a warning."""
    before = demo.server.requests
    enough = before + max(demo.members // 2, 1)
    process = await asyncio.create_subprocess_exec(
        *_command(demo), env=_environment(), stdout=asyncio.subprocess.DEVNULL
    )
    try:
        while process.returncode is None and demo.server.requests < enough:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_EVERY_S)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    requests, safe = demo.server.requests - before, 0
    state = usual_state(demo.output)
    for run in runs_in(state) if state.is_dir() else ():
        safe = 0 if run.summary is None else run.summary.rows
        if run.word == "finished":
            demo.out.print("\nThe run was over before it could be killed.\n")
            return
    demo.out.print(
        f"\nKilled (SIGKILL) after {plural(requests, 'request')}, with {plural(safe, 'row')} "
        "committed.\n"
    )


def _command(demo: _Demo) -> list[str]:
    words = [sys.executable, "-m", "altcraft_balance", "refresh", str(demo.input), "--by", "email"]
    words += ["--out", str(demo.output), "--base-url", demo.server.url, "--program", str(PROGRAM)]
    words += ["--format", _FORMATS[0], "--max-attempts", str(_RETRY.max_attempts)]
    return [*words, "--max-failed", _ALL_MAY_FAIL]


def _environment() -> dict[str, str]:
    """Nothing of the user's own settings; if this process is killed, that one ends, too."""
    ours = {"TOKEN": _TOKEN, "RETRY_BASE_S": str(_RETRY.base_s), "RETRY_CAP_S": str(_RETRY.cap_s)}
    ours["ITEM_DEADLINE_S"] = "30"
    theirs = {name: text for name, text in os.environ.items() if not name.startswith("ALTCRAFT_")}
    return theirs | {f"ALTCRAFT_{name}": text for name, text in ours.items()}


async def _go_on(demo: _Demo, server: Sandbox) -> RefreshSummary:
    """The same run in this process: whoever makes the same call again goes on with it."""
    async with _client(server, _FORMATS[1]) as client:
        with telling(screen(stderr=True), "auto") as teller:
            options = RunOptions(
                max_failed=MaxFailed.read(_ALL_MAY_FAIL),
                on_progress=lambda summary: teller.tell(summary, client.stats()),
            )
            source, sink = CsvSource(demo.input), CsvSink(demo.output)
            summary = await Run(source, Sinks.of(sink), client, Asking(by="email"), options).do()
            teller.tell(summary, client.stats(), last=True)
    return summary


def _sum_up(
    demo: _Demo,
    requests: int,
    met: Counter[str],
    summary: RefreshSummary,
    tally: Tally,
    again: int,
) -> None:
    p50, p99 = milliseconds(summary.p50_s), milliseconds(summary.p99_s)
    demo.out.print(
        rows(
            [
                ("Looked up", f"{demo.members:,} members, first in JSON, then in XML"),
                ("Time", f"{span(summary.elapsed_s)}, in {plural(summary.starts, 'process')}"),
                ("Rate", f"{summary.rows_per_s:,.0f} rows/s"),
                ("One row", f"p50 {p50}, p99 {p99}, waits included"),
                ("Requests", f"{requests:,}"),
                ("Met", _met(met)),
                ("Failed", counts(tally.failed)),
                ("Asked again", f"{plural(again, 'member')}, since the run was killed"),
            ]
        )
    )
    wrong = f"{tally.wrong:,} wrong, {tally.lost:,} lost, {tally.doubled:,} doubled"
    verified = f"{tally.right:,} of {tally.members:,} rows verified"
    order = "in order" if not tally.misplaced else f"{tally.misplaced:,} in the wrong place"
    demo.out.print(f"\n{wrong}: {verified}, {order}.")


def _met(met: Counter[str]) -> str:
    faults = ((name, count) for name, count in met.most_common() if name != "ok")
    return ", ".join(f"{name}={count}" for name, count in faults) or "no fault"
