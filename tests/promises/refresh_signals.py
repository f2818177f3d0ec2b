"""Signals ``altcraft-balance refresh`` at random moments, until it has finished, and judges it.

The sandbox is in this process, each refresh is one of its own. Prints what came of it as JSON.
"""

import asyncio
import csv
import os
import random
import signal
import sys
import tempfile
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path

from attrs import evolve

from altcraft_balance.models import ByEmail
from altcraft_balance.sandbox import Sandbox
from tests.promises.child import answer, options_of
from tests.promises.table import ROOT

IN_FLIGHT = 64
BLOCKS = 500
GRACE_S = 10
#: For the second signal, which waits for nobody.
AT_ONCE_S = 4
PROGRAM = 123
WORDS = ("Warning", "Traceback", "a bug")


async def started(folder, server):
    command = [sys.executable, "-W", "error", "-m", "altcraft_balance", "refresh", "members.csv"]
    process = await asyncio.create_subprocess_exec(
        *(*command, "--by", "email", "--out", "balances.csv", "--progress", "off"),
        cwd=folder,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "ALTCRAFT_BASE_URL": server.url,
            "ALTCRAFT_TOKEN": "sandbox-token",
            "ALTCRAFT_LOYALTY_PROGRAM_ID": str(PROGRAM),
        },
    )
    return process, asyncio.create_task(process.communicate())


async def signalled(folder, server, rng, *, twice):
    """What one process did wrong, and whether it has finished.

    Before it is told twice the server falls silent: one signal alone would wait for its answers.
    """
    process, ended = await started(folder, server)
    after = server.requests + rng.randint(1, asked.members // 2)
    while server.requests < after and not ended.done():  # noqa: ASYNC110 - of another process
        await asyncio.sleep(0.001)
    began = time.monotonic()
    with silent(server) if twice else nullcontext():
        # Of one kind, two that come before the process has its turn are one to the system.
        for number in rng.sample([signal.SIGINT, signal.SIGTERM], 1 + twice):
            if not ended.done():
                process.send_signal(number)
                await asyncio.sleep(rng.random() * 0.01)
        _, err = await ended
    wrong = [word for word in WORDS if word in err.decode()]
    if process.returncode not in (0, 75):
        wrong.append(f"exit {process.returncode}: {err.decode()[-300:]}")
    took_s, may_take_s = time.monotonic() - began, AT_ONCE_S if twice else GRACE_S + 1
    if took_s > may_take_s:
        wrong.append(f"it took {took_s:.1f} s where {may_take_s} are allowed")
    return wrong, process.returncode == 0


@contextmanager
def silent(server):
    """Within it, what the sandbox is asked has no answer."""
    desk = server._desk
    usual = desk._conduct
    desk._conduct = evolve(usual, latency_s=3_600)
    try:
        yield
    finally:
        desk._conduct = usual


def wrong_rows(path, server):
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    members = [row["member"] for row in rows]
    if members != [f"member{number}@example.com" for number in range(asked.members)]:
        return ["rows are lost, doubled or in another order"]
    return [
        "a wrong balance"
        for row in rows
        if row["total_balance"] != balance_of(server, row["member"])
    ]


def balance_of(server, member):
    points = server.balance_of(ByEmail(member), loyalty_program_id=PROGRAM)
    return format(points.total_balance, "f")


async def night(rng):
    """One file, refreshed to its end, however often that is stopped."""
    with tempfile.TemporaryDirectory() as name:
        folder, processes, allowed = Path(name), 0, asked.members
        lines = (f"member{number}@example.com\n" for number in range(asked.members))
        (folder / "members.csv").write_text("email\n" + "".join(lines))
        async with Sandbox() as server:
            has_finished, wrong = False, []
            while not has_finished:
                twice = rng.random() < 0.5
                allowed += (IN_FLIGHT + BLOCKS) * twice
                more, has_finished = await signalled(folder, server, rng, twice=twice)
                wrong += more
                processes += 1
            if server.requests > allowed:
                wrong.append(f"{server.requests} requests where {allowed} are allowed")
            return processes, wrong + wrong_rows(folder / "balances.csv", server)


async def main():
    rng = random.Random(asked.seed)
    processes, wrong = 0, []
    while processes < asked.processes:
        more, found = await night(rng)
        processes += more
        wrong += found
    return {"processes": processes, "wrong": wrong}


if __name__ == "__main__":
    asked = options_of(__doc__, members=3_000, processes=10, seed=1)
    answer(asyncio.run(main()))
