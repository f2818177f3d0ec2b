"""A rate by the time of day: it changes on time, for those who wait too, by the clock on the wall.

Time is virtual, and the clock on the wall goes with it unless it is set.
"""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from altcraft_balance.errors import ClientClosed, DeadlineExceeded
from altcraft_balance.session.timed_pace import TimedPace
from altcraft_balance.settings import Limits
from altcraft_balance.timetable import RateTimetable
from tests.session.fakes import (
    Slow,
    assert_idle,
    broken,
    make_client,
    member,
    members,
    now,
    ok,
    throttled,
)

DAY_S = 24 * 3600


class Wall:
    """A clock on the wall, in Moscow; `ahead_s` sets it."""

    def __init__(self, at):
        self.start = datetime.fromisoformat(f"{at}+03:00")
        self.ahead_s, self.looks = 0.0, 0

    def __call__(self):
        self.looks += 1
        return self.start + timedelta(seconds=now() + self.ahead_s)


@asynccontextmanager
async def opened(wire, text, at, *, zone="Europe/Moscow", burst=None, **further):
    """A client whose rate is `text`, opened when the clocks show `at`."""
    table = RateTimetable.read(text, zone)
    limits = Limits(64, rate_per_s=table, burst=burst, adaptive=further.pop("adaptive", False))
    client = make_client(wire, limits=limits, **{"deadline_s": None, **further})
    client._session.wall = wall = Wall(at)
    async with client:
        yield client, wall
        assert_idle(client)


def sent_in(wire, begin, end):
    return sum(begin <= sent.at < end for sent in wire.sent)


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [("06:00,20 22:00,200", 200, 20), ("06:00,200 22:00,20", 20, 200), ("6:00,7 22:00,7", 7, 7)],
    ids=["lowered", "raised", "kept"],
)
async def test_the_rate_changes_at_the_boundary(wire, text, before, after):
    """Ten seconds before six it is the night's, from six on the day's: neither more nor less."""
    async with opened(wire, text, "2026-11-27T05:59:50") as (client, _):
        run = asyncio.create_task(client.get_balances(members((before + after) * 10)))
        await asyncio.sleep(5)
        assert client.stats().rate_per_s == before
        await asyncio.sleep(5.01)
        assert client.stats().rate_per_s == after
        await run
    assert sent_in(wire, 0, 10) == pytest.approx(10 * before, abs=2)
    for second in range(10, 19):
        assert sent_in(wire, second, second + 1) == pytest.approx(after, abs=2)


async def test_nobody_sleeps_on_the_old_rate(wire):
    """A lookup that would have waited for half an hour goes when the rate is raised."""
    async with opened(wire, "06:00,100 22:00,0.0005", "2026-11-27T05:59:00") as (client, _):
        await client.get_balances(members(5))
    assert [sent.at for sent in wire.sent][:2] == [0, pytest.approx(60, abs=0.1)]
    assert now() == pytest.approx(60, abs=0.2)


async def test_a_lowered_rate_holds_at_once(wire):
    """Those who had a turn a moment later wait for the new rate's."""
    async with opened(wire, "06:00,0.1 22:00,100", "2026-11-27T05:59:59") as (client, _):
        await client.get_balances(members(103))
    late = [sent.at for sent in wire.sent if sent.at > 1.0]
    assert sent_in(wire, 0, 1) == pytest.approx(100, abs=2)
    assert all(later - at >= 9.99 for at, later in pairwise(late))


async def test_over_midnight_and_the_next_day(wire):
    """The evening's entry holds until the morning, and so each day."""
    async with opened(wire, "06:00,0.001 22:00,0.01", "2026-11-27T22:00:00") as (client, _):
        run = asyncio.create_task(client.get_balances(members(1300)))
        await asyncio.sleep(3 * DAY_S)
        run.cancel()
        await asyncio.wait([run])
    for day in range(3):
        begin = day * DAY_S
        assert sent_in(wire, begin, begin + 8 * 3600) == pytest.approx(288, abs=2)
        assert sent_in(wire, begin + 8 * 3600, begin + DAY_S) == pytest.approx(57.6, abs=2)


