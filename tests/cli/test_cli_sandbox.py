"""`sandbox` serves until it is stopped, and says how to ask it."""

import io
import os
import shlex
import signal
import subprocess
import sys

import pytest

from altcraft_balance.cli.sandbox import faults_help
from altcraft_balance.sandbox import FAULTS

READY = "Ctrl-C ends it."


class StopsWhenReady(io.StringIO):
    """A stdout that presses Ctrl-C when the sandbox says that it is ready."""

    def write(self, text):
        if READY in text:
            os.kill(os.getpid(), signal.SIGINT)
        return super().write(text)


def _shown(command, monkeypatch, *arguments):
    """What the sandbox prints from its start to its end, in this process."""
    out = StopsWhenReady()
    monkeypatch.setattr("sys.stdout", out)
    ended = command("sandbox", "--port", "0", *arguments)
    assert (ended.code, ended.err) == (0, "")
    return out.getvalue()


def _until_ready(process):
    """The lines that a child prints until it is ready."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if READY in line:
            return "".join(lines)
    raise AssertionError("".join(lines) + process.stderr.read())


def test_it_says_where_it_is_and_how_to_ask(command, monkeypatch):
    """URL, token, programs, faults and a line for the shell stand there."""
    shown = _shown(command, monkeypatch, "--faults", "reset=0.05", "--seed", "3")
    assert "http://127.0.0.1:" in shown
    assert "sandbox-token" in shown
    assert "123: stars (iid 1), starts (iid 2), (iid 3)" in shown
    assert "reset=0.05" in shown
    assert "--email user@example.com" in shown
    assert "Stopped. 0 requests over 0 connections." in shown


def test_a_token_from_a_file_is_not_shown(command, monkeypatch, tmp_path):
    """The file's name stands in the token's place, in the line for the shell too."""
    path = tmp_path / "token"
    path.write_text("canary-token")
    shown = _shown(command, monkeypatch, "--token-file", str(path))
    assert "canary-token" not in shown
    assert f"--token-file {path}" in shown


@pytest.mark.parametrize(("host", "open_to_others"), [("localhost", False), ("0.0.0.0", True)])
def test_the_line_for_the_shell_fits_the_host(command, monkeypatch, host, open_to_others):
    """A host that others can reach is plain http to the client, which must be allowed."""
    shown = _shown(command, monkeypatch, "--host", host)
    assert ("--allow-http" in shown) is open_to_others


def test_help_lists_every_fault(command):
    """Every name that --faults takes stands in --help."""
    page = command("sandbox", "--help").out
    assert all(name in page for name in FAULTS)
    assert all(len(line) <= 76 for line in faults_help().splitlines())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_printed_line_works_and_a_signal_ends_it_cleanly(child, number):
    """A member is found by pasting the line; Ctrl-C gives exit 0 and a summary."""
    server = child("sandbox", "--port", "0", "--faults", "idle_close=1")
    shown = _until_ready(server)
    (line,) = (line for line in shown.splitlines() if "altcraft-balance get" in line)
    line = line.replace("altcraft-balance", f"{shlex.quote(sys.executable)} -m altcraft_balance")
    asked = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=30)
    assert (asked.returncode, asked.stderr) == (0, "")
    assert "Total balance" in asked.stdout
    server.send_signal(number)
    out, err = server.communicate(timeout=30)
    assert (server.returncode, err) == (0, "")
    assert "Stopped. 1 request over 1 connection." in out
    assert "ok" in out


def test_the_port_can_come_from_the_environment(child, monkeypatch):
    """ALTCRAFT_BALANCE_SANDBOX_PORT stands for --port."""
    monkeypatch.setenv("ALTCRAFT_BALANCE_SANDBOX_PORT", "0")
    server = child("sandbox")
    assert ":8085" not in _until_ready(server)
    server.send_signal(signal.SIGINT)
    assert server.wait(30) == 0
