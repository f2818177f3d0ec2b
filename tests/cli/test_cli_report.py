"""``report`` makes a page of what ``refresh --summary`` wrote, or says why not."""

import sys

import pytest

from tests.cli.refreshing import one_sentence, write_members


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder in which the command runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def summary(command, server, folder):
    """The summary of a run of ten members, in s.json."""
    write_members(folder / "m.csv", 10)
    always = ("--by", "email", "--out", "o.csv", "--summary", "s.json")
    assert command("refresh", "m.csv", *always).code == 0
    return folder / "s.json"


def test_a_summary_becomes_a_page(command, summary, folder):
    """For its owner alone, since it has names of files and what a server said."""
    ended = command("report", "s.json", "--out", "r.html")
    assert (ended.code, ended.out, ended.err) == (0, "The report is in r.html.\n", "")
    page = folder / "r.html"
    assert page.stat().st_mode & 0o777 == 0o600
    text = page.read_text(encoding="utf-8")
    assert "10 of 10 rows answered" in text
    assert "@example.com" not in text
    assert "sandbox-token" not in text
    assert sorted(path.name for path in folder.glob("r.html*")) == ["r.html"]


def test_a_page_is_replaced_at_once(command, summary, folder, monkeypatch):
    """Until the new one is whole, the old one is there."""
    (folder / "r.html").write_text("old")
    monkeypatch.setattr("altcraft_balance.refresh.state.disk.publish", _full)
    ended = command("report", "s.json", "--out", "r.html")
    assert one_sentence(ended, 74).startswith("r.html cannot be written: no space left on device;")
    assert (folder / "r.html").read_text() == "old"
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert command("report", "s.json", "--out", "r.html").code == 0
    assert (folder / "r.html").read_text().startswith("<!DOCTYPE html>")


def _full(*_):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("no.json", "--out", "r.html"), "no.json cannot be read: no such file or directory"),
        (("m.csv", "--out", "r.html"), "m.csv is no summary of a run (it is not JSON): give the"),
        ((".", "--out", "r.html"), ". cannot be read: is a directory"),
        (("s.json", "--out", "no/r.html"), "--out no/r.html cannot be written: there is no such"),
        (("s.json", "--out", "."), "--out . is a folder: give it a file's name"),
        (("s.json", "--out", "./s.json"), "SUMMARY and --out are the same: s.json"),
        (("s.json",), "Missing option '--out'"),
    ],
)
def test_what_cannot_be_is_one_sentence(command, summary, folder, arguments, sentence):
    """And nothing is written."""
    assert one_sentence(command("report", *arguments)).startswith(sentence)
    assert not (folder / "r.html").exists()
    assert summary.read_text().startswith("{")


def test_without_the_extra_it_is_said_which(command, folder, monkeypatch):
    """Before anything is read."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    said = one_sentence(command("report", "no.json", "--out", "r.html"))
    assert said.endswith("python -m pip install 'altcraft-balance[report]'")


def test_a_run_under_way_has_a_page(command, summary, folder):
    """From what ``status --json`` prints."""
    (folder / "status.json").write_text(command("status", "--json").out)
    assert command("report", "status.json", "--out", "r.html").code == 0
    assert "10 of 10 rows answered" in (folder / "r.html").read_text()