async def test_when_the_clocks_change(wire):
    """02:30 begins with the leap in spring, and in autumn the first time that it is shown."""
    async with opened(
        wire, "02:30,0.1 12:00,0.01", "2026-03-29T03:00:00", zone="Europe/Berlin"
    ) as (client, wall):  # one in Berlin, and in an hour two becomes three
        await client.get_balances(members(100))
        assert sent_in(wire, 0, 3600) == pytest.approx(36, abs=1)
        assert sent_in(wire, 3600, 3900) == pytest.approx(30, abs=1)
        wall.start = datetime(2026, 10, 24, 23, 0, tzinfo=UTC) - timedelta(seconds=now())
        await asyncio.sleep(61)
        began = now() - 61
        run = asyncio.create_task(client.get_balances(members(1200)))
        await asyncio.sleep(3 * 3600)
        run.cancel()
        await asyncio.wait([run])
    first = began + 1.5 * 3600  # half past two, for the first time; an hour later it is again
    assert sent_in(wire, first - 1000, first) == pytest.approx(10, abs=1)
    assert sent_in(wire, first + 3500, first + 4500) == pytest.approx(100, abs=1)


# ── a quiet time ─────────────────────────────────────────────────────────────────────────────

QUIET = "08:00,0 20:00,10"


async def test_in_a_quiet_time_nothing_is_sent(wire):
    """A batch waits for its end; stats say so."""
    async with opened(wire, QUIET, "2026-11-27T07:59:59") as (client, _):
        run = asyncio.create_task(client.get_balances(members(30)))
        await asyncio.sleep(3600)
        stats = client.stats()
        assert (stats.rate_per_s, dict(stats.waiting)) == (0.0, {"rate": 20})
        assert client.health().retry_after_s == pytest.approx(11 * 3600 + 1, abs=1)
        assert all(outcome.error is None for outcome in await run if hasattr(outcome, "error"))
    assert sent_in(wire, 0, 1.001) == 10
    assert sent_in(wire, 1.001, 12 * 3600 + 1) == 0
    assert now() == pytest.approx(12 * 3600 + 1 + 2, abs=0.2)


async def test_a_call_that_has_no_time_for_it_fails_at_once(wire):
    """With when to ask again; one that has waits."""
    async with opened(wire, QUIET, "2026-11-27T19:59:00") as (client, _):
        with pytest.raises(DeadlineExceeded) as caught:
            await client.get_balance(member(1), deadline_s=30)
        assert now() == 0
        assert caught.value.phase == "rate"
        assert caught.value.retry_after_s == pytest.approx(60)
        await client.get_balance(member(1), deadline_s=61)
        assert now() == pytest.approx(60, abs=0.01)
    assert len(wire.sent) == 1


