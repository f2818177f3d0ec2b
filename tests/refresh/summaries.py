"""Summaries of runs that nobody made: as a run would have counted, second by second."""

from datetime import UTC, datetime, timedelta

from altcraft_balance.refresh.rows.tally import Tally
from altcraft_balance.refresh.summary import counted

BEGAN = datetime(2026, 11, 25, 22, 0, tzinfo=UTC)


def found(total, active=None, currency="stars"):
    return [total, active or total, currency, 123, "found", None, None, None, 1, "-"]


def failed(text, *, status="failed", kind="http_status", code=None):
    return [None, None, "stars", 123, status, kind, code, text, 1, "-"]


def second(tally, *, rows=1, seconds=1.0, time_s=0.1, lost_s=None, answer=None):
    """A second of work in which so many rows were answered."""
    for number in range(rows):
        tally.add([answer or found(f"{number + 1}.50")])
        tally.times.add(time_s)
    tally.asked += rows
    tally.requests += rows
    tally.elapsed_s += seconds
    for name, lost in (lost_s or {}).items():
        tally.lost_s[name] += lost
    tally.timeline.reaches(tally.so_far())


def begun(kept=None):
    """A tally, or what is known of one, that a process takes up."""
    tally = Tally(kept)
    tally.begins(BEGAN + timedelta(days=tally.starts))
    return tally


def summary_of(tally, **facts):
    usual = {
        "run_id": "nightly",
        "state": "finished",
        "reason": "",
        "source": "members.csv",
        "output": "balances.csv",
        "total": tally.rows,
        "total_is_exact": True,
        "is_within_max_failed": True,
        "started_at": BEGAN,
        "finished_at": BEGAN + timedelta(hours=30),
        "settings": {"by": "email", "currencies": ["stars"], "max_failed": "1%", "column": None},
    }
    return counted(tally, **{**usual, **facts})


def a_night():
    """A run of two processes, held up in its middle, with errors of three kinds."""
    tally = begun()
    for number in range(300):
        slow = 100 <= number < 130
        lost_s = {"gate": 0.5, "breaker": 0.3} if slow else {"rate": 0.81, "sink": 0.01}
        second(tally, rows=2 if slow else 20, time_s=3.0 if slow else 0.08, lost_s=lost_s)
        if number == 150:
            tally = begun(tally.as_dict())
    for number in range(40):
        tally.add([found(f"{10 ** (number % 8)}.25", f"-{number}")])
        tally.add([failed(f"HTTP 502 without an envelope: <b>{number}</b>")])
    tally.add([failed("no such profile", status="not_a_member", kind="not_a_member", code=440)])
    tally.add([failed("email must be an address", status="bad_input", kind="invalid_query")])
    tally.most_per_s, tally.most_per_min = 21, 1_190
    return summary_of(tally)
