"""A sandbox in a thread, the command in this process, and the command as a real child."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from altcraft_balance.cli import main
from altcraft_balance.sandbox import Sandbox

ROOT = Path(__file__).parents[2]


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch, tmp_path_factory):
    """No setting of the machine's, no colours, 80 columns, and temporary files among the tests'."""
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))
    monkeypatch.setattr("tempfile.tempdir", None)  # what was found before
    for name in [name for name in os.environ if name.startswith("ALTCRAFT_")]:
        monkeypatch.delenv(name)
    for name in ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def command(capsys, monkeypatch) -> Callable[..., Ended]:
    """Run the command line in this process, without a terminal."""

    def run(*arguments: str, **variables: str) -> Ended:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with Path(os.devnull).open() as nothing:
            monkeypatch.setattr("sys.stdin", nothing)
            code = main(arguments)
        return Ended(code, *capsys.readouterr())

    return run


@pytest.fixture
def serve() -> Callable[..., Iterator[Sandbox]]:
    """A running sandbox, on a loop in a thread of its own."""

    @contextmanager
    def running(**settings) -> Iterator[Sandbox]:
        loop, sandbox = asyncio.new_event_loop(), Sandbox(**settings)
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(sandbox.start(), loop).result(10)
            yield sandbox
            asyncio.run_coroutine_threadsafe(sandbox.stop(), loop).result(10)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()

    return running


@pytest.fixture
def server(serve, monkeypatch) -> Iterator[Sandbox]:
    """A running sandbox that the environment speaks of."""
    with serve() as sandbox:
        monkeypatch.setenv("ALTCRAFT_BASE_URL", sandbox.url)
        monkeypatch.setenv("ALTCRAFT_TOKEN", "sandbox-token")
        monkeypatch.setenv("ALTCRAFT_LOYALTY_PROGRAM_ID", "123")
        yield sandbox


@pytest.fixture
def child() -> Iterator[Callable[..., subprocess.Popen]]:
    """Start ``python -m altcraft_balance``; whatever still runs at the end is killed.

    Not in development mode, in which asyncio tells on standard error what took long.
    """
    started: list[subprocess.Popen] = []

    def start(*arguments: str, **options) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "altcraft_balance", *arguments],
            **{
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "text": True,
                "env": {**os.environ, "PYTHONDEVMODE": ""},
                **options,
            },
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
