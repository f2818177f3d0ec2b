"""The night's end on the command line: options, what is said before and after, exit code 75."""

import json
import time
from datetime import datetime
from types import SimpleNamespace

import pytest
from attrs import evolve

from altcraft_balance.cli.night_options import announced, night_of
from altcraft_balance.cli.summary_table import described
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.durations import duration_s
from altcraft_balance.refresh.summary import nothing_done
from altcraft_balance.settings import ClientSettings, Limits
from altcraft_balance.timetable import RateTimetable
from tests.cli.refreshing import assert_right, one_sentence, rows_of, write_members

BY = ("--by", "email")
RATES = "06:00,20 22:00,200"
SIX = "2026-11-27 06:00 Europe/Moscow (UTC+03:00)"


def night(stop_at=None, max_duration=None, zone="Europe/Moscow", at="2026-11-27T05:00+03:00"):
    """The night that is asked for at that moment."""
    told = SimpleNamespace(stop_at=stop_at, max_duration=max_duration, time_zone=zone)
    return night_of(told, lambda: datetime.fromisoformat(at))


# ── in this process ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("06:00", "2026-11-27T05:00+03:00", "2026-11-27 06:00 Europe/Moscow (UTC+03:00)"),
        ("6:00", "2026-11-26T22:00+03:00", "2026-11-27 06:00 Europe/Moscow (UTC+03:00)"),
        ("06:00", "2026-11-26T22:00+00:00", "2026-11-27 06:00 Europe/Moscow (UTC+03:00)"),
        ("06:00", "2026-11-27T06:01+03:00", "2026-11-27 06:00 Europe/Moscow (UTC+03:00)"),
        ("06:00", "2026-11-27T06:59+03:00", "2026-11-27 06:00 Europe/Moscow (UTC+03:00)"),
        ("06:00", "2026-11-27T07:00+03:00", "2026-11-28 06:00 Europe/Moscow (UTC+03:00)"),
        ("00:10", "2026-11-27T00:40+03:00", "2026-11-27 00:10 Europe/Moscow (UTC+03:00)"),
        (
            "2026-12-01T06:00",
            "2026-11-27T06:00+03:00",
            "2026-12-01 06:00 Europe/Moscow (UTC+03:00)",
        ),
        (
            "2026-12-01 06:00",
            "2026-11-27T06:00+03:00",
            "2026-12-01 06:00 Europe/Moscow (UTC+03:00)",
        ),
        ("2026-12-01T06:00+05:30", "2026-11-27T06:00+03:00", "2026-12-01 06:00 UTC+05:30"),
        ("2026-12-01T06:00Z", "2026-11-27T06:00+03:00", "2026-12-01 06:00 UTC"),
        (
            "2020-01-01T06:00",
            "2026-11-27T06:00+03:00",
            "2020-01-01 06:00 Europe/Moscow (UTC+03:00)",
        ),
    ],
)
def test_a_time_is_the_next_one_or_was_just_now(text, at, said):
    """For an hour: whoever restarts a run at 06:01 does not have it run until tomorrow."""
    assert night(text, at=at).settings["stop_at"] == said


@pytest.mark.parametrize(
    "text", ["", "6", "24:00", "six", "2026-12-01", "06:00 tomorrow", "6:00pm"]
)
def test_a_time_that_is_none_is_one_sentence(text):
    """It says what is accepted."""
    with pytest.raises(ConfigurationError) as caught:
        night(text)
    assert str(caught.value) == (
        "stop_at must be a time such as 06:00, or a date and time such as 2026-11-27T06:00, not "
        f"{text!r}"
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("7h", 25_200),
        ("1h30m", 5400),
        ("1h 30m 5s", 5405),
        ("1.5H", 5400),
        (".5s", 0.5),
    ],
)
def test_a_duration(text, seconds):
    """Hours, minutes and seconds, in this order."""
    assert duration_s(text) == night(max_duration=text).max_duration_s == seconds


@pytest.mark.parametrize("text", ["", "7", "h", "1m1h", "-1s", "0s", "1e3s", "7 hours", "1d", "٣h"])
def test_a_duration_that_is_none_is_one_sentence(text):
    """A bare number has no unit."""
    with pytest.raises(ConfigurationError) as caught:
        night(max_duration=text)
    assert str(caught.value) == (
        f"max_duration must be a duration such as 90s, 30m, 7h or 1h30m, not {text!r}"
    )


def test_what_is_said_before():
    """The moment and its zone; the rate in force, the next one, and whose clock they go by."""
    rate = RateTimetable.read("06:00,0 22:00,200", "Europe/Moscow")
    settings = ClientSettings(base_url="https://x", token="t", limits=Limits(rate_per_s=rate))
    assert list(announced(night("06:00", "7h"), settings)) == [
        f"The run stops at {SIX}.",
        "The run stops after 7 h 00 min.",
        f"The rate is 200 requests/s until {SIX}, then 0 (a quiet time): {rate}.",
    ]
    assert list(announced(night(), ClientSettings(base_url="https://x", token="t"))) == []


@pytest.mark.parametrize(
    ("nights", "reason", "said"),
    [
        (3.0, "it was six", "21 h 00 min of work: about 3 more nights like this one"),
        (3.01, "it was six", "21 h 00 min of work: about 3 more nights like this one"),
        (3.1, "it was six", "21 h 00 min of work: about 4 more nights like this one"),
        (0.2, "it was six", "21 h 00 min of work: about 1 more night like this one"),
        (3.0, "", "21 h 00 min of work"),
    ],
)
def test_how_many_nights_are_left(nights, reason, said):
    """Rounded up; after a signal nobody knows how long the night would have been."""
    summary = evolve(nothing_done("m.csv"), nights_left=nights, left_s=21 * 3600, reason=reason)
    assert dict(described(summary))["Left"] == said
    assert "Left" not in dict(described(nothing_done("m.csv")))


