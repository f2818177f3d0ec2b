"""Lets a refresh meet a disk that is full or fails, and goes on with it when the disk is well.

Prints as JSON what was tried and what was wrong. `--how` is ``fails`` (the k-th call does, for
every k, with `--error`), ``stays`` (and all after it), ``short`` (every write takes a third),
``limit`` (no file may be larger than so many bytes) or ``pages`` (SQLite's file may not). With
`--commits` a run meets it that goes on, after a kill when so much was committed.
"""

import errno
import functools
import json
import re
import resource
import signal
from collections import Counter
from itertools import count, islice
from pathlib import Path

from tests.promises import refresh_judge as judge
from tests.promises.child import answer, options_of
from tests.promises.refresh_forks import in_fork, place, side_by_side
from tests.promises.refresh_points import ALL, GO_ON, READS, FailingDisk, Points, ShortWrites
from tests.promises.refresh_run import NOTE, Job, has_what_it_needs, prepare, run

WORKERS = 2
STEP_BYTES = 16_000  # twice too few for SQLite's shared memory, a file of 32 KiB
SENTENCE = re.compile(rf"\[Errno \d+\] (/.+) cannot be written: [^\n]+; {GO_ON}")


def spoil(number, log, only):
    """Make the disk as bad as `number` says."""
    if asked.how in {"fails", "stays"}:
        error = getattr(errno, asked.error)
        FailingDisk(number, log, only, error, lasts=asked.how == "stays").install()
    elif asked.how == "short":
        ShortWrites(0, log).install()
    elif asked.how == "limit":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        most = (STEP_BYTES * number, resource.RLIM_INFINITY)
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    else:
        few_pages(number)


def few_pages(number):
    """Let SQLite's file have fewer than `number` pages more than an empty one."""
    from altcraft_balance.refresh.state.checkpoint import FileCheckpoint

    make = FileCheckpoint.__init__

    def made(self, path):
        make(self, path)
        (pages,) = self._database.execute("PRAGMA page_count").fetchone()
        self._database.execute(f"PRAGMA max_page_count = {pages + number - 1}")

    FileCheckpoint.__init__ = made


def killed(folder, job, log):
    """Run until so much is committed."""
    with log.open("ab") as notes:
        Points(asked.commits, notes.fileno(), "after commit").install()
        run(folder, job, notes.fileno())


def attempted(folder, job, log, number=None, only=""):
    """How a run ended: its state, or the sentence of its error."""
    said = log.with_name("said")

    def work():
        with said.open("wb") as answer_to, log.open("ab") as notes:
            if number is not None:
                spoil(number, notes.fileno(), only)
            try:
                words = run(folder, job, notes.fileno()).state
            except OSError as error:
                words = str(error)
            NOTE(answer_to.fileno(), words.encode())

    code = in_fork(work)
    return said.read_text() if code == 0 else f"it ended with {code}"


def case(job, whole, number, only=""):
    """One run on a bad disk, then on a good one: what was wrong, and what it said."""
    with place() as above:
        folder, log = above / "run", above / "log"
        folder.mkdir()
        prepare(folder, job)
        if asked.commits:
            assert in_fork(lambda: killed(folder, job, log)) == -signal.SIGKILL
        said = attempted(folder, job, log, number, only)
        wrong = list(judge.after_crash(folder, job, whole))
        named = SENTENCE.fullmatch(said)
        if said != "finished" and not (named and named[1].startswith(str(folder))):
            wrong.append(f"it said: {said}")
        if (again := attempted(folder, job, log)) not in {"finished", "finished_before"}:
            wrong.append(f"when the disk was well again: {again}")
        wrong += judge.at_end(folder, job, whole)
        wrong += judge.too_many(judge.repeats(log), job, 1 + bool(asked.commits))
        return {"number": number, "wrong": wrong, "said": said, "failed": judge.failed(log)}


def cases(job, whole, worker):
    """One after another, until the disk was good enough."""
    if asked.how == "short":
        yield case(job, whole, 0)
    elif asked.how in {"limit", "pages"}:
        yield from until_well(lambda number: case(job, whole, number), worker + 1, WORKERS)
    else:
        for only in (*READS, *ALL)[worker::WORKERS]:
            one = functools.partial(case, job, whole, only=only)
            yield from until_well(one, 1, 1, asked.each)


def until_well(one, first, step, most=0):
    """What comes of `one(number)`, for numbers from `first` on, until the disk was well.

    Or for `most` of them, if that is not 0.
    """
    for number in islice(count(first, step), most or None):
        result = one(number)
        yield result
        if result["said"] == "finished" and not result["failed"]:
            return


def main():
    assert has_what_it_needs(asked.format)  # before the forks, so that it is imported once
    job = Job(
        format=asked.format, rows=asked.rows, currencies=1, block_rows=asked.block_rows,
        chunk_rows=asked.chunk_rows, keep=("id", "segment"), width=asked.width,
    )  # fmt: skip
    with place() as above:
        folder = above / "run"
        folder.mkdir()
        prepare(folder, job)
        assert attempted(folder, job, above / "log") == "finished"
        whole = judge.outcome(folder, job)
    answers = side_by_side(
        [
            lambda worker=worker: json.dumps(list(cases(job, whole, worker))).encode()
            for worker in range(WORKERS)
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
        "named": Counter(Path(text.split(" cannot be")[0]).name for text in spoken),
        "calls": Counter(result["failed"] for result in results),
    }


if __name__ == "__main__":
    asked = options_of(
        __doc__, how="fails", error="ENOSPC", format="csv", rows=80, block_rows=20, chunk_rows=30,
        commits=0,
        width=0,
        each=0,
    )  # fmt: skip
    answer(main())
