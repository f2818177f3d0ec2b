"""`status` shows runs that are under way, unfinished and finished, from their state alone."""

import json
import signal
import sqlite3
import time

import pytest

from tests.cli.refreshing import one_sentence, write_members

BY = ("--by", "email", "--out")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder in which the command runs, with some members."""
    monkeypatch.chdir(tmp_path)
    write_members(tmp_path / "m.csv", 2_000)
    return tmp_path


def _seen(command, *arguments):
    ended = command("status", *arguments, "--json")
    assert (ended.code, ended.err) == (0, "")
    return json.loads(ended.out)["runs"]


def test_nothing_is_a_sentence(command, folder):
    """No state, and a state without a run."""
    ended = command("status")
    assert (ended.code, ended.out) == (0, "No run has its state in .altcraft-balance.\n")
    (folder / "empty").mkdir()
    assert "No run has its state in empty." in command("status", "empty").out
    assert _seen(command) == []


def test_a_folder_that_is_not_there_is_one_sentence(command, folder):
    """Whoever names one means one."""
    assert one_sentence(command("status", "nowhere")) == "there is no folder nowhere"


def test_a_finished_run_is_shown(command, server, folder):
    """With the table of its end, in the folder of all runs and in its own."""
    command("refresh", "m.csv", *BY, "o.csv", "--run-id", "nightly", "--limit", "10")
    ended = command("status")
    assert ended.code == 0
    assert "nightly" in ended.out
    assert "10 of 10" in ended.out
    assert "State     finished" in ended.out
    (run,) = _seen(command, ".altcraft-balance/nightly")
    assert (run["run_id"], run["state"], run["rows"]) == ("nightly", "finished", 10)


def test_a_run_under_way_and_unfinished_is_shown(command, child, serve, folder, monkeypatch):
    """While a process has it, and when that has gone; its figures are those that are committed."""
    with serve(latency_s=0.2) as server:
        monkeypatch.setenv("ALTCRAFT_BASE_URL", server.url)
        monkeypatch.setenv("ALTCRAFT_TOKEN", "sandbox-token")
        monkeypatch.setenv("ALTCRAFT_LOYALTY_PROGRAM_ID", "123")
        process = child("refresh", "m.csv", *BY, "o.csv", "--max-failed", "1000")
        end, runs = time.monotonic() + 30, []
        while not (runs and runs[0].get("rows")):
            assert time.monotonic() < end
            assert process.poll() is None
            runs = _seen(command)
        assert runs[0]["state"] == "under way"
        assert runs[0]["total"] == 2_000
        assert runs[0]["is_within_max_failed"]
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    (run,) = _seen(command)
    assert run["state"] == "unfinished"
    assert run["rows"] >= runs[0]["rows"]
    assert "State     unfinished" in command("status").out


def test_several_runs_are_shown(command, server, folder):
    """One after the other, by name."""
    for name in ("b", "a"):
        command("refresh", "m.csv", *BY, f"{name}.csv", "--run-id", name, "--limit", "1")
    assert [run["run_id"] for run in _seen(command)] == ["a", "b"]
    assert command("status").out.count("Run  ") == 2


def test_state_of_another_version_is_refused(command, folder):
    """The sentence says what to do, by option."""
    run = folder / ".altcraft-balance" / "old"
    run.mkdir(parents=True)
    database = sqlite3.connect(run / "checkpoint.sqlite")
    database.execute("PRAGMA user_version = 99")
    database.close()
    said = one_sentence(command("status"))
    assert "is of version 99" in said
    assert said.endswith("drop it with --fresh")


@pytest.mark.parametrize("text", ["{}", "[]", "x", '{"summary": {}}'])
def test_damaged_state_is_refused(command, folder, text):
    """No traceback for it."""
    run = folder / ".altcraft-balance" / "old"
    run.mkdir(parents=True)
    (run / "finished.json").write_text(text)
    assert one_sentence(command("status")).endswith("is of another version, or damaged")


def test_a_run_without_a_row_is_shown(command, folder):
    """A crash may come before anything is known."""
    run = folder / ".altcraft-balance" / "new"
    run.mkdir(parents=True)
    (run / "checkpoint.sqlite").touch()
    assert "unfinished, without a row yet" in command("status").out
    assert _seen(command) == [{"run_id": "new", "state": "unfinished"}]


def test_runs_in_a_database_are_shown(command, child, serve, folder, monkeypatch):
    """SQLite's lock file says which of them is under way; nothing is made by looking."""
    pytest.importorskip("aiosqlite")
    table = ("--to-sql", "balances", "--to-dsn", "sqlite:///b.db")
    look = ("--dsn", "sqlite:///b.db")
    assert one_sentence(command("status", *look)) == "there is no database sqlite:///b.db"
    with serve(latency_s=0.2) as server:
        monkeypatch.setenv("ALTCRAFT_BASE_URL", server.url)
        monkeypatch.setenv("ALTCRAFT_TOKEN", "sandbox-token")
        monkeypatch.setenv("ALTCRAFT_LOYALTY_PROGRAM_ID", "123")
        arguments = ("m.csv", "--by", "email", *table)
        command("refresh", *arguments, "--run-id", "a", "--limit", "5")
        process = child("refresh", *arguments, "--run-id", "b")
        end, asked = time.monotonic() + 30, server.requests
        while server.requests < asked + 100:
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.01)
        seen = [(run["run_id"], run["state"]) for run in _seen(command, *look)]
        assert seen == [("a", "finished"), ("b", "under way")]
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    assert [run["state"] for run in _seen(command, *look)] == ["finished", "unfinished"]
    (folder / "empty.db").touch()
    ended = command("status", "--dsn", "sqlite:///empty.db")
    assert ended.out == "No run has its state in that database.\n"
    ended = command("status", "--dsn", "sqlite:///m.csv")
    assert "file is not a database" in one_sentence(ended)