# ── the real command ─────────────────────────────────────────────────────────────────────────


def test_it_stops_after_its_time_and_goes_on(child, server, tmp_path):
    """Exit 75, with what is left; the same command then finishes, and no member is asked twice."""
    # More than may be taken before the first is committed.
    path, members = write_members(tmp_path / "m.csv", 1_100), 1_100
    command = ("refresh", str(path), *BY, "--out", str(tmp_path / "o.csv"), "--rate", "300")
    summary = ("--summary", str(tmp_path / "s.json"), "--time-zone", "Europe/Moscow")
    began = time.monotonic()
    process = child(*command, *summary, "--max-duration", "0.7s", "--stop-at", "2999-01-01T06:00")
    out, err = process.communicate(timeout=30)
    assert (process.returncode, time.monotonic() - began < 6) == (75, True), err
    assert err.startswith("The run stops at 2999-01-01 06:00 Europe/Moscow (UTC+03:00).\n")
    assert "The run stops after 0.7 s.\n" in err
    assert "since it had its 0.7 s, as --max-duration says: run the same command again" in err
    assert " of work: about " in " ".join(out.split())
    kept = json.loads((tmp_path / "s.json").read_text())
    assert (kept["state"], kept["reason"]) == (
        "stopped",
        "it had its 0.7 s, as max_duration_s says",
    )
    assert kept["nights_left"] == pytest.approx((members - kept["rows"]) / kept["rows"], abs=0.001)
    assert kept["settings"]["stop_at"] == "2999-01-01 06:00 Europe/Moscow (UTC+03:00)"
    assert kept["settings"]["max_duration_s"] == 0.7
    again = child(*command)
    out, err = again.communicate(timeout=30)
    assert again.returncode == 0, err
    assert_right(rows_of(tmp_path / "o.csv"), server, members)
    assert server.requests == members


def test_a_moment_that_is_past_asks_nothing(command, server, tmp_path):
    """Exit 75 as well: it goes on next night."""
    path = write_members(tmp_path / "m.csv", 10)
    out = ("--out", str(tmp_path / "o.csv"))
    past = ("--stop-at", "2020-01-01T06:00", "--time-zone", "Europe/Moscow")
    ended = command("refresh", str(path), *BY, *out, *past)
    assert ended.code == 75
    assert ended.err.splitlines()[-1] == (
        "Error: stopped before anything was asked: it was 2020-01-01 06:00 Europe/Moscow "
        "(UTC+03:00), as --stop-at says"
    )
    assert server.requests == 0
    assert list(tmp_path.iterdir()) == [path]


def test_a_timetable_is_said_and_kept(command, server, tmp_path):
    """With its zone, at the start and in the summary; not when nothing shall be said."""
    path = write_members(tmp_path / "m.csv", 10)
    summary = ("--summary", str(tmp_path / "s.json"))
    rates = ("--rate", RATES, "--time-zone", "Europe/Moscow")
    out = ("--out", str(tmp_path / "o.csv"))
    ended = command("refresh", str(path), *BY, *out, *summary, *rates)
    assert ended.code == 0, ended.err
    said = ended.err.splitlines()[0]
    assert said.startswith("The rate is 20")
    assert said.endswith(f": {RATES} Europe/Moscow.")
    kept = json.loads((tmp_path / "s.json").read_text())
    assert kept["settings"]["rate_per_s"] == f"{RATES} Europe/Moscow"
    ended = command(
        "refresh", str(path), *BY, *out, *rates, "--fresh", "--overwrite", "--progress=off"
    )
    assert (ended.code, ended.err) == (0, "")


def test_a_dry_run_knows_how_long_a_timetable_takes(command, tmp_path):
    """By a day's mean."""
    path = write_members(tmp_path / "m.csv", 800)
    target = (
        "--base-url",
        "https://x.example",
        "--program",
        "1",
        "--dry-run",
        "--out",
        str(tmp_path / "o.csv"),
    )
    rates = ("--rate", RATES, "--time-zone", "Europe/Moscow")
    ended = command("refresh", str(path), *BY, *target, *rates)
    assert ended.code == 0, ended.err
    assert f"about 10.0 s, at {RATES} Europe/Moscow" in " ".join(ended.out.split())


#: Arguments, and how the sentence begins.
WRONG = [
    (("--stop-at", "6"), "--stop-at must be a time such as 06:00, or a date and time such as"),
    (("--max-duration", "7"), "--max-duration must be a duration such as 90s, 30m, 7h or 1h30m"),
    (("--time-zone", "Mars"), "--time-zone must be a name such as Europe/Moscow, not 'Mars'"),
    (("--rate", RATES, "--time-zone", "Mars"), "--time-zone must be a name such as Europe/Moscow"),
    (("--rate", "06:00,20"), "--rate='06:00,20' cannot be read: a timetable must have two times"),
    (
        ("--rate", RATES, "--rate-workers", "4"),
        "--rate-workers needs one number as --rate, no time",
    ),
    (("--time-zone", ""), "--time-zone must be a name such as Europe/Moscow, not ''"),
]


@pytest.mark.parametrize(("arguments", "sentence"), WRONG, ids=[" ".join(a) for a, _ in WRONG])
def test_what_is_wrong_is_called_by_its_option(command, server, tmp_path, arguments, sentence):
    """One sentence, exit 2, and nothing was asked."""
    path = write_members(tmp_path / "m.csv", 10)
    out = ("--out", str(tmp_path / "o.csv"))
    said = one_sentence(command("refresh", str(path), *BY, *out, *arguments))
    assert said.startswith(sentence)
    assert server.requests == 0
