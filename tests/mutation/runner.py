"""Hands the mutants to workers, each in a copy of the tree of its own, and keeps what came.

Nothing in the tree itself is changed. What a mutant came to is written at once, so that a run can
be stopped at any moment and the next one goes on from there.
"""

import hashlib
import json
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fast import fast_environment
from tests.mutation.operators import mutants_of
from tests.promises.table import ROOT

__all__ = ["RESULTS", "Worker", "forget", "known", "run"]

RESULTS = ROOT / "tests" / "mutation" / "results"
_LEAST_LIMIT_S = 20
_COPIED = ("altcraft_balance", "tests", "pyproject.toml", "README.md", "CHANGELOG.md")
_UNWANTED = shutil.ignore_patterns("__pycache__", "results", ".*")


class Worker:
    """A process that tries mutants in a scratch copy."""

    def __init__(self, folder):
        for name in _COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=_UNWANTED)
            else:
                shutil.copy(source, folder / name)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.mutation.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=fast_environment(PYTHONPATH=str(folder)),
        )

    def ask(self, target, source, limit_s):
        """What the target's tests say to `source`; None stands for the source as it is."""
        path = f"altcraft_balance/{target.module}"
        job = {"path": path, "source": source, "tests": target.tests, "limit_s": limit_s}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def _hashed(*paths):
    whole = hashlib.sha256()
    for path in paths:
        whole.update(path.read_bytes())
    return whole.hexdigest()[:16]


def _state_of(target):
    """The module and its tests as they are, each in one word."""
    tests = _hashed(*(ROOT / test for test in target.tests))
    return {"module": _hashed(target.path), "tests": tests}


def _file_of(target):
    return RESULTS / f"{target.module.replace('/', '-')}l"


def known(target, *, with_stale=False):
    """What came of the target's mutants in earlier runs, by name.

    Another module makes all of it worthless. What survived other tests is stale: it is tried
    again, and counts as a survivor until then. What they killed stays killed, since tests are
    there to grow; `--anew` forgets that as well.
    """
    file, state = _file_of(target), _state_of(target)
    if not file.exists():
        return {}
    entries = map(json.loads, file.read_text("utf-8").splitlines())
    return {
        entry["mutant"]: entry
        for entry in entries
        if entry["module"] == state["module"]
        and (with_stale or entry["code"] != 0 or entry["tests"] == state["tests"])
    }


def forget(targets):
    """Drop what earlier runs came to."""
    for target in targets:
        _file_of(target).unlink(missing_ok=True)


def run(targets, *, jobs, until=None, say):
    """Try what was not tried yet, until the monotonic time `until`."""
    RESULTS.mkdir(exist_ok=True)
    waiting = queue.Queue()
    for target in targets:
        done = known(target)
        left = [m for m in mutants_of(target.path.read_text("utf-8")) if m.name not in done]
        for mutant in left:
            waiting.put((target, mutant))
        say(f"{target.module}: {len(left)} to try, {len(done)} known")
    with tempfile.TemporaryDirectory() as folder:
        folders = [Path(folder) / str(i) for i in range(jobs if not waiting.empty() else 0)]
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(lambda folder: _work(folder, waiting, until, say), folders))


def _work(folder, waiting, until, say):
    folder.mkdir()
    worker, limits = Worker(folder), {}
    try:
        while until is None or time.monotonic() < until:
            try:
                target, mutant = waiting.get_nowait()
            except queue.Empty:
                return
            tests = frozenset(target.tests)
            if tests not in limits:
                limits[tests] = _limit_of(worker, target)
            _try(worker, target, mutant, limits[tests], say)
    finally:
        worker.close()


def _limit_of(worker, target):
    """How much CPU a mutant may take; what takes more does not end, or is unusable."""
    came = worker.ask(target, None, 600)
    if came["code"] != 0:
        raise RuntimeError(f"the tests of {target.module} fail before anything is changed: {came}")
    return max(_LEAST_LIMIT_S, 4 * came["took_s"])


def _try(worker, target, mutant, limit_s, say):
    came = worker.ask(target, mutant.source, limit_s)
    if came["code"] == 0:
        say(f"survived: {target.module}:{mutant.name}")
    entry = _state_of(target) | {"mutant": mutant.name} | came
    with _file_of(target).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
