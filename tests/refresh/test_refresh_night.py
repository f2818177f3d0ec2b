"""The night has an end: at a moment, or after a while, the run stops, wherever it is.

The clock on the wall is turned by hand; the loop's goes on meanwhile, for a quarter of a second.
"""

import asyncio
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve

from altcraft_balance import RefreshSummary, RowSink, SourceInfo
from altcraft_balance.errors import AttemptTimeout, ConfigurationError, ConnectionFailed
from altcraft_balance.refresh.files.csv_file import CsvSink, CsvSource
from altcraft_balance.refresh.night import Night, work_left
from altcraft_balance.refresh.summary import nothing_done
from altcraft_balance.settings import Limits
from altcraft_balance.timetable import RateTimetable
from altcraft_balance.transport.port import RawReply, SendFailed
from tests.refresh.runs import Platform, from_file, members_csv, refreshed, rows_of

SIX = datetime(2026, 11, 27, 6, tzinfo=ZoneInfo("Europe/Moscow"))
REASON = "it was 2026-11-27 06:00 Europe/Moscow (UTC+03:00), as stop_at says"


class Wall:
    """A clock on the wall, an hour before six; `strike` makes it six."""

    def __init__(self):
        self.at = SIX.astimezone(UTC) - timedelta(hours=1)

    def __call__(self):
        return self.at

    def strike(self):
        self.at = SIX.astimezone(UTC)


@pytest.fixture
def wall(monkeypatch):
    """The clock that nights go by."""
    wall = Wall()
    monkeypatch.setattr("altcraft_balance.refresh.job.Night", partial(Night, wall=wall))
    return wall


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A sink that is stuck is waited for a moment only."""
    monkeypatch.setattr("altcraft_balance.refresh.work._COMMIT_S", 0.1)


def striking(wall, platform, asked):
    """It strikes six when so many have been asked."""
    send = platform.send

    async def send_and_strike(body, headers, **options):
        if len(platform.asked) == asked:
            wall.strike()
            await asyncio.sleep(0.3)  # until it was looked at
        return await send(body, headers, **options)

    platform.send = send_and_strike


async def test_it_stops_at_the_moment_and_goes_on_next_night(tmp_path, wall):
    """What is on the way is written; no row is asked twice, and none is left out."""
    source, platform = CsvSource(members_csv(tmp_path / "in.csv", 2000)), Platform()
    striking(wall, platform, 700)
    first = await refreshed(source, CsvSink(tmp_path / "out.csv"), platform, stop_at=SIX)
    assert (first.state, first.reason) == ("stopped", REASON)
    assert 700 <= first.rows == len(platform.asked) <= 1300
    assert first.settings["stop_at"] == "2026-11-27 06:00 Europe/Moscow (UTC+03:00)"
    again = Platform()
    tomorrow = SIX + timedelta(days=1)
    second = await refreshed(source, CsvSink(tmp_path / "out.csv"), again, stop_at=tomorrow)
    assert second.state == "finished"
    assert set(platform.members).isdisjoint(again.members)
    assert len(platform.asked) + len(again.asked) == 2000
    assert len(rows_of(tmp_path / "out.csv")) == 2000
    assert second.settings["stop_at"].startswith("2026-11-28 06:00 Europe/Moscow")


async def test_it_stops_when_it_has_had_its_time(tmp_path):
    """By the loop's clock, which nobody sets."""
    platform = Platform()
    platform.held["m600@example.com"] = asyncio.Event()
    began = time.monotonic()
    summary = await from_file(tmp_path, 5000, platform, max_duration_s=0.4, grace_s=0)
    assert 0.4 <= time.monotonic() - began < 2
    assert (summary.state, summary.reason) == (
        "stopped",
        "it had its 0.4 s, as max_duration_s says",
    )
    assert summary.settings["max_duration_s"] == 0.4
    assert summary.settings["stop_at"] is None


async def test_a_moment_that_is_past_stops_it_before_anything_is_read(tmp_path, wall):
    """So that whoever starts it again after six does not have it run all day."""
    wall.strike()
    platform, source = Platform(), CsvSource(tmp_path / "there is none.csv")
    summary = await refreshed(source, CsvSink(tmp_path / "out.csv"), platform, stop_at=SIX)
    assert (summary.state, summary.reason) == ("stopped", REASON)
    assert (platform.asked, list(tmp_path.iterdir())) == ([], [])


async def test_what_ends_by_itself_has_finished(tmp_path, wall):
    """The night's end is no news to a run that has all its rows."""
    summary = await from_file(tmp_path, 10, stop_at=SIX, max_duration_s=3600)
    assert (summary.state, summary.reason) == ("finished", "")
    assert (summary.nights_left, summary.left_s) == (None, None)


