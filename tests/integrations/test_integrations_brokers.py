"""The recipes for event consumers, on real brokers: nothing is lost, whoever is killed."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from altcraft_balance.models import ByEmail
from altcraft_balance.sandbox import Sandbox
from tests.integrations.brokers import BROKERS
from tests.servers import running

pytest.importorskip("faststream", reason="the extra faststream is not installed")
pytestmark = pytest.mark.server
ROOT = Path(__file__).parents[2]
EVENTS = 3_000
FAULTS = "status503=0.03,reset=0.02"
#: What is no event, and must not take its neighbours with it.
POISON = [b'{"email": oops', b'["x"]', b"\xff", b'{"data": "x", "headers": 5}']


@pytest.fixture(params=BROKERS)
def broker(request):
    """A broker of each kind, and how to speak to it."""
    server, speak, variable = BROKERS[request.param]
    for one in running(server):
        yield request.param, one.url, speak, variable


@pytest.fixture
def consumer(tmp_path):
    """Starts a recipe as a program of its own; whatever still runs at the end is killed."""
    started = []

    def start(name, sandbox, **environment):
        told = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONDEVMODE": "",
            "ALTCRAFT_BASE_URL": sandbox.url,
            "ALTCRAFT_TOKEN": "sandbox-token",
            "ALTCRAFT_LOYALTY_PROGRAM_ID": "123",
            "RETRY_S": "0.2",
            "SESSION_S": "2",
            **environment,
        }
        command = [sys.executable, str(ROOT / "tests" / "recipes" / f"{name}_consumer.py")]
        with (tmp_path / f"{len(started)}.log").open("wb") as log:
            process = subprocess.Popen(command, env=told, stdout=log, stderr=log)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


async def until(condition, *, within_s=120):
    async with asyncio.timeout(within_s):
        while not await condition():  # noqa: ASYNC110 - of other processes
            await asyncio.sleep(0.05)


async def test_a_consumer_killed_half_way_loses_nothing(broker, consumer):
    """All events are answered after its restart, right, and hopeless ones are put aside."""
    name, url, speak, variable = broker
    told = {variable: url, "BATCH_S": "2"}
    good = [{"id": n, "email": f"m{n}@example.com"} for n in range(EVENTS)]
    bad = [{"id": EVENTS + n, "email": "nobody"} for n in range(30)]
    async with Sandbox(faults=FAULTS, retry_after_s=0, latency_s=0.005) as sandbox:
        async with speak(url) as (publish, bodies):
            await publish([*good[: EVENTS // 2], *bad, *POISON, *good[EVENTS // 2 :]])
            first = consumer(name, sandbox, **told)

            async def half():
                assert first.poll() is None
                return sandbox.counts["ok"] > EVENTS // 2

            await until(half)
            first.send_signal(signal.SIGKILL)
            first.wait()
            second = consumer(name, sandbox, **told)
            answers = {}

            async def all_answered():
                assert second.poll() is None
                answers.update({one["id"]: one["total"] for one in await bodies("balances")})
                return len(answers) == EVENTS

            await until(all_answered)
            dead = []

            async def all_put_aside():
                dead[:] = [one.get("id") for one in await bodies("members.dead")]
                return len({*dead}) > len(bad) and dead.count(None) >= len(POISON)

            await until(all_put_aside)
        truths = {
            event["id"]: sandbox.balance_of(ByEmail(event["email"]), loyalty_program_id=123)
            for event in good
        }
    assert answers == {number: str(truth.total_balance) for number, truth in truths.items()}
    assert {*dead} == {event["id"] for event in bad} | {None}


async def test_a_fatal_answer_stops_it_and_acknowledges_nothing(broker, consumer):
    """With the right token all are answered afterwards."""
    name, url, speak, variable = broker
    events = [{"id": n, "email": f"m{n}@example.com"} for n in range(100)]
    told = {variable: url, "BATCH_S": "1"}
    async with Sandbox() as sandbox, speak(url) as (publish, bodies):
        await publish(events)
        refused = consumer(name, sandbox, **told, ALTCRAFT_TOKEN="another")
        async with asyncio.timeout(60):
            assert await asyncio.to_thread(refused.wait) == 1
        assert sandbox.counts["ok"] == 0
        second = consumer(name, sandbox, **told)

        async def all_answered():
            assert second.poll() is None
            return len({one["id"] for one in await bodies("balances")}) == len(events)

        await until(all_answered)


async def test_it_drains_when_it_is_asked_to_stop(broker, consumer):
    """SIGTERM in the middle: what was taken is answered, and nothing is asked twice."""
    name, url, speak, variable = broker
    events = [{"id": n, "email": f"m{n}@example.com"} for n in range(1_000)]
    told = {variable: url, "BATCH_S": "20"}
    async with Sandbox(latency_s=0.02) as sandbox, speak(url) as (publish, bodies):
        await publish(events)
        first = consumer(name, sandbox, **told)

        async def some():
            return sandbox.requests > 100

        await until(some)
        first.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            await asyncio.to_thread(first.wait)
        answered = {one["id"] for one in await bodies("balances")}
        assert len(answered) == sandbox.counts["ok"] < len(events)
        second = consumer(name, sandbox, **told)

        async def all_answered():
            assert second.poll() is None
            answered.update(one["id"] for one in await bodies("balances"))
            return len(answered) == len(events)

        await until(all_answered)
        assert sandbox.requests == len(events)
