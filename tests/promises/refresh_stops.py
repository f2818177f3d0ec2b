"""Stops a refresh at random moments, as a signal does, until it has come to its end.

Prints as JSON what was tried and what was wrong: a run that is stopped lets what is on the way
come in, commits it, and asks nothing twice.
"""

import asyncio
import random
import time
from itertools import count

from tests.promises import refresh_judge as judge
from tests.promises.child import answer, options_of
from tests.promises.refresh_forks import in_fork, place
from tests.promises.refresh_run import Job, prepare, refresh

GRACE_S = 10.0


async def stopped(folder, job, log, after_s):
    """How a run ended that was asked to stop after so many seconds; None: never."""
    stop = asyncio.Event()
    if after_s is not None:
        asyncio.get_running_loop().call_later(after_s, stop.set)
    summary = await refresh(folder, job, log, stop=stop, grace_s=GRACE_S)
    assert len(asyncio.all_tasks()) == 1, "a task is left"
    return summary.state


def attempted(folder, job, log, after_s=None):
    """The same in a process of its own."""
    said = log.with_name("said")

    def work():
        with log.open("ab") as notes:
            said.write_text(asyncio.run(stopped(folder, job, notes.fileno(), after_s)))

    code = in_fork(work)
    return said.read_text() if code == 0 else f"it ended with {code}"


def case(job, whole, lasts_s, rng):
    """One run, stopped until it has come to its end: its breaches, and how often."""
    with place() as above:
        folder, log = above / "run", above / "log"
        folder.mkdir()
        prepare(folder, job)
        wrong = []
        for stops in count():
            after_s = rng.uniform(0, lasts_s) if stops < 3 else None
            if (state := attempted(folder, job, log, after_s)) != "stopped":
                break
            wrong += judge.after_crash(folder, job, whole)
        if state != "finished":
            wrong.append(f"at the end it was {state}")
        wrong += judge.at_end(folder, job, whole)
        halves = stops * judge.IN_FLIGHT if job.currencies > 1 else 0
        if (repeats := judge.repeats(log)) > halves:
            wrong.append(f"{repeats} were asked again")
        return wrong, stops


def main():
    job = Job(format=asked.format, rows=asked.rows, currencies=asked.currencies)
    rng = random.Random(asked.seed)
    with place() as above:
        folder = above / "run"
        folder.mkdir()
        prepare(folder, job)
        began = time.monotonic()
        assert attempted(folder, job, above / "log") == "finished"
        whole, lasts_s = judge.outcome(folder, job), time.monotonic() - began
    stops, broken = 0, []
    while stops < asked.stops:
        wrong, times = case(job, whole, lasts_s, rng)
        stops += times
        broken += [wrong] if wrong else []
    return {"tried": stops, "failed": len(broken), "broken": broken[:5]}


if __name__ == "__main__":
    asked = options_of(__doc__, format="csv", rows=300, currencies=2, stops=30, seed=1)
    answer(main())
