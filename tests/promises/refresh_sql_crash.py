"""Kills a refresh from and into a database at every commit, or at random moments, and goes on.

Prints as JSON what was tried, what was wrong, and where it was killed. `--dsn ""` takes SQLite.
`--step 3` takes every third boundary; with `--random 50` that many random moments are taken; with
`--files 1` there are files beside the table, and their calls of the system are points as well.
"""

import json
import os
import random
import time
from collections import Counter
from itertools import count

from altcraft_balance.refresh.sql.database import sqlalchemy_for
from tests.promises import refresh_judge as judge
from tests.promises.child import answer, options_of
from tests.promises.refresh_forks import ended, fork, place, side_by_side
from tests.promises.refresh_points import POINTS
from tests.promises.refresh_run import OLD
from tests.promises.refresh_sql_places import breaches_after_crash, breaches_at_end, place_for
from tests.promises.refresh_sql_points import SQL_POINTS, SqlPoints, killed
from tests.promises.refresh_sql_run import SqlJob, run

WORKERS = 2


def begun(folder, job, log, at=0, only=""):
    """The id of a process that begins or goes on, and is killed at its `at`-th point."""

    def work():
        with log.open("ab") as notes:
            if at:
                SqlPoints(at, notes.fileno(), only, files=job.files).install()
            assert run(folder, job, notes.fileno()).is_finished

    return fork(work)


def case(there, job, whole, kill):
    """One run, killed as `kill` says until it is done with it: its breaches, repeats, points."""
    with place() as above, there.case(job, above) as job:
        folder, log = above / "run", above / "log"
        folder.mkdir()
        for path in job.outputs(folder):
            path.write_bytes(OLD)
            path.chmod(0o600)
        log.touch()
        wrong, done = [], 0
        for code in kill(folder, job, log):
            if not killed(code):
                if code:
                    wrong.append(f"it ended with {code}")
                break
            done += 1
            wrong += judge.after_crash(folder, job, whole["files"]) if whole else []
            wrong += breaches_after_crash(there, job)
        if ended(begun(folder, job, log)):
            wrong.append("it did not go on")
        if not whole:
            return {"files": judge.outcome(folder, job), "table": there.table(job)}
        wrong += judge.at_end(folder, job, whole["files"])
        wrong += breaches_at_end(there, job, whole["table"])
        if left := sorted(path.name for path in above.glob("case.db?*")):
            wrong.append(f"left beside the database: {left}")
        repeats = judge.repeats(log)
        wrong += judge.too_many(repeats, job, done)
        return {"wrong": wrong, "repeats": repeats, "points": judge.points(log), "kills": done}


def at_a_point(at, only):
    """Kills once, at the `at`-th point of the kind `only`."""
    return lambda *where: (ended(begun(*where, at, only)) for _ in range(1))


def at_random(rng, lasts_s):
    """Kills three times, at random moments."""

    def kill(*where):
        for _ in range(3):
            child = begun(*where)
            time.sleep(rng.uniform(0, lasts_s))
            os.kill(child, 9)
            yield ended(child)

    return kill


def enumerated(there, job, whole, worker):
    """Every `step`-th point of this worker's kinds, until a run has no more of them."""
    kinds = [*SQL_POINTS, *(POINTS if job.files and asked.calls else ())]
    for only in kinds[worker::WORKERS]:
        for at in count(1 + worker % asked.step, asked.step):
            result = case(there, job, whole, at_a_point(at, only))
            if not result["points"]:
                break
            yield {"at": at, **result}


def drawn(there, job, whole, worker):
    """Random moments, until there were enough kills."""
    rng = random.Random(asked.seed * WORKERS + worker)
    left = asked.random / WORKERS
    while left > 0:
        result = case(there, job, whole, at_random(rng, whole["lasts_s"]))
        left -= result["kills"]
        yield result


def main():
    assert sqlalchemy_for("this") is not None  # before the forks, so that it is imported once
    job = SqlJob(
        dsn="",
        rows=asked.rows,
        currencies=asked.currencies,
        block_rows=asked.block_rows,
        files=bool(asked.files),
        key=asked.key or None,
    )
    with place() as above:
        there = place_for(asked.dsn, above)
        job = there.job(job)
        whole = case(there, job, None, lambda *_: ())
        began = time.monotonic()
        case(there, job, whole, lambda *_: ())
        whole["lasts_s"] = time.monotonic() - began  # judging included
        cases = drawn if asked.random else enumerated
        answers = side_by_side(
            [
                lambda worker=worker: json.dumps(list(cases(there, job, whole, worker))).encode()
                for worker in range(WORKERS)
            ]
        )
    results = [result for part in answers for result in json.loads(part)]
    broken = [result for result in results if result["wrong"]]
    return {
        "tried": sum(result["kills"] for result in results),
        "failed": len(broken),
        "broken": broken[:5],
        "most_repeats": max(result["repeats"] for result in results),
        "points": Counter(point for result in results for point in result["points"]),
        "seconds": round(time.monotonic() - began, 1),
        "rows": len(whole["table"]),
        "lasts_s": whole["lasts_s"],
    }


if __name__ == "__main__":
    asked = options_of(
        __doc__,
        dsn="",
        rows=60,
        currencies=1,
        block_rows=20,
        files=0,
        key="id",
        step=1,
        random=0,
        calls=0,
        seed=1,
    )
    answer(main())
