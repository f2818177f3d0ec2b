"""Mutation testing (promise 29): do the tests notice when the code is wrong?

`python -m tests.mutation` tries what was not tried yet and records the score; it may be stopped
at any moment. `--only codec` takes the modules whose name begins so, `--seconds` ends it sooner.
"""

import argparse
import sys
import time

from tests.mutation.runner import forget, run
from tests.mutation.score import lines_of, read_score, scored, unexplained, write_score
from tests.mutation.targets import TARGETS

WANTED = 0.95


def main():
    asked = _asked()
    targets = [t for t in TARGETS if t.module.startswith(asked.only)]
    if not targets:
        sys.exit(f"no module that is mutated begins with {asked.only!r}")
    if asked.anew:
        forget(targets)
    until = time.monotonic() + asked.seconds if asked.seconds else None
    try:
        run(targets, jobs=asked.jobs, until=until, say=_say)
    finally:
        write_score({target.module: scored(target) for target in targets})
    score = read_score()
    for line in lines_of(score):
        _say(line)
    without = list(unexplained(score))
    for name in without:
        _say(f"no reason in survivors.json: {name}")
    killed, tried = (sum(line[word] for line in score.values()) for word in ("killed", "tried"))
    _say(f"in all {killed} of {tried} killed, {killed / max(tried, 1):.1%}")
    sys.exit(killed < WANTED * tried or bool(without))


def _asked():
    parser = argparse.ArgumentParser("python -m tests.mutation", description=__doc__)
    parser.add_argument("--only", default="", help="modules whose name begins so, as in codec/")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time")
    parser.add_argument("--seconds", type=float, help="begin no further one after so long")
    parser.add_argument("--anew", action="store_true", help="forget what was tried before")
    return parser.parse_args()


def _say(text):
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
