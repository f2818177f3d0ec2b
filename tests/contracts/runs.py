"""Real commands against a real sandbox, so that what they print and write can be looked at."""

import asyncio
import contextlib
import io
import json
import os
import threading
from pathlib import Path
from unittest import mock

from altcraft_balance.cli import main
from altcraft_balance.cli.exits import ExitCode
from altcraft_balance.models import ByEmail
from altcraft_balance.sandbox import Sandbox

#: A member each that is missing, that is answered without an envelope, and that must wait.
MISSING, BARE, LATER = (f"{name}@example.com" for name in ("missing", "bare", "later"))
USUAL = [f"member-{number}@example.com" for number in range(20)]


@contextlib.contextmanager
def sandbox():
    """A running one, which the environment speaks of; no other setting is there."""
    loop, server = asyncio.new_event_loop(), Sandbox()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        server.remove(ByEmail(MISSING))
        server.answer(ByEmail(BARE), status=418, body=b"", headers={})
        server.answer(ByEmail(LATER), status=429, body=b"", headers={"Retry-After": "100"})
        with mock.patch.dict(os.environ, _environment(server.url), clear=True):
            yield server
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def _environment(url):
    kept = {name: text for name, text in os.environ.items() if not name.startswith("ALTCRAFT_")}
    settings = {"BASE_URL": url, "TOKEN": "sandbox-token", "LOYALTY_PROGRAM_ID": "123"}
    return kept | {f"ALTCRAFT_{name}": text for name, text in settings.items()} | {"NO_COLOR": "1"}


def command(*words, ends):
    """What a command writes to stdout and to stderr; it must end like this."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(word) for word in words])
    assert code == ends, err.getvalue()
    return out.getvalue(), err.getvalue()


def gets():
    """What ``get --json`` prints: a balance in each way to name a currency, and some errors."""
    wanted = ["get", "--json", "--email"]
    done = [(), ("--currency-eid", "stars"), ("--currency-iid", "2")]
    printed = [command(*wanted, USUAL[0], *more, ends=ExitCode.DONE) for more in done]
    for member in (MISSING, BARE, LATER):
        printed.append(command(*wanted, member, ends=ExitCode.FAILURES))
    return [json.loads(out) for out, _ in printed]


def refreshed(folder, *more, out, members, ends, head="email,note"):
    """A run's lines of progress, and its summary."""
    source, summary = folder / f"{out}.members.csv", folder / f"{out}.summary.json"
    source.write_text("".join(f"{line}\n" for line in [head, *members]), encoding="utf-8")
    words = ["refresh", source, "--by", "email", "--out", folder / out, "--summary", summary]
    _, err = command(*words, "--progress", "json", *more, ends=ends)
    lines = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    return lines, json.loads(summary.read_text("utf-8"))


def whole_run(folder, out):
    """One that has finished, with rows that failed."""
    members = [f"{member},x" for member in (*USUAL, MISSING, BARE)]
    more = ("--keep", "note", "--currency-eid", "stars", "--max-failed", "100%")
    return refreshed(folder, *more, out=out, members=members, ends=ExitCode.DONE)


def stopped_run(folder):
    """One that its time has stopped, while lookups waited for the rate."""
    members = [f"{number}@example.com" for number in range(500)]
    more = ("--rate", "40", "--concurrency", "4", "--max-duration", "2.5s", "--max-failed", "100%")
    return refreshed(
        folder, *more, out="stopped.csv", members=members, ends=ExitCode.STOPPED, head="email"
    )


def runs_seen():
    """What ``status --json`` prints."""
    out, _ = command("status", "--json", ends=ExitCode.DONE)
    return json.loads(out)


@contextlib.contextmanager
def working_in(folder: Path):
    """Runs keep their state below the working directory."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)
