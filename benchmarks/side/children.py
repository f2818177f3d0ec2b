"""The other end of `child`: start the clients' processes, and let one at a time measure."""

import contextlib
import json
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from attrs import asdict

from benchmarks.side.answer import Target
from benchmarks.side.server import ROOT

PATIENCE_S, PATIENCE_EACH_S = 60.0, 0.005
FILES = 8192


class Child:
    """A client in its own process, on one kind of loop.

    Attributes:
        name: as in `clients.CLIENTS`.
        loop: ``asyncio`` or ``uvloop``.
        about: what it said of itself; ``missing`` says why it is not there.
    """

    def __init__(self, name: str, loop: str) -> None:
        self.name, self.loop = name, loop
        self.about: dict[str, Any] = {}
        self._start()

    def _start(self) -> None:
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by `end`; it may be long
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.side.child", self.name, self.loop],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            cwd=ROOT,
        )

    def meet(self) -> None:
        """Wait until it has said what it is."""
        self.about = self._answer(PATIENCE_S)
        self.about.setdefault("missing", self.about.get("trouble", ""))

    def measure(self, target: Target, lookups: int, **further: Any) -> dict[str, Any]:
        """One measurement; ``trouble`` says why there is none, and the next has a new process."""
        order = {"target": asdict(target), "lookups": lookups, **further}
        with contextlib.suppress(OSError):  # it has ended; `_answer` says so
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        result = self._answer(PATIENCE_S + PATIENCE_EACH_S * lookups)
        if "before_mib" not in result and self._process.poll() is not None:
            self.end()
            self._start()
            self._answer(PATIENCE_S)
        return result

    def end(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.terminate()
        self._process.wait()
        self._said.close()

    def _answer(self, patience_s: float) -> dict[str, Any]:
        overdue = threading.Timer(patience_s, self._process.kill)
        overdue.start()
        line = self._process.stdout.readline()
        in_time = overdue.is_alive()
        overdue.cancel()
        if line:
            return json.loads(line)
        self._process.wait()
        return {"trouble": self._last_word() if in_time else f"no answer in {patience_s:.0f} s"}

    def _last_word(self) -> str:
        self._said.seek(0)
        lines = self._said.read().splitlines()
        return f"its process ended; it said last: {(lines or ['nothing'])[-1][:200]}"


@contextlib.contextmanager
def children(names: Iterable[str], loops: Iterable[str]) -> Iterator[list[Child]]:
    """A process for every client and loop, started side by side; they end with the block."""
    allow_many_files()
    started = [Child(name, loop) for name in names for loop in loops]
    try:
        for child in started:
            child.meet()
        yield started
    finally:
        for child in started:
            child.end()


def allow_many_files() -> None:
    """1,024 connections need more than the usual soft limit; what is started inherits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
