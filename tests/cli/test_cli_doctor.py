"""``altcraft-balance doctor``."""

import json
import shutil
import socket

import pytest

from altcraft_balance.doctor.examine import AFTER_SETTINGS
from altcraft_balance.doctor.keeping import Samples


@pytest.fixture(autouse=True)
def no_long_wait(monkeypatch):
    """For an idle connection's end."""
    monkeypatch.setattr("altcraft_balance.cli.doctor.WAIT_S", 0.1)


def test_a_set_up_in_order_is_told(command, server):
    """A line for each check, and exit 0."""
    ended = command("doctor")
    assert (ended.code, ended.err) == (0, "")
    checks = [line.split()[1] for line in ended.out.splitlines() if not line.startswith(" ")]
    assert checks == ["versions", "settings", *AFTER_SETTINGS]


def test_what_is_wrong_is_told_with_what_to_do(command, server):
    """And the exit code says whose it is, as a lookup's would."""
    ended = command("doctor", ALTCRAFT_TOKEN="x")
    assert ended.code == 77
    assert "WRONG token" in ended.out
    assert "-> check the API token" in ended.out


def test_json_is_for_programs(command, server):
    """All of it in one line."""
    ended = command("doctor", "--json", "--probe", "--rate", "500")
    report = json.loads(ended.out)
    assert (ended.code, report["ok"]) == (0, True)
    [endpoint] = [one for one in report["checks"] if one["check"] == "endpoint"]
    assert endpoint == {"check": "endpoint", "state": "ok", "says": endpoint["says"], "advice": ""}
    assert report["facts"][0] == {
        "question": "where the token goes",
        "answer": "accepted in the body and in the header",
    }
    assert report["settings"][-1].startswith("ALTCRAFT_CONCURRENCY=")


def test_a_probe_prints_settings_and_keeps_replies(command, server, tmp_path):
    """To copy, and for a server."""
    kept = tmp_path / "kept"
    arguments = ("--email", "user@example.com", "--probe", "--save", str(kept), "--rate", "500")
    ended = command("doctor", *arguments)
    assert ended.code == 0
    assert "Settings that fit this server:" in ended.out
    assert (kept / "body-token" / "body.bin").exists()
    assert "user@" not in ended.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--save", "kept"), "--save keeps what a probe is answered: give --probe as well"),
        (("--email", "a", "--phone", "1"), "say which member: exactly one of"),
    ],
)
def test_wrong_usage_is_one_sentence(command, server, arguments, said):
    """With exit 2."""
    ended = command("doctor", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_programs_are_told_of_wrong_usage_too(command, server):
    """In the report's own shape."""
    ended = command("doctor", "--json", "--save", "kept")
    report = json.loads(ended.out)
    assert (ended.code, report["ok"], report["checks"][0]["state"]) == (2, False, "failed")


def test_a_folder_that_goes_away_ends_no_probe(command, server, tmp_path, monkeypatch):
    """All facts are told, and that they were not kept; with exit 74."""
    kept = tmp_path / "kept"
    keep = Samples.keep

    def gone(samples, case, seen):
        shutil.rmtree(kept, ignore_errors=True)
        keep(samples, case, seen)

    monkeypatch.setattr(Samples, "keep", gone)
    ended = command("doctor", "--json", "--probe", "--save", str(kept))
    assert (ended.code, len(json.loads(ended.out)["facts"]) > 5) == (74, True)
    assert f"--save {kept} cannot be written" in ended.err


def test_a_probe_that_is_not_made_says_so(command, server):
    """There is nobody to ask."""
    ended = command("doctor", "--probe", "--base-url", "http://127.0.0.1:9")
    assert "Nothing more was asked" in ended.out


def test_without_settings_they_are_named(command):
    """For programs, too; what could be looked at only with them is skipped."""
    ended = command("doctor")
    assert ended.code == 2
    assert "--base-url (ALTCRAFT_BASE_URL)" in ended.out
    report = json.loads(command("doctor", "--json").out)
    states = {one["check"]: one["state"] for one in report["checks"]}
    assert (report["ok"], states.pop("versions"), states.pop("settings")) == (False, "ok", "failed")
    assert {*states.values()} == {"skipped"}


def test_a_server_that_is_away_has_a_lookups_exit_code(command, server):
    """69, as of `get`."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert command("doctor", "--base-url", away).code == 69
