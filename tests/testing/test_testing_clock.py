"""A loop whose time a test turns by hand."""

import asyncio
import time

import pytest

from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import ConfigurationError, DeadlineExceeded
from altcraft_balance.models import ByEmail
from altcraft_balance.sandbox import Sandbox
from altcraft_balance.settings import Timeouts
from altcraft_balance.testing import ScriptedTransport, TurnedLoop, answers, refuses, turn

MEMBER = ByEmail("user@example.com")


def run(main):
    with asyncio.Runner(loop_factory=TurnedLoop) as runner:
        return runner.run(main())


def client_over(transport, **settings):
    told = {"token": "t", "loyalty_program_id": 1, **settings}
    return BalanceClient("https://altcraft.example", transport=transport, **told)


def test_a_pause_that_a_server_asks_for_takes_no_time():
    """Nothing is sent before its end, and then it is."""

    async def main():
        asked = refuses(429, status=429, headers={"Retry-After": "20"})
        transport = ScriptedTransport(asked, answers(1))
        async with client_over(transport) as client:
            call = asyncio.create_task(client.get_balance(MEMBER))
            await turn(19)
            assert (len(transport.sent), call.done()) == (1, False)
            await turn(4)
            assert len(transport.sent) == 2
            assert (await call).total_balance == 1

    began = time.monotonic()
    run(main)
    assert time.monotonic() - began < 15


def test_timers_fire_one_after_another():
    """Each at its time, with what it wakes before the next."""

    async def main():
        loop, seen = asyncio.get_running_loop(), []
        began = loop.time()

        async def sleeper(seconds):
            for _ in range(3):
                await asyncio.sleep(seconds)
                seen.append((seconds, round(loop.time() - began)))

        tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (20, 35)]
        await turn(110)
        await asyncio.gather(*tasks)
        return seen

    assert run(main) == [(20, 20), (35, 35), (20, 40), (20, 60), (35, 70), (35, 105)]


def test_deadlines_go_by_it():
    """A server that never answers, seen through to the end."""

    async def main():
        transport = ScriptedTransport(otherwise=answers(1, after_s=600))
        timeouts = Timeouts(attempt_s=60, deadline_s=30)
        async with client_over(transport, timeouts=timeouts) as client:
            call = asyncio.create_task(client.get_balance(MEMBER))
            await turn(29)
            assert not call.done()
            await turn(2)
            return call.exception()

    assert isinstance(run(main), DeadlineExceeded)


def test_sockets_work_as_on_any_loop():
    """A sandbox that is slow is so for the test's clock only."""

    async def main():
        async with Sandbox(latency_s=25) as sandbox:
            timeouts = Timeouts(attempt_s=40, deadline_s=60)
            told = {"token": "sandbox-token", "loyalty_program_id": 123, "timeouts": timeouts}
            async with BalanceClient(sandbox.url, **told) as client:
                call = asyncio.create_task(client.get_balance(MEMBER))
                while not sandbox.requests:  # noqa: ASYNC110 - no time may pass
                    await asyncio.sleep(0)
                await turn(25)
                return (await call).total_balance

    began = time.monotonic()
    assert run(main) >= 0
    assert time.monotonic() - began < 15


def test_what_cannot_be_turned_says_so():
    """Another loop, and seconds that are none."""

    async def main():
        with pytest.raises(ConfigurationError, match="seconds"):
            await turn(-1)

    run(main)
    with asyncio.Runner() as runner, pytest.raises(RuntimeError, match="needs a TurnedLoop"):
        runner.run(turn(1))
