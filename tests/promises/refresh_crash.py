"""Kills a refresh at every point at which it touches the disk, and goes on with it.

Prints as JSON what was tried, what was wrong, and where it was killed. `--kills 1` takes one point
after another, or those with `--only` in their names, until a run gets to its end; with more each
run is killed so often, at points drawn by `--seed` up to `--up-to`, `--cases` times. With `--fresh
1` all but the first process drop what is there; with `--in-vain 1` all answers are the same error;
with `--hangs-s` the disk does nothing for so long before the kill, while the run goes on asking.
"""

import json
import random
import signal
import time
from collections import Counter
from itertools import count

from attrs import evolve

from tests.promises import refresh_judge as judge
from tests.promises.child import answer, options_of
from tests.promises.refresh_forks import in_fork, place, side_by_side
from tests.promises.refresh_points import POINTS, Points
from tests.promises.refresh_run import Job, has_what_it_needs, prepare, run

WORKERS = 2


def begun(folder, job, log, at=0, only=""):
    """How a process ended that began or went on, and was to be killed at its `at`-th point."""

    def work():
        with log.open("ab") as notes:
            if at:
                Points(at, notes.fileno(), only, asked.hangs_s).install()
            end = run(folder, job, notes.fileno())
            assert end.is_finished or (job.in_vain and end.state == "same_error")

    return in_fork(work)


def uninterrupted(job):
    """What a run leaves that nobody interrupts."""
    with place() as above:
        folder = above / "run"
        folder.mkdir()
        prepare(folder, job)
        assert begun(folder, job, above / "log") == 0
        return judge.outcome(folder, job)


def case(job, whole, kills, only=""):
    """One run, killed at these points of its processes: its breaches, repeats and points."""
    with place() as above:
        folder, log = above / "run", above / "log"
        folder.mkdir()
        prepare(folder, job)
        wrong, done = [], 0
        for at in kills:
            # What is dropped had got this far; what drops it is killed.
            job = evolve(job, fresh=bool(asked.fresh and done))
            code = begun(folder, job, log, at, only)
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


def enumerated(job, whole, worker):
    """Every point of this worker's kinds, until a run has no more of them; or the first of each."""
    for only in [point for point in POINTS if asked.only in point][worker::WORKERS]:
        for at in range(1, asked.each + 1) if asked.each else count(1):
            result = case(job, whole, [at], only)
            if not result["points"]:
                break
            yield {"at": at, **result}


def drawn(job, whole, worker):
    """Points for each kill, drawn."""
    rng = random.Random(asked.seed * WORKERS + worker)
    for _ in range(asked.cases // WORKERS):
        kills = [rng.randint(1, asked.up_to) for _ in range(asked.kills)]
        yield {"at": kills, **case(job, whole, kills)}


def main():
    assert has_what_it_needs(asked.format)  # before the forks, so that it is imported once
    job = Job(
        format=asked.format,
        rows=asked.rows,
        currencies=asked.currencies,
        block_rows=asked.block_rows,
        chunk_rows=asked.chunk_rows,
        overwrite=bool(asked.overwrite),
        in_vain=bool(asked.in_vain),
    )
    whole = uninterrupted(job)
    cases = enumerated if asked.kills == 1 else drawn
    began = time.monotonic()
    answers = side_by_side(
        [
            lambda worker=worker: json.dumps(list(cases(job, whole, worker))).encode()
            for worker in range(WORKERS)
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
        in_vain=0,
        only="",
        each=0,
        hangs_s=0.0,
        up_to=100,
        seed=1,
    )
    answer(main())
