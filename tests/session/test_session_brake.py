"""The brake: what waits ends, what is on the wire goes on."""

import asyncio

import pytest

from altcraft_balance.session.brake import Brake, Halted


async def wait_under(brake, future):
    with brake.waiting():
        return await future


async def test_a_pulled_brake_ends_what_waits():
    """All of it, with `Halted`."""
    brake = Brake()
    waits = [asyncio.create_task(wait_under(brake, asyncio.Future())) for _ in range(3)]
    await asyncio.sleep(0)
    brake.pull(ValueError("why"))
    ends = await asyncio.gather(*waits, return_exceptions=True)
    assert [type(end) for end in ends] == [Halted] * 3
    assert not brake._waiting


async def test_nothing_begins_to_wait_under_a_pulled_brake():
    """It ends on entry."""
    brake = Brake()
    brake.pull(ValueError("why"))
    with pytest.raises(Halted):
        await wait_under(brake, asyncio.Future())


async def test_the_first_reason_stays():
    """A second pull changes nothing."""
    brake, first = Brake(), ValueError("first")
    brake.pull(first)
    brake.pull(ValueError("second"))
    assert brake.reason is first


async def test_a_brake_pulls_those_below_it_and_not_the_one_above():
    """A batch ends with its client; a client does not end with a batch."""
    above = Brake()
    below, beside = Brake(above), Brake(above)
    below.pull(ValueError("below"))
    assert (above.reason, beside.reason) == (None, None)
    above.pull(reason := ValueError("above"))
    assert str(below.reason) == "below"
    assert beside.reason is reason


async def test_a_detached_brake_is_left_alone():
    """A batch that is over is no concern of its client."""
    above = Brake()
    below = Brake(above)
    below.detach()
    below.detach()
    above.detach()
    above.pull(ValueError("why"))
    assert below.reason is None
    assert not above._below


async def test_a_cancel_from_elsewhere_goes_through():
    """Also when it comes in the same turn as the brake."""
    brake = Brake()
    wait = asyncio.create_task(wait_under(brake, asyncio.Future()))
    await asyncio.sleep(0)
    wait.cancel()
    brake.pull(ValueError("why"))
    with pytest.raises(asyncio.CancelledError):
        await wait


async def test_what_has_ended_by_itself_is_not_halted():
    """A wait that swallows the cancel and gives a value keeps it, and the task goes on."""
    brake = Brake()

    async def stubborn():
        with brake.waiting():
            try:
                await asyncio.Future()
            except asyncio.CancelledError:
                value = 42
        await asyncio.sleep(0)
        return value

    wait = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    brake.pull(ValueError("why"))
    assert await wait == 42
    assert wait.cancelling() == 0
