"""The first signal drains, the second stops at once; the same command then goes on."""

import asyncio
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from altcraft_balance.cli.stopping import Stopped, run_until_signal, stoppable
from tests.cli.refreshing import assert_right, rows_of, write_members

MEMBERS = 4_000


@pytest.fixture
def start(child, server, tmp_path):
    """Start a refresh of some thousand members, and wait until some are asked."""
    path = write_members(tmp_path / "m.csv", MEMBERS)

    def started(*arguments):
        out = ("--out", str(tmp_path / "out.csv"), "--by", "email")
        process = child("refresh", str(path), *out, *arguments)
        before, end = server.requests, time.monotonic() + 30
        while server.requests < before + 700 and process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.005)
        return process

    return started


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_drains_and_the_run_goes_on(start, server, tmp_path, number):
    """Exit 75 within the grace, no warning; what was on the way was waited for and is not lost."""
    process = start()
    began = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 75, err
    assert time.monotonic() - began < 20  # the grace of ten, and room for a busy machine
    assert err.startswith("Stopping: nothing more is asked, and what is on the way has up to 10 s")
    assert "Error: stopped at " in err
    assert "Traceback" not in err
    assert "Warning" not in err
    assert "stopped" in out
    again = start()
    out, err = again.communicate(timeout=60)
    assert again.returncode == 0, err
    assert_right(rows_of(tmp_path / "out.csv"), server, MEMBERS)
    assert server.requests == MEMBERS


def test_the_second_signal_stops_at_once(child, serve, tmp_path, monkeypatch):
    """While answers are slow, the first one waits for them and the second does not."""
    path = write_members(tmp_path / "m.csv", 100)
    with serve(latency_s=8) as server:
        monkeypatch.setenv("ALTCRAFT_TOKEN", "sandbox-token")
        out = ("--out", str(tmp_path / "o.csv"), "--base-url", server.url, "--program", "123")
        process = child("refresh", str(path), "--by", "email", *out)
        _wait_for(lambda: server.requests > 0)
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline().startswith("Stopping: ")
        assert process.poll() is None
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert time.monotonic() - began < 3
    assert process.returncode == 75
    assert err.splitlines()[-1] == "Error: stopped"
    assert "Traceback" not in err


def _wait_for(condition, limit_s=30):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


# ── the way of it ────────────────────────────────────────────────────────────────────────────


def test_work_that_can_end_gently_is_not_cancelled():
    """What it gives comes out, as if nobody had stopped it."""

    async def work():
        ended = asyncio.Event()
        ends.append(ended.set)
        asyncio.get_running_loop().call_later(0, signal.raise_signal, signal.SIGTERM)
        await ended.wait()
        return "whole"

    ends = []
    assert run_until_signal(work(), gently=lambda: ends[0]()) == "whole"


def test_signals_do_what_they_did_after_a_part_of_the_work():
    """Some work is done in turns, on a loop and without one."""

    async def work():
        """It is done at once."""

    with stoppable():
        before = signal.getsignal(signal.SIGTERM)
        run_until_signal(work())
        assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_done_without_a_loop_is_ended_too(number):
    """Standard input may keep silent for hours; afterwards signals do what they did."""
    before = signal.getsignal(number)
    with pytest.raises(Stopped, match=number.name), stoppable():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_a_silent_standard_input_is_left(child, server, tmp_path):
    """A signal while standard input is read ends the command, and leaves nothing."""
    process = child(
        "refresh", "-", "--by", "email", "--out", str(tmp_path / "o.csv"), stdin=subprocess.PIPE
    )
    state = tmp_path / ".altcraft-balance"
    _wait_for(lambda: state.exists() and any(state.iterdir()))
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 75
    assert process.stderr.read() == "Error: stopped\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_large_file_is_left_while_it_is_read(child, server, tmp_path):
    """It is read as a whole before anything is asked, and nobody has to wait for that."""
    path = write_members(tmp_path / "m.csv", 20)
    with path.open("a") as file:
        for _ in range(300):
            file.write("somebody@example.com\n" * 10_000)
    process = child("refresh", str(path), "--by", "email", "--out", str(tmp_path / "o.csv"))
    descriptors = Path(f"/proc/{process.pid}/fd")
    _wait_for(lambda: any(_leads_to(link, path) for link in descriptors.iterdir()))
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 75
    assert process.stderr.read().splitlines()[-1] == "Error: stopped before anything was asked"
    assert server.requests == 0
    assert list(tmp_path.iterdir()) == [path]


def _leads_to(link, path):
    with suppress(FileNotFoundError):
        return link.readlink() == path
    return False


def test_a_signal_between_the_work_and_the_loops_end_changes_nothing():
    """The loop leaves the system's own way, which is to kill."""
    handlers, before = [], [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    async def work():
        return "whole"

    def run(coroutine):
        result = asyncio.run(coroutine)
        for number in (signal.SIGINT, signal.SIGTERM):
            handlers.append(signal.getsignal(number))
            signal.raise_signal(number)
        return result

    assert run_until_signal(work(), run=run) == "whole"
    assert handlers == [signal.SIG_IGN] * 2
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
