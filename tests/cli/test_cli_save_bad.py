"""`--save-bad` keeps what is needed for a bug report, and nothing of what was asked."""

import errno
import json
import os

import pytest

from altcraft_balance.session import bad_replies
from tests.cli.refreshing import address, one_sentence, rows_of, write_members

ADDRESS = "canary@example.com"
GET = ("get", "--email", ADDRESS, "--max-attempts", "1")
REFRESH = ("refresh", "members.csv", "--by", "email", "--out", "out.csv", "--max-attempts", "1")
PAGE = f"<html>no {ADDRESS}, {address(1)}, sandbox-token</html>".encode()
FILES = {"body.bin", "expected.json", "headers.json"}


@pytest.fixture
def bad(server, tmp_path, monkeypatch):
    """Where they go; the server answers everybody with the same page."""
    monkeypatch.chdir(tmp_path)
    server.answer(None, body=PAGE, headers={"Content-Type": "text/html", "Set-Cookie": "a=canary"})
    return tmp_path / "bad"


def read(bad):
    """All that is kept, in one piece."""
    files = [path for path in sorted(bad.rglob("*")) if path.is_file()]
    assert {path.name for path in files} == FILES
    return b"".join(path.read_bytes() for path in files)


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("how", ["option", "variable"])
def test_the_reply_to_a_lookup_is_kept(command, bad, form, how):
    """The error is the same, and beside it lies what it speaks of."""
    if how == "option":
        ended = command(*GET, "--format", form, "--save-bad", "bad")
    else:
        ended = command(*GET, "--format", form, ALTCRAFT_SAVE_BAD="bad")
    assert ended.code == command(*GET, "--format", form).code
    assert len(list(bad.iterdir())) == (1 if how == "option" else 2)
    assert json.loads((bad / "bad-001" / "headers.json").read_text()) == {
        "content-length": str(len(PAGE)),
        "content-type": "text/html",
    }
    assert (bad / "bad-001" / "body.bin").read_bytes() == b"<html>no ***, ***, ***</html>"
    assert b"canary" not in read(bad)


def test_those_of_a_file_are_kept(command, bad, tmp_path):
    """A few of them; the rows are what they are without it."""
    write_members(tmp_path / "members.csv", 20)
    ended = command(*REFRESH, "--max-failed", "100%", "--save-bad", "bad")
    assert ended.code == 0, ended.err
    assert [row["error_kind"] for row in rows_of(tmp_path / "out.csv")] == ["unexpected_reply"] * 20
    assert len(list(bad.iterdir())) == 10
    assert b"example.com" not in read(bad)


def test_a_full_disk_is_said_once_and_loses_no_row(command, bad, tmp_path, monkeypatch, caplog):
    """It is no affair of the run's."""

    def full(path, _):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(bad_replies, "write_private", full)
    write_members(tmp_path / "members.csv", 20)
    ended = command(*REFRESH, "--max-failed", "100%", "--save-bad", "bad")
    assert ended.code == 0, ended.err
    assert len(rows_of(tmp_path / "out.csv")) == 20
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "an unexpected reply could not be kept in bad, and no more will be: No space left on device"
    ]


@pytest.mark.parametrize("arguments", [GET, REFRESH], ids=["get", "refresh"])
def test_a_path_that_is_a_file_is_one_sentence(command, bad, server, tmp_path, arguments):
    """By the name of the option, before anything is asked."""
    bad.touch()
    write_members(tmp_path / "members.csv", 3)
    sentence = one_sentence(command(*arguments, "--save-bad", "bad"))
    assert sentence == "--save-bad must be a folder to write to: bad is a file"
    assert one_sentence(command(*arguments, "--save-bad", "")).startswith("--save-bad is empty")
    assert server.requests == 0


@pytest.mark.parametrize("name", ["get", "refresh"])
def test_the_help_has_it(command, name):
    """With the variable that does the same."""
    words = " ".join(command(name, "--help").out.replace("│", " ").split())
    assert "--save-bad FOLDER Keep unexpected replies for a bug report" in words
    assert "ALTCRAFT_SAVE_BAD" in words
