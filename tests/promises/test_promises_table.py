"""The table that a session prints of its promises, and what full runs remember."""

import json
import subprocess

import pytest

from tests.promises.table import Stated, drawn, read_done, state_of

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
