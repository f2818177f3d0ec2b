"""The list of guards is in step with the library and the tests; taking them out is a command's."""

import ast

import pytest

from tests.promises.guards import GUARDS, LIBRARY, guard
from tests.promises.sabotage import ROOT, Scratch, main, stated_rows, trouble_with


@pytest.mark.parametrize("one", GUARDS, ids=[f"{one.row} {one.name}" for one in GUARDS])
def test_each_guard_can_be_taken_out(one):
    """Its texts stand in the library, once, and what is left is Python."""
    assert trouble_with(one) == ""
    texts = {}
    for file, find, put in one.edits:
        text = texts.get(file) or (ROOT / LIBRARY / file).read_text("utf-8")
        texts[file] = text.replace(find, put)
    for text in texts.values():
        ast.parse(text)


def test_each_row_that_has_a_test_has_a_guard():
    """A new row comes with a guard, so that its test is known to bite."""
    parts = {"2b", "29", "30"}  # of row 2, and what is said of commands: mutation and nox
    assert stated_rows().keys() - parts <= {one.row for one in GUARDS}


def test_each_choice_of_tests_exists():
    """Of each guard whose row has tests, `only` names words that stand in them."""
    files = stated_rows()
    for one in GUARDS:
        text = "".join(
            (ROOT / "tests/promises" / name).read_text("utf-8") for name in files.get(one.row, [])
        )
        words = set(one.only.split()) - {"and", "or", "not"}
        assert not text or all(word in text for word in words), one


def test_a_text_that_is_gone_is_an_error(capsys, monkeypatch):
    """It says so, and the exit code is 1."""
    gone = guard(8, "gone", "policy/backoff.py", "this is not there", "nor this")
    monkeypatch.setattr("tests.promises.sabotage.GUARDS", [gone])
    assert "0 times" in trouble_with(gone)
    assert main(["--row", "8"]) == 1
    assert "CANNOT BE TAKEN OUT" in capsys.readouterr().out
    assert main(["--row", "99"]) == 1


def test_what_survives_is_said(capsys, monkeypatch):
    """A patch that changes nothing is not caught; one that breaks the promise is, by its test."""
    same = guard(8, "nothing", "policy/backoff.py", "return draw *", "return 1.0 * draw *")
    jitter = next(one for one in GUARDS if one.row == "8")
    monkeypatch.setattr("tests.promises.sabotage.GUARDS", [same, jitter])
    assert main(["--row", "8", "--broken-only"]) == 1
    said = capsys.readouterr().out
    assert "IT SURVIVES" in said
    assert "test_promises_jitter.py::test_waits_are_uniform" in said
    assert "1 of 2 were caught" in said


def test_a_library_that_cannot_be_imported_is_not_caught(capsys, monkeypatch):
    """Such a patch proves nothing about the test."""
    broken = guard(
        8, "broken", "policy/backoff.py", "def probe_after_s", "1 / 0\ndef probe_after_s"
    )
    monkeypatch.setattr("tests.promises.sabotage.GUARDS", [broken])
    assert main(["--row", "8", "--broken-only"]) == 1
    assert "PYTEST ENDED WITH" in capsys.readouterr().out


def test_what_fails_anyway_catches_nothing(tmp_path, capsys):
    """It is told apart, since it would fail for any guard."""
    jitter = next(one for one in GUARDS if one.row == "8")
    scratch = Scratch(tmp_path)
    test = tmp_path / "tests/promises/test_promises_jitter.py"
    test.write_text(test.read_text() + "\n\ndef test_it():\n    raise AssertionError\n")
    assert not scratch.tell(jitter, whole_first=True)
    assert "FAILS ANYWAY" in capsys.readouterr().out
