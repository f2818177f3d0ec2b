"""Starts several refreshes at once that cannot all go on.

Prints as JSON what was tried and what was wrong. `--what` they share is the ``run``, the ``output``
of different runs, or the ``name`` of runs with different outputs. Answers come when all but one
have ended; with `--race 1` they come at once, and one of the processes is killed.
"""

import os
import random
import signal
import time
from collections import Counter

from attrs import evolve

from altcraft_balance.errors import ConfigurationError
from tests.promises import refresh_judge as judge
from tests.promises.child import answer, options_of
from tests.promises.refresh_forks import ended, fork, in_fork, place
from tests.promises.refresh_run import Job, prepare, run

REFUSALS = {
    "run": "the run night is under way in another process",
    "output": "out.csv is being written by another run",
    "name": "the run night is under way in another process",
}
KEPT = (("id",), ("segment",), ("id", "segment"), ())


def jobs(hold):
    """What each of the processes is to do."""
    job = Job(rows=asked.rows, block_rows=20, currencies=1, hold=hold)
    for number in range(asked.starts):
        if asked.what == "run":
            yield job
        elif asked.what == "output":
            yield evolve(job, run_id=f"run-{number}", keep=KEPT[number % len(KEPT)])
        else:
            yield evolve(job, output=f"out-{number}", overwrite=False)


def attempt(job, folder, said):
    """Do `job`, and write down what came of it."""
    try:
        with said.with_name("log").open("ab") as notes:
            words = run(folder, job, notes.fileno()).state
    except ConfigurationError as error:
        words = str(error)
    said.write_text(words)


def again(job, folder, said):
    """What comes of one more attempt."""
    assert in_fork(lambda: attempt(job, folder, said)) == 0
    return said.read_text()


def what_makes(job):
    """What a run leaves that nobody else disturbs."""
    with place() as above:
        folder = above / "run"
        folder.mkdir()
        prepare(folder, job)
        assert again(job, folder, above / "said") == "finished"
        return judge.outcome(folder, job)


def started(above, folder, todo):
    """The processes, and where they say what came of them."""
    said = [above / f"said-{number}" for number in range(len(todo))]
    return [
        fork(lambda job=job, path=path: attempt(job, folder, path))
        for job, path in zip(todo, said, strict=True)
    ], said


def held(above, folder, todo, wholes):
    """One round in which the answers come when all but one have ended: what is wrong."""
    children, said = started(above, folder, todo)
    limit = time.monotonic() + 20
    while sum(path.exists() and path.stat().st_size > 0 for path in said) < len(todo) - 1:
        time.sleep(0.002)
        if time.monotonic() > limit:
            yield "more than one went on, and nobody was refused"
            break
    (above / "go").touch()
    yield from (f"one ended with {code}" for code in map(ended, children) if code)
    words = [path.read_text() for path in said]
    if words.count("finished") != 1 or len(set(words)) != 2:
        yield f"not one of them went on: {words}"
        return
    refusal = next(word for word in words if word != "finished")
    if not refusal.endswith(REFUSALS[asked.what]) or "\n" in refusal:
        yield f"it said: {refusal}"
    one = words.index("finished")
    yield from judge.at_end(folder, todo[one], wholes[one])


def raced(above, folder, todo, wholes, rng):
    """One round in which all go as fast as they can, and one is killed: what is wrong."""
    children, said = started(above, folder, todo)
    time.sleep(rng.uniform(0, asked.rows / 2_000))
    killed = rng.randrange(len(children))
    os.kill(children[killed], signal.SIGKILL)
    codes = [ended(child) for child in children]
    for number, code in enumerate(codes):
        if code not in {0, -signal.SIGKILL if number == killed else 0}:
            yield f"one ended with {code}"
    # Whoever was killed goes on first: the others are refused as long as its output is unfinished.
    words = [again(todo[killed], folder, said[killed])]
    words += [again(job, folder, path) for job, path in zip(todo, said, strict=True)]
    wrong = [word for word in words if word not in {"finished", "finished_before"}]
    yield from (f"it said: {word}" for word in wrong if not is_refusal(word))
    there = judge.outcome(folder, todo[0])
    outputs = [path.name for path in todo[0].outputs(folder)]
    if not any(all(there.get(name) == whole[name] for name in outputs) for whole in wholes):
        yield "the outputs are nobody's"
    if left := [name for name in there if name.endswith((".partial", ".lock"))]:
        yield f"left behind: {left}"


def is_refusal(word):
    """Whether a run may say this that comes when others have gone before it."""
    return asked.what == "name" and "was begun with other settings" in word


def main():
    rng = random.Random(asked.seed)
    wholes = [what_makes(job) for job in jobs(None)]
    wrong, broken = Counter(), 0
    for _ in range(asked.rounds):
        with place() as above:
            folder = above / "run"
            folder.mkdir()
            todo = list(jobs(None if asked.race else above / "go"))
            prepare(folder, todo[0])
            if asked.race:
                breaches = list(raced(above, folder, todo, wholes, rng))
            else:
                breaches = list(held(above, folder, todo, wholes))
        wrong.update(breaches)
        broken += bool(breaches)
    return {"tried": asked.rounds * asked.starts, "failed": broken, "broken": wrong.most_common(5)}


if __name__ == "__main__":
    asked = options_of(__doc__, what="run", starts=4, rounds=10, race=0, rows=60, seed=1)
    answer(main())
