"""The table that a session prints of its promises, and what full runs remember."""

import json
import subprocess
from types import SimpleNamespace

import pytest

from tests.promises.table import PromiseTable, Stated, drawn, read_done, state_of

LINE = {"row": "10", "promise": "no timeout", "tried": 1000, "failed": 0, "figure": "0 timeouts"}
HELD = {"time_s": 1.25, "held": True, "earlier": False}


def test_rows_are_in_order_and_columns_aligned():
    """1b comes after 1 and 10 after both; a broken promise says so, also without figures."""
    broken = {"row": "1b", "promise": "never old", "time_s": 0.5, "held": False, "earlier": False}
    first = LINE | HELD | {"row": "1", "figure": "fine", "earlier": True}
    assert drawn([LINE | HELD, broken, first]) == [
        "row  promise     tried  failed  figure                            time",
        "  1  no timeout  1,000       0  fine                   1.2 s (earlier)",
        " 1b  never old       ?       ?  BROKEN before its end            0.5 s",
        " 10  no timeout  1,000       0  0 timeouts                       1.2 s",
    ]


@pytest.mark.parametrize(("tried", "failed"), [(0, 0), (1000, 1)])
def test_a_promise_breaks_when_a_case_failed_or_none_was_tried(tried, failed):
    """What came of it is in the line all the same."""
    stated = Stated(10, "no timeout")
    with pytest.raises(AssertionError):
        stated.came(tried=tried, failed=failed, figure="0 timeouts")
    assert stated.line == LINE | {"tried": tried, "failed": failed}


def test_what_is_done_is_done_for_this_tree_only(tmp_path):
    """Lines of another commit are not taken over, and without a commit none is."""
    file = tmp_path / "full.jsonl"
    assert read_done(file, "a") == {}
    entries = [{"tree": tree, "nodeid": f"test_{tree}", "line": LINE} for tree in "ab"]
    file.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    assert read_done(file, "a") == {"test_a": LINE}
    assert read_done(file, None) == {}


def test_every_change_makes_another_tree(tmp_path):
    """A commit, a changed file and a new one are each another state; going back is the first."""

    def git(*words):
        who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    assert state_of(tmp_path) is None
    git("init")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-m", "a")
    states = [state_of(tmp_path)]
    assert "-clean-" in states[0]
    for name, text in (("a", "2"), ("a", "3"), ("b", "1"), ("b", "2")):
        (tmp_path / name).write_text(text)
        states.append(state_of(tmp_path))
    git("add", "b")
    states.append(state_of(tmp_path))
    assert len(set(states[:-1])) == 5
    git("checkout", "-f", "HEAD", "--", "a")
    git("rm", "-f", "b")
    assert state_of(tmp_path) == states[0]


class Config:
    """A session's settings; of a worker's, with pytest-xdist."""

    def __init__(self, folder, *, worker=False, scale="small", asked=None):
        self._options = {"scale": scale, "promises_json": asked}
        self.cache = SimpleNamespace(mkdir=lambda _: folder)
        if worker:
            self.workerinput = {}

    def getoption(self, name):
        return self._options[name]


class Terminal:
    """Keeps what is written."""

    def __init__(self):
        self.lines = []

    def section(self, title):
        self.lines.append(title)

    write_line = section


def session(config, *, skipped=False):
    """What a table writes to the terminal, of one promise that was kept and reported."""
    table, terminal = PromiseTable(config), Terminal()
    for when in ("setup", "call", "teardown"):
        # Lists, not tuples: reports of pytest-xdist have come as JSON.
        is_skipped = skipped and when == "call"
        report = SimpleNamespace(
            nodeid="test_it", when=when, duration=1.25, passed=not is_skipped, skipped=is_skipped
        )
        report.user_properties = [["promise", LINE]]
        table.pytest_runtest_logreport(report)
    table.pytest_terminal_summary(terminal)
    return terminal.lines


@pytest.mark.parametrize("asked", [None, "own.json"])
def test_the_table_is_written_as_json(tmp_path, asked):
    """Where it was asked for, else in pytest's cache; the terminal says where."""
    path = tmp_path / (asked or "table.json")
    lines = session(Config(tmp_path, asked=asked and str(path)))
    assert lines[-1] == f"as JSON: {path}"
    written = json.loads(path.read_text("utf-8"))
    assert written["scale"] == "small"
    assert written["promises"] == [LINE | HELD | {"nodeid": "test_it"}]
    assert list(tmp_path.iterdir()) == [path]


def test_what_held_earlier_holds(tmp_path, monkeypatch):
    """A full run that goes on has it in its table, and writes it down no second time."""
    monkeypatch.setattr("tests.promises.table.state_of", lambda _: "a")
    asked = tmp_path / "own.json"
    for skipped in (False, True):
        session(Config(tmp_path, scale="full", asked=str(asked)), skipped=skipped)
    [line] = json.loads(asked.read_text("utf-8"))["promises"]
    assert (line["held"], line["earlier"]) == (True, True)
    assert len((tmp_path / "full.jsonl").read_text("utf-8").splitlines()) == 1


def test_what_is_skipped_without_having_held_does_not(tmp_path):
    """It was stated, and nothing came of it."""
    asked = tmp_path / "own.json"
    session(Config(tmp_path, asked=str(asked)), skipped=True)
    [line] = json.loads(asked.read_text("utf-8"))["promises"]
    assert (line["held"], line["earlier"]) == (False, False)


def test_a_worker_leaves_it_to_the_controller(tmp_path):
    """Else a full run would write each promise twice."""
    assert session(Config(tmp_path, worker=True, scale="full")) == []
    assert list(tmp_path.iterdir()) == []
    session(Config(tmp_path, scale="full"))
    assert len((tmp_path / "full.jsonl").read_text("utf-8").splitlines()) == 1