async def test_no_timer_is_left(tmp_path, wall):
    """However it ended."""
    loop = asyncio.get_running_loop()
    before = {handle for handle in loop._scheduled if not handle.cancelled()}
    await from_file(tmp_path, 10, stop_at=SIX)
    with suppress(ConfigurationError):
        await refreshed(CsvSource(tmp_path / "no.csv"), CsvSink(tmp_path / "o.csv"), stop_at=SIX)
    assert {handle for handle in loop._scheduled if not handle.cancelled()} <= before


# ── wherever it is ───────────────────────────────────────────────────────────────────────────


async def until(is_there):
    async with asyncio.timeout(5):
        while not is_there():  # noqa: ASYNC110 - whatever it is
            await asyncio.sleep(0.01)


async def ends(wall, running, is_there):
    """Run it, strike six when it is where it should be, and give its summary and how long."""
    run = asyncio.create_task(running)
    await until(is_there)
    wall.strike()
    began = time.monotonic()
    summary = await run
    assert (summary.state, summary.reason) == ("stopped", REASON)
    return summary, time.monotonic() - began


class Slow:
    """A source that is read for the first time, for as long as nobody interrupts it."""

    def __init__(self):
        self.begun, self.interrupted = threading.Event(), threading.Event()

    def describe(self):
        self.begun.set()
        assert self.interrupted.wait(10)
        return SourceInfo(name="slow", columns=("email",), fingerprint="1")

    def rows(self, skip):
        raise AssertionError("it is not read")

    def interrupt(self):
        self.interrupted.set()


async def test_while_the_source_is_read_for_the_first_time(wall):
    """It is interrupted."""
    source, platform = Slow(), Platform()
    running = refreshed(source, Stuck(), platform, stop_at=SIX)
    summary, _ = await ends(wall, running, source.begun.is_set)
    assert (summary.run_id, platform.asked) == ("", [])


class Endless:
    """A source that has a block of rows, and then is silent."""

    def __init__(self):
        self.is_silent = asyncio.Event()

    def describe(self):
        return SourceInfo(name="endless", columns=("email",), fingerprint="1")

    async def rows(self, skip):
        for number in range(500):
            yield [f"m{number}@example.com"]
        self.is_silent.set()
        await asyncio.Event().wait()


class Table(RowSink):
    """A sink that takes all."""

    def __init__(self):
        self.rows = []

    def write(self, rows):
        self.rows += rows


class Stuck(RowSink):
    """A sink that takes a block, and keeps the next for ever."""

    def __init__(self):
        self.rows, self.keeps, self.is_well = [], asyncio.Event(), False

    async def write(self, rows):
        if self.rows and not self.is_well:
            self.keeps.set()
            await asyncio.Event().wait()
        self.rows += rows


async def test_while_the_source_is_waited_for(wall):
    """A source that gives nothing keeps nobody."""
    source, platform = Endless(), Platform()
    running = refreshed(source, Table(), platform, stop_at=SIX, grace_s=0.1)
    summary, took_s = await ends(
        wall, running, lambda: source.is_silent.is_set() and len(platform.asked) == 500
    )
    assert (summary.rows, summary.nights_left) == (500, None)  # nobody knows how many there are
    assert took_s < 1


async def test_while_the_sink_is_full(tmp_path, wall):
    """What it had not taken is asked again; the rest is not."""
    source, sink, platform = CsvSource(members_csv(tmp_path / "in.csv", 3000)), Stuck(), Platform()
    state = {"state": tmp_path / "state", "run_id": "r"}
    running = refreshed(source, sink, platform, stop_at=SIX, grace_s=0.1, **state)
    summary, took_s = await ends(wall, running, sink.keeps.is_set)
    assert took_s < 1.5
    assert 250 <= summary.rows < 1000
    written, again = len(sink.rows), Platform()
    sink.is_well = True
    summary = await refreshed(source, sink, again, **state)
    assert (summary.state, len(again.asked)) == ("finished", 3000 - written)
    assert [row[0] for row in sink.rows] == [f"m{number}@example.com" for number in range(3000)]


def pause(number):
    return RawReply(429, {"Retry-After": "600"}, b"")


def gone(number):
    raise SendFailed(ConnectionFailed("nobody listens"))


def silent(number):
    raise SendFailed(AttemptTimeout("no whole reply", maybe_sent=True))


@pytest.mark.parametrize("trouble", [pause, gone, silent])
async def test_while_the_server_is_waited_for(tmp_path, wall, trouble):
    """A pause of ten minutes that it asked for, or its return: what is written stays."""
    platform = Platform()
    send = platform.send

    async def send_or_trouble(body, headers, **options):
        reply = await send(body, headers, **options)
        return reply if len(platform.asked) <= 300 else trouble(len(platform.asked))

    platform.send = send_or_trouble
    settings = {"limits": Limits(8)}
    running = from_file(
        tmp_path, 2000, platform, stop_at=SIX, grace_s=0.1, settings=settings, max_failed="100%"
    )

    def is_there():
        # A pause stops everybody at the first answer; otherwise each slot has met it.
        return len(platform.asked) > (300 if trouble is pause else 307)

    summary, took_s = await ends(wall, running, is_there)
    assert took_s < 1
    assert summary.rows > 300 - 8  # but for what was under way in the eight slots
    again = Platform()
    assert (await from_file(tmp_path, 2000, again)).state == "finished"
    assert len(again.asked) <= 2000 - summary.rows


