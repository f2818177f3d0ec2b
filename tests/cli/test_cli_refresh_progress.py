"""How far a refresh has come: JSON for programs, a display on a terminal, plain lines elsewhere."""

import io
import os
import sys
from contextlib import contextmanager

import pytest
from attrs import evolve

from altcraft_balance.cli.refresh_progress import telling
from altcraft_balance.cli.show import Screen
from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.summary import nothing_done
from tests.cli.refreshing import json_lines, write_members

BY = ("--by", "email")


@pytest.fixture
def stats():
    """A client's figures, in a bad hour."""
    client = BalanceClient("https://127.0.0.1:9", token="t")  # it is not opened
    idle = client.stats()
    return evolve(idle, slots_in_use=12, width=30, rate_per_s=50.0, gate_s=2.5, breaker="probing")


def summary_of(rows, **changes):
    """A run that has come so far."""
    usual = {"total": 20_000, "rows_per_s": 900.0, "p50_s": 0.08, "p99_s": 0.2}
    return evolve(nothing_done("members.csv"), rows=rows, **{**usual, **changes})


@contextmanager
def shown(mode="auto", *, terminal=False):
    """Who tells, what it has written, and a clock to be turned."""
    text, now = io.StringIO(), [0.0]
    screen = Screen(
        file=text,
        force_terminal=terminal,
        width=80,
        color_system=None,
        markup=False,
        emoji=False,
        highlight=False,
        _environ={"TERM": "xterm"},
    )
    with telling(screen, mode, clock=lambda: now[0]) as teller:
        yield teller, text, now


def test_a_terminal_gets_a_display(stats):
    """Everything that one wants to know fits on 80 columns; an estimate is marked."""
    kinds = {"bad_request": 3}
    with shown(terminal=True) as (teller, text, now):
        for second in range(3):
            now[0] = float(second)
            done = evolve(stats, found=2_000 * second, breaker="closed")
            summary = summary_of(2_000 * second, total_is_exact=False, kinds=kinds)
            teller.tell(summary, done)
        display = text.getvalue()
    names = ["Lookups", "In flight", "Server", "Requests", "Failures", "One row"]
    assert all(f"\n{name}" in display for name in names)
    assert max(map(len, display.rpartition("\x1b")[2].splitlines())) <= 80
    display = " ".join(display.split())
    assert "members.csv 4,000 of ~20,000 (20 %) 8.0 s left" in display
    assert "2,000/s now, 900 rows/s overall" in display
    assert "12 of 30" in display
    assert "50 requests/s allowed, a pause of 2.5 s was asked for" in display
    assert "bad_request 3" in display
    assert "p50 80 ms, p99 200 ms" in display
    assert "━" in display


@pytest.mark.parametrize("terminal", [True, False])
def test_a_server_that_gives_no_good_answer_is_told_with_the_reason(stats, terminal):
    """And nobody knows how long it takes then."""
    trouble = evolve(stats, breaker="open", last_failure="http_status")
    with shown(terminal=terminal) as (teller, text, now):
        for second in range(1, 5):
            now[0] = 3.0 * second
            teller.tell(summary_of(2_000 * second), evolve(trouble, found=2_000 * second))
        said = " ".join(text.getvalue().split())
    assert "no good answer (http_status): it is probed" in said
    assert " left" not in said


def test_a_display_is_safe_from_names(stats):
    """A file may be called like an escape code."""
    with shown(terminal=True) as (teller, text, _):
        teller.tell(evolve(summary_of(1), source="\x1b]0;[bold]x\x07"), stats)
        assert "\x1b]0;" not in text.getvalue()
        assert r"\x1b]0;[bold]x\x07" in text.getvalue()


def test_a_display_goes_at_the_end(stats):
    """What is left on the terminal is the table; the cursor is there again."""
    with shown(terminal=True) as (teller, text, _):
        teller.tell(summary_of(1), stats)
        teller.say("Stopping.")
    assert "Stopping." in text.getvalue()
    assert text.getvalue().rindex("\x1b[?25h") > text.getvalue().rindex("\x1b[?25l")


