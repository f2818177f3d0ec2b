"""``--dry-run`` reads and checks everything, and sends, opens and makes nothing."""

import subprocess
import sys

import pytest

from tests.cli.refreshing import address, one_sentence, write_members

BY = ("--by", "email", "--out", "o.csv", "--dry-run")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder in which the command runs, with ten members, and three rows that are wrong."""
    monkeypatch.chdir(tmp_path)
    path = write_members(tmp_path / "m.csv", 10)
    with path.open("a") as file:
        file.write("nobody\na,b\n\n\nanother\n")
    return tmp_path


def test_nothing_is_sent_and_nothing_is_made(command, server, folder):
    """Neither token nor server are needed; counts are of all rows."""
    ended = command("refresh", "m.csv", *BY, ALTCRAFT_TOKEN="")
    assert (ended.code, ended.err) == (0, "")
    assert (server.requests, server.connections) == (0, 0)
    assert [path.name for path in folder.iterdir()] == ["m.csv"]
    shown = dict(line.split("  ", 1) for line in ended.out.splitlines() if "  " in line.strip())
    assert shown["Rows"].strip() == "13"
    assert shown["Bad input"].startswith("3; the first in row 11: ")
    assert shown["Requests"].strip() == "10, and repeats"
    assert "no --rate was given" in ended.out
    assert ended.out.endswith("Nothing was sent.\n")


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("auth", ["body", "header", "both"])
def test_the_first_request_is_shown_masked(command, server, folder, form, auth):
    """As it would be sent, but for the token and the member."""
    ended = command("refresh", "m.csv", *BY, "--format", form, "--auth", auth)
    assert ended.code == 0, ended.err
    assert "sandbox-token" not in ended.out
    assert "@example.com" not in ended.out
    assert f"POST {server.url}/api/v1.1/loyalty/account/balance" in ended.out
    assert f"Content-Type: application/{form}" in ended.out
    assert ("Authorization: Bearer ***" in ended.out) == (auth != "body")
    email = {"json": '"email":"***"', "xml": "<email>***</email>"}[form]
    token = {"json": '"token":"***"', "xml": "<token>***</token>"}[form]
    assert email in ended.out
    assert (token in ended.out) == (auth != "header")


def test_the_time_is_estimated_at_the_rate(command, server, folder):
    """10 requests, twice each, at a rate: given alone, or shared."""
    both = ("--currency-eid", "stars", "--currency-eid", "starts")
    ended = command("refresh", "m.csv", *BY, *both, "--rate", "0.002")
    assert "20, and repeats" in ended.out
    assert "at least 2 h 46 min, at 0.002 requests/s" in ended.out
    ended = command("refresh", "m.csv", *BY, "--rate", "0.1", "--rate-workers", "2")
    assert "at least 1 min 40 s, at 0.1 requests/s" in ended.out


def test_it_may_be_a_part(command, server, folder):
    """--limit and --sample count here too."""
    assert "Rows       3 " in command("refresh", "m.csv", *BY, "--limit", "3").out


def test_a_wrong_input_is_refused_as_the_real_run_does(command, server, folder):
    """The same sentence, and exit 2."""
    said = one_sentence(command("refresh", "m.csv", *BY, "--column", "x"))
    assert said.startswith("--column 'x' is not in m.csv")


def test_standard_input_leaves_nothing(server, folder):
    """It is read from a temporary file."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "altcraft_balance", "refresh", "-", *BY],
        input=f"email\n{address(1)}\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "standard input" in done.stdout
    assert [path.name for path in folder.iterdir()] == ["m.csv"]