async def test_while_the_timetable_has_a_quiet_time(tmp_path, wall):
    """The whole night long, if need be; the table stands in the settings, with its zone."""
    now = datetime.now(UTC)
    quiet, then = (now - timedelta(hours=1)).time(), (now + timedelta(hours=6)).time()
    table = RateTimetable([(quiet, 0), (then, 10)], "UTC")
    running = from_file(
        tmp_path, 20, stop_at=SIX, grace_s=0.1, settings={"limits": Limits(rate_per_s=table)}
    )
    run = asyncio.create_task(running)
    await asyncio.sleep(0.4)
    wall.strike()
    summary = await run
    assert (summary.state, summary.rows, summary.requests) == ("stopped", 0, 0)
    assert summary.settings["rate_per_s"] == str(table)
    assert summary.settings["rate_per_s"].endswith(" UTC")


# ── how much is left ─────────────────────────────────────────────────────────────────────────


def test_seven_hours_of_twenty_eight():
    """Leave 21 hours, three nights like this one."""
    assert work_left(75_000_000, 25_000_000, 7 * 3600) == {"nights_left": 3, "left_s": 21 * 3600}
    assert work_left(100, 300, 9.0) == {"nights_left": 0.333, "left_s": 3}


@pytest.mark.parametrize(("rows", "done"), [(0, 5), (-1, 5), (5, 0)])
def test_nothing_is_left_or_nothing_was_done(rows, done):
    """Then there is nothing to say."""
    assert work_left(rows, done, 10.0) == {}


async def test_a_night_counts_its_own_rows(tmp_path, wall):
    """Not those of the nights before it."""
    source, before = CsvSource(members_csv(tmp_path / "in.csv", 4000)), 0
    for until_row in (1000, 1500):
        wall.at = SIX.astimezone(UTC) - timedelta(hours=1)
        platform, never = Platform(), asyncio.Event()
        platform.held = {f"m{number}@example.com": never for number in range(until_row, 4000)}
        out = CsvSink(tmp_path / "out.csv")
        running = refreshed(source, out, platform, stop_at=SIX, grace_s=0)
        summary, _ = await ends(
            wall, running, partial(asked_at_least, platform, until_row - before)
        )
        done, left = summary.rows - before, 4000 - summary.rows
        assert summary.nights_left == pytest.approx(left / done, abs=0.001)
        assert summary.left_s > 0
        before = summary.rows
    assert summary.starts == 2


def asked_at_least(platform, count):
    return len(platform.asked) >= count


def test_summaries_of_earlier_releases_are_read():
    """They say nothing of nights."""
    summary = evolve(nothing_done("in.csv"), nights_left=2.5, left_s=9000.0)
    summary = evolve(summary, started_at=summary.started_at.replace(microsecond=0))
    assert RefreshSummary.from_dict(summary.as_dict()) == summary
    kept = summary.as_dict()
    del kept["nights_left"], kept["left_s"]
    assert RefreshSummary.from_dict(kept) == evolve(summary, nights_left=None, left_s=None)


# ── what is told wrongly ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "stop_at",
    ["06:00", 6, datetime(2026, 11, 27, 6), SIX.time(), SIX.date()],  # noqa: DTZ001
)
async def test_a_moment_needs_its_zone(tmp_path, stop_at):
    """Six o'clock where?"""
    with pytest.raises(ConfigurationError, match=r"^stop_at must be a datetime with a time zone"):
        await from_file(tmp_path, 1, stop_at=stop_at)


@pytest.mark.parametrize("seconds", [0, -1, "7h", float("nan"), True])
async def test_a_duration_is_a_number_of_seconds(tmp_path, seconds):
    """Above 0."""
    sentence = "max_duration_s must be a number of seconds above 0, or None"
    with pytest.raises(ConfigurationError, match=f"^{sentence}$"):
        await from_file(tmp_path, 1, max_duration_s=seconds)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(25_200, "7 h"), (5400, "1 h 30 min"), (1800, "30 min"), (90, "90 s"), (0.5, "0.5 s")],
)
async def test_how_a_duration_is_said(seconds, said):
    """In the units that one would have given."""
    reasons = []
    loop = asyncio.get_running_loop()
    now = loop.time
    with Night(max_duration_s=seconds).ending(reasons.append):
        loop.time = lambda: now() + seconds
        await asyncio.sleep(0.3)
        loop.time = now
    assert reasons == [f"it had its {said}, as max_duration_s says"]
