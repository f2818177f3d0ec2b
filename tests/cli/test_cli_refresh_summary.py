"""``--summary`` is written on every exit, for its owner alone, and holds no secret."""

import json
import signal
import socket
import time

import pytest

from altcraft_balance.models import ByEmail
from tests.cli.refreshing import address, write_members

BY = ("--by", "email")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder in which the command runs, with ten members."""
    monkeypatch.chdir(tmp_path)
    write_members(tmp_path / "m.csv", 10)
    return tmp_path


def _summary(folder):
    path = folder / "s.json"
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    assert "sandbox-token" not in text
    assert "@example.com" not in text
    return json.loads(text)


#: Arguments, variables, exit code, state, words of the reason.
EXITS = {
    "finished": ((), {}, 0, "finished", ""),
    "more failed": (("--finish",), {}, 3, "finished", ""),
    "dry run": (("--dry-run",), {}, 0, "stopped", "a dry run: nothing was sent"),
    "no way": (("--by", "name"), {}, 2, "broken", "--by must be"),
    "no column": (("--column", "x"), {}, 2, "broken", "--column 'x' is not in m.csv"),
    "no output": (("--out", "no/o.csv"), {}, 2, "broken", "no/o.csv cannot be written"),
    "no token": ((), {"ALTCRAFT_TOKEN": ""}, 2, "broken", "not set: the token"),
    "wrong token": ((), {"ALTCRAFT_TOKEN": "wrong"}, 77, "broken", "401"),
}


@pytest.mark.parametrize("case", EXITS)
def test_every_exit_writes_it(command, server, folder, case):
    """Also when nothing was done, with the reason."""
    arguments, variables, code, state, reason = EXITS[case]
    usual = ("--out", "o.csv") if "--out" not in arguments else ()
    ended = command("refresh", "m.csv", *BY, *usual, "--summary", "s.json", *arguments, **variables)
    assert ended.code == code, ended.err
    summary = _summary(folder)
    assert summary["state"] == state
    assert reason in summary["reason"]
    # Those behind a fatal answer as well, though it is no row's.
    assert summary["requests"] == server.requests


def test_it_has_counts_and_settings(command, server, folder):
    """Those of the table, for programs."""
    server.remove(ByEmail(address(1)))
    always = ("refresh", "m.csv", *BY, "--out", "o.csv", "--summary", "s.json", "--rate", "500")
    assert command(*always).code == 3
    summary = _summary(folder)
    assert (summary["rows"], summary["total"]) == (10, 10)
    assert summary["statuses"] == {
        "found": 9, "not_a_member": 0, "failed": 1, "bad_input": 0, "not_asked": 0
    }  # fmt: skip
    assert summary["requests"] == 10
    assert summary["settings"]["by"] == "email"
    assert summary["settings"]["rate_per_s"] == "500.0"
    assert summary["most_per_s"] >= 1
    command(*always)
    assert _summary(folder)["state"] == "finished_before"


def test_an_unreachable_server_writes_it(command, server, folder):
    """With the reason."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    always = ("refresh", "m.csv", *BY, "--out", "o.csv", "--summary", "s.json")
    assert command(*always, "--base-url", url).code == 69
    assert _summary(folder)["state"] == "broken"


@pytest.mark.parametrize("signals", [1, 2])
def test_signals_write_it(child, serve, folder, monkeypatch, signals):
    """One that drains, with more members than it has taken yet, and one that stops at once."""
    write_members(folder / "m.csv", 200)
    with serve(latency_s=0.3 if signals == 1 else 3) as server:
        monkeypatch.setenv("ALTCRAFT_TOKEN", "sandbox-token")
        process = child(
            "refresh", "m.csv", *BY, "--out", "o.csv", "--summary", "s.json",
            "--base-url", server.url, "--program", "123", "--concurrency", "5",
        )  # fmt: skip
        end = time.monotonic() + 30
        while not server.requests and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline().startswith("Stopping: ")
        if signals == 2:
            process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 75, err
    summary = _summary(folder)
    assert summary["state"] == "stopped"
    assert (summary["rows"] > 0) == (signals == 1)


def test_a_bug_writes_it_without_its_text(command, server, folder, monkeypatch):
    """The text of an unforeseen error may hold anything."""

    def broken(**_):
        raise ZeroDivisionError("canary")

    monkeypatch.setattr("altcraft_balance.cli.refresh.BalanceClient", broken)
    assert command("refresh", "m.csv", *BY, "--out", "o.csv", "--summary", "s.json").code == 1
    assert _summary(folder)["reason"] == "ZeroDivisionError"


def test_a_summary_that_cannot_be_written_is_74(command, server, folder, monkeypatch):
    """The run itself is done, and is not asked again."""
    from altcraft_balance.cli import kept_summary

    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept_summary.disk, "save", full)
    monkeypatch.setattr("altcraft_balance.refresh.state.folder.disk.save", full)
    ended = command("refresh", "m.csv", *BY, "--out", "o.csv", "--summary", "s.json")
    assert ended.code == 74
    assert "s.json cannot be written: no space left on device" in ended.err
    assert ended.err.count("Error: ") == 1
