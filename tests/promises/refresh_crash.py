"""Kills a refresh at every point at which it touches the disk, and goes on with it.

Prints as JSON what was tried, what was wrong, and where it was killed. `--kills 1` takes one
point after another until a run gets to its end; with more each run is killed so often, at points
drawn by `--seed` up to `--up-to`, `--cases` times. With `--fresh 1` all but the first process drop
what is there; with `--hangs-s` the disk does nothing for so long before the kill, while the run
goes on asking.
"""

import json
import os
import random
import signal
import time
from collections import Counter

from attrs import evolve

from tests.promises import refresh_judge as judge
from tests.promises.child import answer, options_of
from tests.promises.refresh_forks import in_fork, place, side_by_side
from tests.promises.refresh_points import Points
from tests.promises.refresh_run import Job, prepare, run

WORKERS = 2


def begun(folder, job, log, at=0):
    """How a process ended that began or went on, and was to be killed at its `at`-th point."""

    def work():
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        if at:
            Points(at, descriptor, asked.hangs_s).install()
        assert run(folder, job, log).is_finished

    return in_fork(work)


def uninterrupted(job):
    """What a run leaves that nobody interrupts."""
    with place() as above:
        folder = above / "run"
        folder.mkdir()
        prepare(folder, job)
        assert begun(folder, job, above / "log") == 0
        return judge.outcome(folder, job)


def case(job, whole, kills):
    """One run, killed at these points of its processes: its breaches, repeats and points."""
    with place() as above:
        folder, log = above / "run", above / "log"
        folder.mkdir()
        prepare(folder, job)
        wrong, done = [], 0
        for at in kills:
            # What is dropped had got this far; what drops it is killed.
            job = evolve(job, fresh=bool(asked.fresh and done))
            code = begun(folder, job, log, at)
            if code == 0:
                break
            done += 1
            if code != -signal.SIGKILL:
                wrong.append(f"it ended with {code}")
            wrong += judge.after_crash(folder, job, whole)
        job = evolve(job, fresh=False)
        if done == len(kills) and begun(folder, job, log) != 0:
            wrong.append("it did not go on")
        wrong += judge.at_end(folder, job, whole)
        repeats = judge.repeats(log)
        wrong += [] if asked.fresh else judge.too_many(repeats, job, done)
        return {"wrong": wrong, "repeats": repeats, "points": judge.points(log)}


def enumerated(job, whole, first):
    """Every `WORKERS`-th point from `first` on, until a run has fewer."""
    at = first
    while (result := case(job, whole, [at]))["points"]:
        yield {"at": [at], **result}
        at += WORKERS


def drawn(job, whole, seed):
    """Points for each kill, drawn."""
    rng = random.Random(seed)
    for _ in range(asked.cases // WORKERS):
        kills = [rng.randint(1, asked.up_to) for _ in range(asked.kills)]
        yield {"at": kills, **case(job, whole, kills)}


def main():
    job = Job(
        format=asked.format,
        rows=asked.rows,
        currencies=asked.currencies,
        block_rows=asked.block_rows,
        chunk_rows=asked.chunk_rows,
        overwrite=bool(asked.overwrite),
    )
    whole = uninterrupted(job)
    cases = enumerated if asked.kills == 1 else drawn
    began = time.monotonic()
    answers = side_by_side(
        [
            lambda number=number: json.dumps(list(cases(job, whole, number))).encode()
            for number in range(1, WORKERS + 1)
        ]
    )
    results = [result for part in answers for result in json.loads(part)]
    broken = [result for result in results if result["wrong"]]
    return {
        "tried": len(results),
        "failed": len(broken),
        "broken": broken[:5],
        "most_repeats": max(result["repeats"] for result in results),
        "points": Counter(point for result in results for point in result["points"]),
        "seconds": round(time.monotonic() - began, 1),
    }


if __name__ == "__main__":
    asked = options_of(
        __doc__,
        format="csv",
        rows=160,
        currencies=2,
        block_rows=40,
        chunk_rows=60,
        overwrite=1,
        kills=1,
        cases=100,
        fresh=0,
        hangs_s=0.0,
        up_to=100,
        seed=1,
    )
    answer(main())
