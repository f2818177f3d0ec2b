"""`demo` verifies every balance, and its exit code tells the truth about it."""

import io
import signal
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from rich.console import Console

from altcraft_balance.cli.demo import FAULTS, Tally
from altcraft_balance.cli.progress import follow
from altcraft_balance.errors import BadRequest
from altcraft_balance.models import Balance, BalanceQuery, ByEmail, Failed, Found
from altcraft_balance.sandbox.faults import checked_rates


def test_every_balance_is_verified_and_nothing_is_lost(command):
    """Faults on a tenth of all requests cost repeats, and no member."""
    ended = command("demo", "--members", "400", "--seed", "7")
    assert ended.code == 0, ended.out + ended.err
    assert "0 wrong, 0 lost: 400 of 400 balances verified." in ended.out
    assert "user@example.com, asked in both formats:" in ended.out
    totals = [line.split()[1:] for line in ended.out.splitlines() if line.startswith("  JSON")]
    totals += [line.split()[1:] for line in ended.out.splitlines() if line.startswith("  XML")]
    assert totals[0] == totals[1]
    assert "XML: 200 of 200 (100 %)" in ended.err


def test_without_faults_there_is_nothing_to_repeat(command):
    """The counts come from what happened, not from what was expected."""
    ended = command("demo", "--members", "3", "--faults", "")
    assert ended.code == 0
    assert "no fault" in ended.out
    assert "Faults  none" in ended.out


def test_failures_are_told_and_give_exit_3(command):
    """A final error for some members is neither hidden nor called success."""
    ended = command("demo", "--members", "400", "--faults", "app_error_4xx=0.1", "--seed", "1")
    assert ended.code == 3
    assert "bad_request" in ended.out
    assert "0 wrong, 0 lost" in ended.out


def test_an_unusable_server_ends_it_with_its_own_code(command):
    """When even the first lookup fails, the error's sentence and code come out."""
    ended = command("demo", "--members", "10", "--faults", "app_error_4xx=1")
    assert ended.code == 3
    assert ended.err.startswith("Error: ")
    assert ended.err.count("\n") == 1


def test_the_faults_are_a_tenth_of_all_requests():
    """Stray replies and idle closes are among them; nothing that is slow by design is."""
    rates = checked_rates(FAULTS)
    assert sum(rates.values()) == pytest.approx(0.1)
    assert {"stray", "idle_close"} <= rates.keys()
    assert not {"latency", "status429", "status503"} & rates.keys()


def test_a_wrong_balance_would_be_seen(serve):
    """The verification can fail: a stranger's balance counts as wrong, silence as lost."""
    query = BalanceQuery(ByEmail("a@example.com"))
    strangers = Balance(
        total_balance=Decimal("666.66"),
        active_balance=Decimal("666.66"),
        loyalty_program_id=123,
        looked_up_at=datetime.now(UTC),
    )
    tally = Tally(3)
    with serve() as sandbox:
        tally.count(Found(query=query, index=0, balance=strangers), sandbox)
        tally.count(Failed(query=query, index=1, error=BadRequest("m", code=400)), sandbox)
    assert (tally.wrong, tally.failed.total(), tally.lost) == (1, 1, 1)
    assert not tally.all_right


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_75(child, number):
    """Stopped in the middle of a million members: one word, no traceback, exit 75."""
    process = child("demo", "--members", "1000000")
    assert any("asked in both formats" in line for line in process.stdout)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 75, err
    assert "Error: stopped\n" in err
    assert "Traceback" not in err


# ── progress ─────────────────────────────────────────────────────────────────────────────────


def test_a_terminal_gets_a_bar_in_one_line():
    """At 80 columns the bar, the count, the share, the rate and the rest fit."""
    text, now = io.StringIO(), [0.0]
    console = Console(
        file=text, force_terminal=True, width=80, color_system=None, _environ={"TERM": "xterm"}
    )
    with follow(console, "JSON", 10_000, clock=lambda: now[0]) as tell:
        for done in range(0, 10_001, 1000):
            now[0] += 0.2
            tell(done, "2,500/s")
    assert "10000/10000" in text.getvalue()
    assert "100%" in text.getvalue()
    assert "2,500/s" in text.getvalue()


def test_elsewhere_a_plain_line_comes_every_few_seconds():
    """A log file is not filled with bars: one line in three seconds, and one at the end."""
    text, now = io.StringIO(), [0.0]
    console = Console(file=text, width=80)
    with follow(console, "XML", 100, clock=lambda: now[0]) as tell:
        for done in range(1, 101):
            now[0] += 0.1
            tell(done, "10/s")
    lines = text.getvalue().splitlines()
    assert len(lines) == 4
    assert lines[-1] == "XML: 100 of 100 (100 %), 10/s"
