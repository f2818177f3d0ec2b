"""Lets a refresh meet a disk that is full or fails, and goes on with it when the disk is well again.

Prints as JSON what was tried and what was wrong. `--how` is ``fails`` (the k-th call does, for
every k, with `--error`), ``stays`` (and all after it), ``short`` (every write takes a third),
``limit`` (no file may be larger than so many bytes) or ``pages`` (SQLite's file may not).
"""

import errno
import json
import os
import re
import resource
import signal
from collections import Counter

from tests.promises import refresh_judge as judge
from tests.promises.child import answer, options_of
from tests.promises.refresh_forks import in_fork, place, side_by_side
from tests.promises.refresh_points import GO_ON, FailingDisk, ShortWrites
from tests.promises.refresh_run import Job, prepare, run

WORKERS = 2
FIRST_BYTES, STEP_BYTES = 40_000, 4_000  # SQLite's shared memory is a file of 32 KiB
SENTENCE = re.compile(rf"\[Errno \d+\] (/.+) cannot be written: [^\n]+; {GO_ON}")


def spoil(number, log):
    """Make the disk as bad as `number` says."""
    if asked.how in {"fails", "stays"}:
        error = getattr(errno, asked.error)
        FailingDisk(number, log, error, lasts=asked.how == "stays").install()
    elif asked.how == "short":
        ShortWrites(0, log).install()
    elif asked.how == "limit":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        most = (FIRST_BYTES + STEP_BYTES * number, resource.RLIM_INFINITY)
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    else:
        few_pages(number)


def few_pages(number):
    """Let SQLite's file have no more than `number` pages beyond its first four."""
    from altcraft_balance.refresh.checkpoint import FileCheckpoint

    make = FileCheckpoint.__init__

    def made(self, path):
        make(self, path)
        self._database.execute(f"PRAGMA max_page_count = {4 + number}")

    FileCheckpoint.__init__ = made


def attempted(folder, job, log, number=None):
    """How a run ended: its state, or the sentence of its error."""
    said = log.with_name("said")

    def work():
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            if number is not None:
                spoil(number, descriptor)
            words = run(folder, job, log).state
        except OSError as error:
            words = f"{error}"
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        with open(os.open(said, WRITE, 0o600), "w") as file:
            file.write(words)

    said.unlink(missing_ok=True)
    code = in_fork(work)
    return said.read_text() if code == 0 else f"it ended with {code}"


WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def case(job, whole, number):
    """One run on a bad disk, then on a good one: what was wrong, and what it said."""
    with place() as above:
        folder, log = above / "run", above / "log"
        folder.mkdir()
        prepare(folder, job)
        said = attempted(folder, job, log, number)
        wrong = list(judge.after_crash(folder, job, whole))
        named = SENTENCE.fullmatch(said)
        if said != "finished" and not (named and named[1].startswith(str(folder))):
            wrong.append(f"it said: {said}")
        if (again := attempted(folder, job, log)) not in {"finished", "finished_before"}:
            wrong.append(f"when the disk was well again: {again}")
        wrong += judge.at_end(folder, job, whole)
        wrong += judge.too_many(judge.repeats(log), job, 1)
        return {"number": number, "wrong": wrong, "said": said, "failed": judge.failed(log)}


def cases(job, whole, first):
    """One after another, until the disk was good enough."""
    number = first
    while True:
        result = case(job, whole, number)
        yield result
        is_over = result["said"] == "finished" and not result["failed"]
        if is_over or asked.how == "short":
            return
        number += WORKERS


def main():
    job = Job(
        format=asked.format, rows=asked.rows, currencies=1, block_rows=asked.block_rows,
        chunk_rows=asked.chunk_rows, keep=("id", "segment"),
    )  # fmt: skip
    with place() as above:
        folder = above / "run"
        folder.mkdir()
        prepare(folder, job)
        assert attempted(folder, job, above / "log") == "finished"
        whole = judge.outcome(folder, job)
    answers = side_by_side(
        [
            lambda number=number: json.dumps(list(cases(job, whole, number))).encode()
            for number in range(1, WORKERS + 1)
        ]
    )
    results = [result for part in answers for result in json.loads(part)]
    broken = [result for result in results if result["wrong"]]
    spoken = [result["said"] for result in results if result["said"] != "finished"]
    return {
        "tried": len(results),
        "failed": len(broken),
        "broken": broken[:5],
        "sentences": len(spoken),
        "named": Counter(os.path.basename(text.split(" cannot be")[0]) for text in spoken),
        "calls": Counter(result["failed"] for result in results),
    }


if __name__ == "__main__":
    asked = options_of(
        __doc__, how="fails", error="ENOSPC", format="csv", rows=80, block_rows=20, chunk_rows=30
    )
    answer(main())