async def test_calls_that_wait_when_it_begins_are_told_at_once(wire):
    """Whatever they wait for: their turn, or a repeat."""
    wire.answer = lambda sent: broken()
    text = "08:00,0 20:00,0.5"
    async with opened(wire, text, "2026-11-27T07:59:58", draw=0.5) as (client, _):
        calls = [client.get_balance(member(n), deadline_s=300) for n in range(10)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
    assert now() == pytest.approx(2, abs=0.01)
    assert all(isinstance(error, DeadlineExceeded) for error in errors)
    assert {error.phase for error in errors} == {"rate"}


async def test_calls_that_share_a_lookup_are_told_too(wire):
    """Single flight has a queue of its own."""
    text = "08:00,0 20:00,0.4"
    async with opened(wire, text, "2026-11-27T07:59:58", single_flight=True) as (client, _):
        await client.get_balance(member(0))
        calls = [client.get_balance(member(1), deadline_s=300) for _ in range(3)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
    assert now() == pytest.approx(2, abs=0.01)
    assert all(isinstance(error, DeadlineExceeded) for error in errors)


async def test_what_is_on_the_way_is_answered(wire):
    """And a request that met a dead connection is not sent again until the quiet time is over."""
    wire.script.extend([Slow(5), Slow(1, broken(reused=True))])
    async with opened(wire, QUIET, "2026-11-27T07:59:59.5", burst=2) as (client, _):
        first, second = await client.get_balances(members(2))
    assert first.elapsed_s == pytest.approx(5, abs=0.01)
    assert [sent.at for sent in wire.sent] == [0, 0, pytest.approx(12 * 3600 + 0.5, abs=0.5)]
    assert (first.balance, second.balance) != (None, None)


async def test_an_outage_is_not_probed_in_a_quiet_time(wire):
    """Quiet is quiet: the breaker's probes wait as well."""
    wire.answer = lambda sent: ok() if sent.at > 3600 else broken()
    async with opened(wire, QUIET, "2026-11-27T07:59:30") as (client, _):
        await client.get_balances(members(20))
    assert sent_in(wire, 0, 30) > 0
    assert sent_in(wire, 30.1, 12 * 3600 + 30) == 0


# ── the clock on the wall ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("jump_s", [3 * 3600, -3 * 3600], ids=["forward", "back"])
async def test_a_clock_that_is_set_is_noticed_within_a_minute(wire, jump_s):
    """Whether the machine has slept or was set right."""
    at = "2026-11-27T04:00:00" if jump_s > 0 else "2026-11-27T07:00:00"
    rates = (20, 1) if jump_s > 0 else (1, 20)
    async with opened(wire, "06:00,1 22:00,20", at) as (client, wall):
        assert client.stats().rate_per_s == rates[0]
        await asyncio.sleep(30)
        wall.ahead_s = jump_s
        await asyncio.sleep(60)
        assert client.stats().rate_per_s == rates[1]


async def test_a_clock_that_goes_slow_does_not_change_early(wire):
    """Six o'clock is when the clock on the wall shows it, not when it was to be expected."""
    async with opened(wire, "06:00,1 22:00,20", "2026-11-27T05:59:00") as (client, wall):
        await asyncio.sleep(59)
        wall.ahead_s = -20
        await asyncio.sleep(2)
        assert client.stats().rate_per_s == 20
        await asyncio.sleep(20)
        assert client.stats().rate_per_s == 1


async def test_the_clock_is_looked_at_once_a_minute(wire):
    """However many wait: a timer for the client, and none for an item."""
    async with opened(wire, "06:00,2 22:00,4", "2026-11-27T04:00:00") as (client, wall):
        await client.get_balances(members(1_200))  # five minutes' worth
        assert now() == pytest.approx(300, rel=0.01)
        assert wall.looks <= 6


async def test_a_refused_rate_is_found_within_it(wire):
    """Adaptive pacing asks for less than the timetable allows when the server does."""
    refused = []

    def answer(sent):
        if sent_in(wire, sent.at - 1, sent.at + 1) > 30:
            refused.append(sent.at)
            return throttled(1)
        return ok()

    wire.answer = answer
    async with opened(wire, "6:00,20 22:00,200", "2026-11-27T05:00:00", adaptive=True) as (
        client,
        _,
    ):
        await client.get_balances(members(2000))
        assert client.stats().rate_per_s < 60
    assert 0 < len(refused) < 400


async def test_a_client_that_is_closed_has_no_timer_left(wire):
    """Nor does one that could not be opened."""
    loop = asyncio.get_running_loop()
    async with opened(wire, QUIET, "2026-11-27T05:00:00"):
        pass
    wire.open_error = broken()
    with pytest.raises(Exception, match="it broke"):
        async with opened(wire, QUIET, "2026-11-27T05:00:00"):
            pass
    await asyncio.sleep(0)
    assert not [handle for handle in loop._scheduled if not handle.cancelled()]


async def test_a_run_that_waits_for_the_evening_can_be_closed(wire):
    """Nobody is kept."""
    async with opened(wire, QUIET, "2026-11-27T09:00:00") as (client, _):
        run = asyncio.create_task(client.get_balance(member(1), deadline_s=None))
        await asyncio.sleep(1)
        await client.aclose()
        with pytest.raises(ClientClosed):
            await run
    assert now() == 1


async def test_a_timer_that_is_late_changes_nothing():
    """Whoever asks after the boundary has the new rate, though nobody has told yet."""
    wall = Wall("2026-11-27T21:00:00")
    table = RateTimetable.read("06:00,0 22:00,2", "Europe/Moscow")
    pace = TimedPace(table, None, wall=wall, looked=lambda: None)
    assert pace.wait_s(0.0) == pytest.approx(3600)
    wall.ahead_s = 3600.5
    assert pace.wait_s(3600.5) == 0
    pace.spend(3600.5)
    assert pace.wait_s(3600.5) == pytest.approx(0.5)
    wall.ahead_s = 12 * 3600
    assert pace.wait_s(12 * 3600) == pytest.approx(13 * 3600)
