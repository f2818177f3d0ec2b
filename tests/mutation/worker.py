"""Tries mutants in a copy of the tree, one after another; started in that copy by `runner`.

Reads a job as a line of JSON and answers with one. The tests' libraries are loaded once, and each
mutant has a process that is forked from here, so that it costs its tests and little more.
"""

import importlib
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

import hypothesis
import pytest

_LOADED = ("aiohttp", "attrs", "orjson", "pytest_asyncio.plugin", "sqlalchemy", "xmltodict")
_WORDS = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-m", "not server"]
_WORDS += ["--scale", "small", "-W", "ignore::pytest.PytestAssertRewriteWarning"]


class QuickToFail:
    """A failing example says enough as it is: nothing is shrunk."""

    def pytest_configure(self):
        phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
        hypothesis.settings.register_profile(
            "mutation", deadline=None, derandomize=True, phases=phases, report_multiple_bugs=False
        )
        hypothesis.settings.load_profile("mutation")


def tried(tests, limit_s, *, keeps_bytecode=False):
    """What pytest says to the tests (its exit code; None past the limit), and the CPU it took.

    The limit is CPU time, so that a busy machine kills no mutant; ten times it on the clock is for
    those that wait for ever.
    """
    child = os.fork()
    if child == 0:
        _test(tests, limit_s, keeps_bytecode)
    until = time.monotonic() + 10 * limit_s
    while True:
        ended, status, usage = os.wait4(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return None if code < 0 else code, usage.ru_utime + usage.ru_stime
        if time.monotonic() > until:
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.02)


def _test(tests, limit_s, keeps_bytecode):
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit_s) + 1, int(limit_s) + 1))
        sys.dont_write_bytecode = not keeps_bytecode
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nothing, stream)
        code = int(pytest.main([*_WORDS, *tests], plugins=[QuickToFail()]))
    except BaseException:
        code = 70
    finally:
        os._exit(code)


def _answer(job):
    path = Path(job["path"])
    kept = path.read_text("utf-8")
    if job["source"] is not None:
        path.write_text(job["source"], "utf-8")
        # What was compiled before may have the same size and second as the mutant.
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
            compiled.unlink()
    try:
        code, took_s = tried(job["tests"], job["limit_s"], keeps_bytecode=job["source"] is None)
    finally:
        path.write_text(kept, "utf-8")
    return {"code": code, "took_s": round(took_s, 2)}


def main():
    for name in _LOADED:
        importlib.import_module(name)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
