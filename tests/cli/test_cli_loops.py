"""Commands run on uvloop where it is installed, on asyncio's own loop where it is not."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from altcraft_balance.cli.loops import loop_factory, run
from altcraft_balance.cli.stopping import run_until_signal
from tests.cli.refreshing import write_members

uvloop = pytest.importorskip("uvloop")

CLOSED = """
import os, sys
from altcraft_balance.cli import main
for number in map(int, sys.argv.pop(1)):
    os.close(number)
code = main(sys.argv[1:])
os._exit(code)
"""

WHICH = """
import asyncio, sys
from altcraft_balance.cli import main
from altcraft_balance.client import BalanceClient

open_ = BalanceClient.open

async def noted(self, **options):
    print(type(asyncio.get_running_loop()).__module__.partition(".")[0])
    await open_(self, **options)

BalanceClient.open = noted
sys.exit(main(sys.argv[1:]))
"""


SILENT = """
import socket, sys, threading
sys.modules["uvloop"] = None  # whose own way to ask needs no thread of ours
usual = socket.getaddrinfo

def silent(host, *rest, **options):
    if host == "silent.example":
        print("asked", flush=True)
        threading.Event().wait()
    return usual(host, *rest, **options)

socket.getaddrinfo = silent
from altcraft_balance.cli import program
program()
"""


@pytest.fixture(params=["uvloop", "asyncio"])
def loop(request, monkeypatch, tmp_path):
    """Each loop in turn: for asyncio's own, a uvloop that cannot be imported stands before it."""
    if request.param == "asyncio":
        (tmp_path / "uvloop.py").write_text("raise ImportError('not for this machine')\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
        monkeypatch.setitem(sys.modules, "uvloop", None)
    return request.param


async def _running():
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


def test_the_loop_is_the_fastest_that_is_there(loop):
    """In every way in which a command runs something."""
    assert run(_running()) == loop
    assert run_until_signal(_running()) == loop
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        assert runner.run(_running()) == loop


def test_a_command_asks_on_that_loop(loop, server):
    """`get`, as a process of its own."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", WHICH, "get", "--email", "user@example.com"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[0] == loop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_command_on_either_loop(loop, child, number):
    """The server is told to stop, sums up, and leaves no warning behind."""
    process = child("sandbox", "--port", "0")
    while "Ctrl-C ends it." not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "Stopped. 0 requests over 0 connections." in out


def test_help_imports_no_loop_of_another_kind():
    """What only shows a page is as quick with the extra as without."""
    code = "import sys\nfrom altcraft_balance.cli import main\nmain(['get', '--help'])\n"
    code += "sys.exit(bool(sys.modules.keys() & {'uvloop', 'httptools'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, b"--email" in done.stdout) == (0, True)


@pytest.fixture
def silenced():
    """Starts a command whose name server never answers, and waits until it was asked."""
    started = []

    def start(*arguments):
        command = [sys.executable, "-W", "error", "-c", SILENT, *arguments]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        quiet = {**os.environ, "PYTHONDEVMODE": ""}  # in which asyncio tells what took long
        started.append(subprocess.Popen(command, env=quiet, **streams))
        assert started[-1].stdout.readline() == "asked\n"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_silent_name_server_holds_nobody_up(silenced, server, monkeypatch):
    """A thread asks it, and no deadline reaches there."""
    monkeypatch.setenv("ALTCRAFT_BASE_URL", "https://silent.example")
    process = silenced("get", "--email", "user@example.com", "--deadline", "1")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 69, err
    assert err.startswith("Error: ")


def test_a_signal_ends_the_wait_for_a_silent_name_server(silenced, server, tmp_path, monkeypatch):
    """The second one at once, though the first waits for what is under way."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALTCRAFT_BASE_URL", "https://silent.example")
    write_members(tmp_path / "m.csv", 20)
    process = silenced("refresh", "m.csv", "--by", "email", "--out", "o.csv", "--progress", "off")
    process.send_signal(signal.SIGTERM)
    while "once more stops at once" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 75


@pytest.mark.parametrize("closed", ["0", "2", "02"])
def test_a_closed_stream_ends_no_command(server, tmp_path, monkeypatch, closed):
    """libuv ends a program whose socket has the number of one."""
    monkeypatch.chdir(tmp_path)
    write_members(tmp_path / "m.csv", 20)
    command = ("refresh", "m.csv", "--by", "email", "--out", "o.csv", "--summary", "s.json")
    child = [sys.executable, "-W", "error", "-c", CLOSED, closed, *command, "--progress", "off"]
    ended = subprocess.run(child, stdout=subprocess.PIPE, timeout=60)
    assert ended.returncode == 0, ended
    assert (tmp_path / "s.json").exists()
    assert len((tmp_path / "o.csv").read_text().splitlines()) == 21


def test_a_uvloop_that_writes_late_is_not_taken(monkeypatch):
    """What arrives before the request has left would be taken for its answer."""
    assert loop_factory() is uvloop.new_event_loop
    monkeypatch.setattr(uvloop, "__version__", "0.22.1")
    assert loop_factory() is asyncio.new_event_loop
