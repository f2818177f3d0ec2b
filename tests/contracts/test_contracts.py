"""The contracts that are not Python: files say what they are, and users are told when they change.

Programs read our columns, our JSON, exit codes and variables; a type checker would not warn them.
"""

import json

import pytest

from tests.contracts import record
from tests.contracts.shapes import shape_of
from tests.contracts.taken import from_runs, tables

pytest.importorskip("pyarrow")
pytest.importorskip("sqlalchemy")


def differences(name, now):
    """In words, of the file's lines."""
    had, has = (
        set(json.dumps(contract, indent=1, ensure_ascii=False).replace(",\n", "\n").splitlines())
        for contract in (record.recorded(name), now)
    )
    return {"only in the file": sorted(had - has), "only in the code": sorted(has - had)}


@pytest.mark.parametrize("taken", [tables, from_runs])
def test_each_contract_is_what_its_file_says(taken, tmp_path):
    """A change of the code fails until the file is written anew."""
    now = json.loads(json.dumps(taken(tmp_path)))  # as a file has it
    changed = {
        name: differences(name, now[name]) for name in now if now[name] != record.recorded(name)
    }
    assert not changed, f"contracts have changed; {record.HOW}\n{json.dumps(changed, indent=1)}"


def test_each_file_is_a_contract():
    """None is left of a contract that is compared no more."""
    assert record.names() == [
        "columns",
        "commands",
        "environment",
        "error_kinds",
        "events",
        "exit_codes",
        "get_json",
        "metrics",
        "progress_json",
        "state",
        "status_json",
        "summary",
        "words",
    ]


def test_users_are_told_of_the_last_change():
    """The files are those that `changes.txt` names last, beside words of CHANGELOG.md."""
    *earlier, (mark, words) = record.changes()
    assert mark == record.mark(), f"the files have changed since CHANGELOG.md told; {record.HOW}"
    assert record.trouble_with(words, [told for _, told in earlier]) == ""


# ── the rule itself ──────────────────────────────────────────────────────────────────────────


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A record of its own, of one contract that was told as "the first four words"."""
    monkeypatch.setattr(record, "HERE", tmp_path)
    monkeypatch.setattr(record, "ROOT", tmp_path)
    monkeypatch.setattr(record, "CHANGES", tmp_path / "changes.txt")
    (tmp_path / "CHANGELOG.md").write_text("- the first\n  four words\n- then some other words\n")
    record.write({"columns": ["a"]})
    record.note("the first four words")
    return tmp_path


def test_a_change_wants_words_that_told_of_no_other(copied):
    """Nor may they be few, or missing from CHANGELOG.md; a line break there does not matter."""
    (told,) = record.changes()
    record.write({"columns": ["b"]})
    for words in ("the first four words", "not in the changelog", "the first four"):
        with pytest.raises(SystemExit, match=r"changes\.txt is as it was"):
            record.note(words)
    assert record.changes() == [told]
    record.note("then some other words")
    assert record.changes() == [told, (record.mark(), "then some other words")]


def test_the_same_state_may_be_told_in_other_words(copied):
    """They take the place of the former."""
    record.note("then some other words")
    assert record.changes() == [(record.mark(), "then some other words")]


def test_files_that_are_no_contract_any_more_go(copied):
    """The mark is of the files that are left."""
    before = record.mark()
    record.write({"other": ["a"]})
    assert record.names() == ["other"]
    assert record.mark() != before


def test_a_shape_has_all_types_and_no_data():
    """Keys that are data are one; a list's items are one; what may be missing is seen."""
    one = {"kinds": {"bad_request": 1}, "at": None, "points": [{"s": 0.5}, {"s": None}]}
    other = {"kinds": {"api_error": 2}, "at": "now", "points": [], "is_it": True}
    assert shape_of(one, other) == {
        "at": "null or text",
        "is_it": "true or false",
        "kinds.*": "whole number",
        "points[].s": "null or number",
    }
