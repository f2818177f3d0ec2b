"""Takes out one guard after another in a scratch copy, and shows the test that catches each.

``python -m tests.promises.sabotage`` takes all of them, at the small sizes, which takes some
minutes; with ``--row 7 --row 1b`` those of these rows; ``--list`` only lists them. The tests of a
row are found by what they state, ``promise(7, ...)``. Each runs on the whole library first, since
one that fails anyway catches nothing (``--broken-only`` leaves that out). The exit code is 1 when a
guard can go unnoticed, or cannot be taken out any more.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fast import fast_environment
from tests.promises.guards import GUARDS, LIBRARY
from tests.promises.table import ROOT

LIMIT_S = 600
COPIED = (LIBRARY, "tests", "pyproject.toml")
HEAD = ("row", "guard", "caught by", "time")
_STATED = re.compile(r"""\b(?:promise|stated)\(\s*["']?(\d+[a-z]?)["']?,""")


def main(arguments=None):
    """Do as the command line says; the exit code."""
    asked = _asked(arguments)
    chosen = [one for one in GUARDS if not asked.row or one.row in asked.row]
    if asked.list or not chosen:
        show(*((one.row, one.name, one.only or "any", "") for one in chosen))
        return 0 if chosen else 1
    show(HEAD)
    with tempfile.TemporaryDirectory(prefix="sabotage-") as folder:
        scratch = Scratch(Path(folder))
        caught = [scratch.tell(one, whole_first=not asked.broken_only) for one in chosen]
    print(f"{sum(caught)} of {len(caught)} were caught")
    return 0 if all(caught) else 1


def _asked(arguments):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--row", action="append", help="only the guards of this row")
    parser.add_argument("--list", action="store_true", help="only list them")
    parser.add_argument("--broken-only", action="store_true", help="do not try the whole library")
    return parser.parse_args(arguments)


def show(*lines):
    """Print lines of the table as soon as they are known."""
    for row, name, by, took in lines:
        print(f"{row:>3}  {name:<56}  {took:>7}  {by}", flush=True)


def stated_rows(folder=ROOT / "tests" / "promises"):
    """The files of tests by the rows that they state."""
    found = {}
    for path in sorted(folder.glob("test_promises_*.py")):
        for row in set(_STATED.findall(path.read_text("utf-8"))):
            found.setdefault(row, []).append(path.name)
    return found


def trouble_with(one, root=ROOT):
    """Why the guard cannot be taken out; "" when it can."""
    for file, find, put in one.edits:
        count = (root / LIBRARY / file).read_text("utf-8").count(find)
        if count != 1 or find == put:
            return f"{file} has {find!r} {count} times"
    return ""


class Scratch:
    """A copy of the tree.

    Args:
        folder: where it is made.
    """

    def __init__(self, folder):
        self.folder, self._whole = folder, {}
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / name)

    def tell(self, one, *, whole_first):
        """Take `one` out, print what came of it, and put it back; whether it was caught."""
        began = time.monotonic()
        caught, by = self._tried(one, whole_first)
        show((one.row, one.name, by if caught else by.upper(), f"{time.monotonic() - began:.1f} s"))
        return caught

    def _tried(self, one, whole_first):
        if trouble := trouble_with(one, self.folder):
            return False, f"cannot be taken out: {trouble}"
        files = stated_rows(self.folder / "tests" / "promises").get(one.row)
        if not files:
            return False, f"no test states row {one.row}"
        tests = [*(f"tests/promises/{name}" for name in files), "-k", one.only]
        if whole_first and (failing := self._failing_whole(tests)):
            return False, f"fails anyway: {failing}"
        failing, trouble = "", "it survives"
        before = {file: (self.folder / LIBRARY / file).read_bytes() for file, *_ in one.edits}
        try:
            for file, find, put in one.edits:
                path = self.folder / LIBRARY / file
                path.write_text(path.read_text("utf-8").replace(find, put), "utf-8")
            failing = self._failing(tests)
        except RuntimeError as error:
            trouble = str(error)
        finally:
            for file, text in before.items():
                (self.folder / LIBRARY / file).write_bytes(text)
        return bool(failing), failing or trouble

    def _failing_whole(self, tests):
        key = tuple(tests)
        if key not in self._whole:
            self._whole[key] = self._failing(tests)
        return self._whole[key]

    def _failing(self, tests):
        """The first test that fails; "" when all pass.

        Raises:
            RuntimeError: pytest could not run them, since the library cannot be imported, say.
        """
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "--scale", "small"]
        process = subprocess.Popen(
            [*command, "-p", "no:randomly", "-p", "no:cacheprovider", *tests],
            cwd=self.folder,
            env=fast_environment(PYTHONPATH=str(self.folder), PYTHONDONTWRITEBYTECODE="1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # so that its children end with it
        )
        try:
            said, _ = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            return f"no end within {LIMIT_S} s"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        found = re.search(r"^(?:FAILED|ERROR) tests/promises/(\S+)", said, re.MULTILINE)
        if process.returncode == 1 and found:
            return found[1]
        if process.returncode != 0:
            raise RuntimeError(f"pytest ended with {process.returncode}: {said[-500:]}")
        return ""


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what it started ends, too
    sys.exit(main())