def test_elsewhere_a_plain_line_comes_every_few_seconds(stats):
    """A log is not filled: one line in three seconds, and one at the end."""
    with shown() as (teller, text, now):
        for second in range(1, 10):
            now[0] = float(second)
            rows = 2_000 * second
            open_ = {"breaker": "closed", "rate_per_s": None, "gate_s": 0.0}
            teller.tell(summary_of(rows), evolve(stats, found=rows, **open_))
        teller.tell(summary_of(20_000, state="finished"), stats, last=True)
    lines = text.getvalue().splitlines()
    assert len(lines) == 4
    assert lines[0] == (
        "members.csv: 6,000 of 20,000 (30 %), 2,000 lookups/s, 7.0 s left, 0 failed"
    )
    assert lines[-1].startswith("members.csv: 20,000 of 20,000 (100 %), 900 rows/s, 0 failed")


def test_an_unknown_total_has_no_share(stats):
    """Nor a time that is left."""
    with shown("plain") as (teller, text, _):
        teller.tell(summary_of(5, total=None), stats, last=True)
    assert text.getvalue().startswith("members.csv: 5, 900 lookups/s, 0 failed")


def test_json_is_a_line_a_second(stats):
    """Each is the summary, and what the client does now."""
    with shown("json") as (teller, text, now):
        for second in range(2):
            now[0] = float(second)
            now_ = evolve(stats, found=100 * second, breaker=("probing", "closed")[second])
            teller.tell(summary_of(100 * second), now_)
        teller.say("Stopping.")
    first, second, said = json_lines(text.getvalue())
    assert (first["rows"], second["rows"], second["source"]) == (0, 100, "members.csv")
    assert second["now"]["lookups_per_s"] == 100
    assert second["now"]["left_s"] == 199
    assert second["now"]["in_flight"] == 12
    assert second["now"]["width"] == 30
    assert second["now"]["rate_per_s"] == 50
    assert second["now"]["gate_s"] == 2.5
    assert (first["now"]["breaker"], first["now"]["left_s"]) == ("probing", None)
    assert second["now"]["breaker"] == "closed"
    assert said == {"notice": "Stopping."}


def test_off_tells_nothing_but_what_matters(stats):
    """A sentence still comes through."""
    with shown("off") as (teller, text, _):
        teller.tell(summary_of(1), stats, last=True)
        teller.say("Stopping.")
    assert text.getvalue() == "Stopping.\n"


def test_another_way_is_refused():
    """The sentence names those that there are."""
    sentence = "one of auto, json, plain, off, not 'x'"
    with pytest.raises(ConfigurationError, match=sentence), shown("x"):
        pass


def test_programs_read_json_from_stderr(command, server, tmp_path):
    """The last line says how it ended."""
    path, out = write_members(tmp_path / "m.csv", 5), str(tmp_path / "o.csv")
    ended = command("refresh", str(path), *BY, "--out", out, "--progress", "json")
    assert ended.code == 0
    assert json_lines(ended.err)[-1]["state"] == "finished"
    assert len(json_lines(ended.err)) == len(ended.err.splitlines())


# ── a terminal ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("columns", ["id,email", "id,mail", "email,phone"])
def test_a_column_is_guessed_aloud_on_a_terminal(child, server, tmp_path, monkeypatch, columns):
    """Only when there is just one that is called like a way, and somebody to contradict."""
    monkeypatch.setenv("TERM", "xterm")
    path = tmp_path / "m.csv"
    path.write_text(f"{columns}\n1,a@example.com\n" if "id" in columns else f"{columns}\n1,2\n")
    ours, theirs = os.openpty()
    process = child("refresh", str(path), "--out", str(tmp_path / "o.csv"),
                    stdin=theirs, stderr=theirs)  # fmt: skip
    os.close(theirs)
    process.wait(60)
    told = os.read(ours, 100_000).decode()
    os.close(ours)
    if columns == "id,email":
        assert process.returncode == 0, told
        assert "taking column 'email' as the member's e-mail: --by email" in told
    else:
        assert process.returncode == 2
        assert "--by must say how members are found" in told
