"""The series is bounded, is the whole run whatever happens to processes, and says when."""

import json

import pytest

from altcraft_balance.errors import AuthenticationError
from altcraft_balance.refresh.state.checkpoint import look_into
from altcraft_balance.refresh.summary import RefreshSummary
from tests.refresh.runs import Platform, envelope, from_file
from tests.refresh.summaries import a_night, begun, failed, second

SUMMED = ("rows", "failed", "requests")


def series(tally):
    return tally.timeline.shown(tally.so_far())


def test_each_second_is_a_stretch():
    """With what was counted in it, and no more."""
    tally = begun()
    second(tally, rows=3, time_s=0.1, lost_s={"rate": 0.25})
    second(tally, rows=1, time_s=2.0, answer=failed("no"))
    first, then = series(tally)["points"]
    assert first == {
        "from_s": 0.0, "seconds": 1.0, "rows": 3, "failed": 0, "requests": 3,
        "p50_s": pytest.approx(0.1, rel=0.1), "p99_s": pytest.approx(0.1, rel=0.1),
        "lost_s": {"rate": 0.25},
    }  # fmt: skip
    assert (then["from_s"], then["rows"], then["failed"], then["lost_s"]) == (1.0, 1, 1, {})
    assert then["p99_s"] == pytest.approx(2.0, rel=0.1)


def test_a_long_run_has_no_more_stretches():
    """Neighbours become one: nothing is lost of it but where in them it was."""
    tally = begun()
    for number in range(10_000):
        second(tally, rows=1 + number % 2, lost_s={"rate": 0.125})
        assert len(tally.as_dict()["timeline"]["stretches"]) < 120
    points = series(tally)["points"]
    assert 60 <= len(points) <= 120
    assert sum(point["rows"] for point in points) == tally.rows == 15_000
    assert sum(point["seconds"] for point in points) == 10_000
    assert sum(point["lost_s"]["rate"] for point in points) == pytest.approx(1_250)
    assert len(json.dumps(tally.as_dict()["timeline"])) < 12_000
    starts = [point["from_s"] for point in points]
    assert starts == [sum(point["seconds"] for point in points[:n]) for n in range(len(points))]


def test_times_of_two_stretches_are_those_of_all_their_rows():
    """The percentile of what became one is neither the mean nor the greatest of both."""
    tally = begun()
    for _ in range(60):
        second(tally, rows=99, time_s=0.1)
        second(tally, rows=1, time_s=10.0)
    points = series(tally)["points"]
    assert len(points) == 60
    assert {point["rows"] for point in points} == {100}
    for point in points:
        assert (point["p50_s"], point["p99_s"]) == pytest.approx((0.1, 0.1), rel=0.1)
    second(tally, rows=2, time_s=10.0)
    assert series(tally)["points"][-1]["p50_s"] == pytest.approx(10, rel=0.1)


def test_a_killed_process_loses_nothing_of_it():
    """What was counted after the last stretch belongs to the next one, in another process."""
    tally = begun()
    for _ in range(7):
        second(tally, rows=10, lost_s={"sink": 0.4})
    second(tally, rows=5, seconds=0.3)
    kept = json.loads(json.dumps(tally.as_dict()))
    again = begun(kept)
    second(again, rows=2, seconds=0.9, answer=failed("no"))
    shown = series(again)
    assert [point["rows"] for point in shown["points"]] == [10] * 7 + [7]
    assert shown["points"][-1]["seconds"] == 1.2
    for name in SUMMED:
        assert (
            sum(point[name] for point in shown["points"])
            == again.so_far()[("seconds", *SUMMED).index(name)]
        )
    assert shown["processes"] == [
        {"at_s": 0.0, "at": "2026-11-25T22:00:00+00:00"},
        {"at_s": 7.3, "at": "2026-11-26T22:00:00+00:00"},
    ]


def test_the_stretch_under_way_is_shown():
    """On its own if it is long enough to say how fast it is, else with the one before."""
    tally = begun()
    assert series(tally)["points"] == []
    second(tally, rows=4)
    second(tally, rows=1, seconds=0.25)
    assert [point["rows"] for point in series(tally)["points"]] == [5]
    second(tally, rows=1, seconds=0.25)
    assert [point["rows"] for point in series(tally)["points"]] == [4, 2]


def test_what_took_no_time_is_shown():
    """A run that gives everything up has rows, and has not worked."""
    tally = begun()
    tally.add([failed("no")])
    assert [(point["rows"], point["seconds"]) for point in series(tally)["points"]] == [(1, 0.0)]


def test_a_checkpoint_of_an_earlier_release_goes_on():
    """What it does not tell apart is one stretch."""
    tally = begun()
    for _ in range(50):
        second(tally, rows=10)
    kept = tally.as_dict()
    for name in ("timeline", "balances", "errors"):
        del kept[name]
    again = begun(kept)
    second(again, rows=1)
    assert [point["rows"] for point in series(again)["points"]] == [501]


def test_many_processes_leave_few_marks():
    """The first stays, and those that were last."""
    tally = begun()
    for _ in range(200):
        second(tally)
        tally = begun(tally.as_dict())
    marks = series(tally)["processes"]
    assert (len(marks), marks[0]["at_s"], marks[-1]["at_s"]) == (60, 0.0, 200.0)


def test_a_summary_of_an_earlier_release_is_read():
    """It has no series; the others travel whole."""
    night = a_night()
    kept = json.loads(json.dumps(night.as_dict()))
    assert RefreshSummary.from_dict(kept) == night
    old = RefreshSummary.from_dict(night.as_dict(series=False))
    assert (old.rows, dict(old.timeline), dict(old.balances), dict(old.errors)) == (
        night.rows, {}, {}, {},
    )  # fmt: skip


async def test_a_real_run_has_it(tmp_path):
    """What the series say is what the run says."""
    platform = Platform()
    summary = await from_file(tmp_path, 300, platform)
    points = summary.timeline["points"]
    assert sum(point["rows"] for point in points) == 300
    assert sum(point["requests"] for point in points) == summary.requests
    assert len(summary.timeline["processes"]) == 1
    again = await from_file(tmp_path, 300, platform)
    assert (again.state, again.timeline) == ("finished_before", summary.timeline)


@pytest.mark.may_block("it looks into the state, here")
async def test_a_commit_has_the_series_once(tmp_path):
    """Not also in the summary that a process keeps when it begins; and the next one goes on."""
    platform = Platform()
    platform.replies["m5@example.com"] = envelope(401, "token required")
    with pytest.raises(AuthenticationError):
        await from_file(tmp_path, 600, platform)
    (path,) = tmp_path.rglob("checkpoint.sqlite")
    known = look_into(path)
    assert known["tally"]["timeline"]["processes"]
    assert "timeline" not in known["summary"]
    platform.replies.clear()
    summary = await from_file(tmp_path, 600, platform)
    assert sum(point["rows"] for point in summary.timeline["points"]) == 600
    assert len(summary.timeline["processes"]) == summary.starts == 2
    (pair,) = summary.balances["currencies"]
    assert sum(pair["total"]["counts"].values()) == summary.statuses["found"] == 600
    assert pair["total"]["sum"] == f"{sum(range(600)) + 600 // 4}.00"
