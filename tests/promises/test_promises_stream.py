"""The promises that take thousands of lookups, on real sockets, in processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("stream.py")
#: Development mode and coverage make a lookup ten times slower.
SLOWERS = (
    "PYTHONDEVMODE",
    "PYTHONASYNCIODEBUG",
    "COVERAGE_PROCESS_START",
    "COVERAGE_PROCESS_CONFIG",
)

pytestmark = pytest.mark.slow


def stream(**options):
    """What `stream.py` prints, with `options` as its arguments."""
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    environment = {name: value for name, value in os.environ.items() if name not in SLOWERS}
    command = [sys.executable, "-W", "error", str(PROGRAM), *arguments]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env=environment
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def all_right(outcome, members):
    """Each input had exactly one outcome, and each outcome was its own member's balance."""
    return (
        outcome["lost"] == 0
        and outcome["doubled"] == 0
        and outcome["wrong"] == 0
        and outcome["failed"] == {}
        and outcome["right"] == members
    )


def test_a_stray_reply_is_never_given_to_the_next_lookup():
    """Of 20,000 lookups past a server that sends stray replies, none gets a stranger's balance.

    Without the second look some are wrong; without the first no connection is dropped when it is
    taken, and a lookup has to begin on one that is known to be unclean.
    """
    outcome = stream(members=20_000, faults="stray=0.2")
    assert all_right(outcome, 20_000), outcome
    assert outcome["server"]["stray"] > 100
    assert outcome["news"]["dropped_when_taken"] > 20
    assert outcome["requests"] == 20_000


@pytest.mark.parametrize("fault", ["idle_close", "late_408"])
def test_a_dead_keep_alive_is_invisible(fault):
    """Behind a server that closes idle connections in a race, nothing fails in one attempt."""
    outcome = stream(members=2_000, faults=f"{fault}=0.5", max_attempts=1)
    assert all_right(outcome, 2_000), outcome
    assert outcome["server"][fault] > 50


@pytest.mark.parametrize("form", ["json", "xml"])
def test_nothing_is_lost_and_nothing_doubled(form):
    """With 10 % of faults each input has one outcome, and with 12 attempts none fails."""
    members = 20_000 if form == "json" else 4_000
    faults = "reset=0.03,status503=0.02,status500=0.02,html=0.01,empty=0.01,truncated=0.01"
    outcome = stream(members=members, faults=faults, max_attempts=12, format=form)
    assert all_right(outcome, members), outcome
    assert outcome["requests"] > 1.05 * members
    assert outcome["requests"] < 1.15 * members


def test_without_enough_attempts_what_fails_is_said():
    """With one attempt and faults, each input still has exactly one outcome."""
    outcome = stream(members=2_000, faults="status500=0.2", max_attempts=1)
    assert outcome["lost"] == outcome["doubled"] == outcome["wrong"] == 0
    assert outcome["right"] + outcome["failed"]["http_status"] == 2_000
    assert outcome["failed"]["http_status"] == outcome["server"]["status500"]
