"""A client's own process: measures when it is told to, and sleeps in between.

    python -m benchmarks.side.child CLIENT LOOP

Orders come as lines of JSON on standard input; each is answered by a line on standard output. The
first line out says what the client is, or that it is not there and why.
"""

import asyncio
import json
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.side.answer import Target
from benchmarks.side.clients import load
from benchmarks.side.drive import Peer, measure


def factory(loop: str) -> Any:
    """What makes the event loop.

    Raises:
        ImportError: it is uvloop, which is not installed.
    """
    if loop == "asyncio":
        return asyncio.new_event_loop
    import uvloop

    return uvloop.new_event_loop


def peak_kib() -> int:
    """The most memory that this process has had; unlike `getrusage`, without its parent's."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def version(package: str) -> str:
    """Of an installed distribution."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def obey(kind: type[Peer], order: dict[str, Any], runner: asyncio.Runner) -> dict[str, Any]:
    """One measurement; what went wrong is an answer, too."""
    target = Target(**order.pop("target"))
    try:
        before = peak_kib()
        result = runner.run(measure(kind, target, **order))
    except Exception as error:  # noqa: BLE001 - a peer may raise anything
        return {"trouble": f"{type(error).__name__}: {error}"[:200]}
    return result | {"peak_mib": peak_kib() / 1024, "before_mib": before / 1024}


def main() -> None:
    """Until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a peer prints is no answer

    def say(answer: dict[str, Any]) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    name, loop = sys.argv[1:]
    try:
        kind = load(name)
        kind.look()
        make = factory(loop)
    except ImportError as error:
        say({"missing": f"{error.name} is not installed: pip install -e '.[test,bench]'"})
        return
    except ValueError as error:  # this package's own word
        say({"missing": str(error)})
        return
    versions = {package: version(package) for package in kind.packages}
    say({"title": kind.title, "note": kind.note, "ours": kind.ours, "versions": versions})
    with asyncio.Runner(loop_factory=make) as runner:
        for line in sys.stdin:
            say(obey(kind, json.loads(line), runner))


if __name__ == "__main__":
    main()
