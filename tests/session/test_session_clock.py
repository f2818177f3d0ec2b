"""Latencies, limits and timers are by one clock, whatever the loop is."""

import asyncio
import time

import pytest

from altcraft_balance.session.session import _clock_of
from tests.session.fakes import opened


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_it_moves_within_a_turn_of_the_loop_and_agrees_with_it(kind):
    """uvloop's own stands still in a turn, and has whole milliseconds only."""
    loops = asyncio if kind == "asyncio" else pytest.importorskip("uvloop")

    async def look():
        clock, loop = _clock_of(asyncio.get_running_loop()), asyncio.get_running_loop()
        readings = {clock() for _ in range(100)}
        await asyncio.sleep(0)
        return len(readings), abs(clock() - loop.time())

    with asyncio.Runner(loop_factory=loops.new_event_loop) as runner:
        readings, apart_s = runner.run(look())
    assert readings > 50
    assert apart_s < 0.05


async def test_on_a_virtual_clock_it_is_the_loops(wire):
    """A simulation's time is its own."""
    async with opened(wire) as client:
        assert client._session.clock == asyncio.get_running_loop().time
        assert abs(client._session.clock() - time.monotonic()) > 1
