"""`demo` verifies every row, and its exit code tells the truth about it."""

import re
import signal
from pathlib import Path

import pytest

from altcraft_balance.cli.demo import FAULTS
from altcraft_balance.cli.demo_check import Tally, member
from altcraft_balance.models import ByEmail
from altcraft_balance.sandbox.faults import checked_rates
from tests.cli.refreshing import rows_of

pytestmark = pytest.mark.may_block("the demo has nothing else to do while it looks at files")


def test_every_row_is_verified_and_none_is_lost(command):
    """Faults on a tenth of all requests and a SIGKILL half-way cost repeats, and no member."""
    ended = command("demo", "--members", "3000", "--seed", "7")
    assert ended.code == 0, ended.out + ended.err
    assert "0 wrong, 0 lost, 0 doubled: 3,000 of 3,000 rows verified, in order." in ended.out
    assert "user@example.com, asked in both formats:" in ended.out
    totals = [line.split()[1:] for line in ended.out.splitlines() if line.startswith("  JSON")]
    totals += [line.split()[1:] for line in ended.out.splitlines() if line.startswith("  XML")]
    assert totals[0] == totals[1]
    killed = re.search(r"Killed \(SIGKILL\) after ([0-9,]+) requests", ended.out)
    assert 1_500 <= int(killed[1].replace(",", "")) < 3_300, ended.out
    assert "in 2 processes" in ended.out
    again = re.search(r"Asked again +([0-9,]+) member", ended.out)
    assert int(again[1].replace(",", "")) <= 64 + 500


def test_the_files_are_left(command):
    """The output lies in a folder that it names, beside the input."""
    ended = command("demo", "--members", "20", "--faults", "")
    output = Path(re.search(r"^Output +(/.+)$", ended.out, re.MULTILINE)[1].strip())
    assert len(rows_of(output)) == 20
    assert (output.parent / "members.csv").exists()


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


def _row(sandbox, number, **changes):
    truth = sandbox.balance_of(ByEmail(member(number)), loyalty_program_id=123)
    row = {"member": member(number), "status": "found", "error_kind": ""}
    amounts = {"total_balance": truth.total_balance, "active_balance": truth.active_balance}
    return {**row, **{name: str(value) for name, value in amounts.items()}, **changes}


def test_whatever_is_wrong_would_be_seen(serve):
    """The verification can fail: by a stranger's balance, a lost row, a second one, the order."""
    with serve() as sandbox:
        good = [_row(sandbox, number) for number in range(3)]
        cases = {
            "right": good,
            "wrong": [good[0], _row(sandbox, 1, total_balance="666.66"), good[2]],
            "lost": good[:2],
            "doubled": [*good, good[0]],
            "misplaced": [good[1], good[0], good[2]],
            "failed": [good[0], _row(sandbox, 1, status="failed", error_kind="api"), good[2]],
        }
        for name, rows in cases.items():
            tally = Tally(3)
            tally.count(rows, sandbox)
            assert tally.all_right == (name == "right")
            assert getattr(tally, name), name


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
