"""Kills a refresh at random moments, as often as it takes, and goes on with it.

Prints as JSON what was tried and what was wrong. SQLite is killed in the middle of its own calls,
too. With `--faults` the server fails now and then, and times are real.
"""

import json
import os
import random
import signal
import time

from attrs import evolve

from tests.promises import refresh_judge as judge
from tests.promises.child import answer, options_of
from tests.promises.refresh_forks import ended, fork, place, side_by_side
from tests.promises.refresh_run import Job, has_what_it_needs, prepare, run

WORKERS = 2
FEWEST = 3


def started(folder, job, log):
    """The id of a process that begins, or goes on."""

    def work():
        with log.open("ab") as notes:
            run(folder, job, notes.fileno())

    return fork(work)


def uninterrupted(job):
    """What a run leaves that nobody interrupts, and how long it takes."""
    with place() as above:
        folder = above / "run"
        folder.mkdir()
        prepare(folder, job)
        began = time.monotonic()
        assert ended(started(folder, evolve(job, faults=0.0), above / "log")) == 0
        return judge.outcome(folder, job), time.monotonic() - began


def case(job, whole, lasts_s, rng):
    """One run, killed until it has come to its end: its breaches, kills and repeats."""
    with place() as above:
        folder, log = above / "run", above / "log"
        folder.mkdir()
        prepare(folder, job)
        wrong, kills, code = [], 0, -signal.SIGKILL
        while code == -signal.SIGKILL:
            child = started(folder, job, log)
            # After a few kills it may end: most of the time goes into what comes before.
            time.sleep(rng.uniform(0, lasts_s) if kills < FEWEST else 2 * lasts_s * kills)
            os.kill(child, signal.SIGKILL)
            code = ended(child)
            kills += code == -signal.SIGKILL
            wrong += judge.after_crash(folder, job, whole)
        if code:
            wrong.append(f"it ended with {code}")
        wrong += judge.at_end(folder, job, whole)
        repeats = judge.repeats(log)
        wrong += [] if job.faults else judge.too_many(repeats, job, kills)
        return {"wrong": wrong, "kills": kills, "repeats": repeats}


def cases(job, whole, lasts_s, seed):
    """Cases until there were enough kills."""
    rng, left = random.Random(seed), asked.kills // WORKERS
    while left > 0:
        result = case(job, whole, lasts_s, rng)
        left -= result["kills"]
        yield result


def main():
    assert has_what_it_needs(asked.format)  # before the forks, so that it is imported once
    job = Job(
        format=asked.format,
        rows=asked.rows,
        currencies=1,
        block_rows=asked.block_rows,
        chunk_rows=asked.chunk_rows,
        faults=asked.faults,
    )
    whole, lasts_s = uninterrupted(job)
    answers = side_by_side(
        [
            lambda seed=asked.seed + number: json.dumps(
                list(cases(job, whole, lasts_s, seed))
            ).encode()
            for number in range(WORKERS)
        ]
    )
    results = [result for part in answers for result in json.loads(part)]
    broken = [result for result in results if result["wrong"]]
    return {
        "runs": len(results),
        "kills": sum(result["kills"] for result in results),
        "failed": len(broken),
        "broken": broken[:5],
        "most_repeats": max(result["repeats"] // max(1, result["kills"]) for result in results),
    }


if __name__ == "__main__":
    asked = options_of(
        __doc__,
        format="csv",
        rows=300,
        block_rows=25,
        chunk_rows=40,
        faults=0.0,
        kills=100,
        seed=1,
    )
    answer(main())
