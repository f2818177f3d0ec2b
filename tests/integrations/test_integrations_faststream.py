"""FastStream's lifespan, what stops a program, and a consumer that pauses with the breaker."""

import asyncio
import subprocess
import sys
from types import SimpleNamespace

import pytest

pytest.importorskip("faststream", reason="the extra faststream is not installed")
from faststream import ContextRepo
from faststream.exceptions import StopConsume

from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import CircuitOpen
from altcraft_balance.integrations.faststream import (
    Stopper,
    any_event,
    balances_lifespan,
    pause_while_stopped,
)
from altcraft_balance.models import BalanceQuery, ByEmail, Failed
from altcraft_balance.testing import ScriptedTransport, TurnedLoop, answers, refuses, turn


def client_over(*replies):
    told = {"token": "t", "loyalty_program_id": 1, "transport": ScriptedTransport(*replies)}
    return BalanceClient("https://altcraft.example", **told)


class App:
    """A program that was told to end."""

    ended = False

    def exit(self):
        self.ended = True


class Consumer:
    """aiokafka's, as far as pausing goes."""

    def __init__(self):
        self.is_paused = False

    def assignment(self):
        return {"members-0"}

    def paused(self):
        return self.assignment() if self.is_paused else set()

    def pause(self, *partitions):
        self.is_paused = bool(partitions)

    def resume(self, *partitions):
        self.is_paused = self.is_paused and not partitions


async def test_the_client_is_open_as_long_as_the_program():
    """And found in the context by handlers' parameters."""
    context = ContextRepo()
    async with balances_lifespan(lambda: client_over(answers(1)))(context):
        client = context.get("altcraft_balances")
        assert client.health().state == "open"
    assert client.health().state == "closed"


async def test_a_stopped_program_ends_with_a_sentence():
    """And the code 1, after everything was closed."""
    context, app = ContextRepo(), App()
    context.set_global("app", app)
    lifespan = balances_lifespan(lambda: client_over())(context)
    await lifespan.__aenter__()
    stop = context.get("altcraft_stop")
    assert isinstance(stop, Stopper)
    assert isinstance(stop(OSError("the disk is full")), StopConsume)
    assert app.ended
    with pytest.raises(SystemExit, match="stopped: the disk is full"):
        await lifespan.__aexit__(None, None, None)


def test_a_consumer_pauses_while_nothing_may_be_asked():
    """And goes on by itself."""

    async def main():
        from altcraft_balance.models import ByEmail

        asked = refuses(429, status=429, headers={"Retry-After": "20"})
        async with client_over(asked, answers(1)) as client:
            consumer = Consumer()
            assert not pause_while_stopped(client, consumer)
            call = asyncio.create_task(client.get_balance(ByEmail("user@example.com")))
            await turn(0)
            assert pause_while_stopped(client, consumer)
            await turn(10)
            assert consumer.is_paused
            await turn(15)
            assert not consumer.is_paused
            await call

    with asyncio.Runner(loop_factory=TurnedLoop) as runner:
        runner.run(main())


@pytest.mark.parametrize("what", ["2", None, [], True, -1, float("inf"), 1e300])
def test_what_another_program_wrote_is_no_number(what):
    """Kafka's recipe counts from nothing then, and waits for nothing."""
    pytest.importorskip("aiokafka")
    from tests.recipes.kafka_consumer import due_at, later

    event = {"email": "ann@example.com", "tries": what, "not_before": what}
    failed = Failed(
        index=0, query=BalanceQuery(ByEmail("ann@example.com"), tag=event), error=CircuitOpen("it")
    )
    assert later(failed)["tries"] in {1, 2}
    assert due_at(event) in {0, 1}


@pytest.mark.parametrize(
    ("gives", "body", "event"),
    [
        ('{"id": 1}', b"", {"id": 1}),
        (b'{"id": 1}', b"", {"id": 1}),
        ({"id": 1}, b"", {"id": 1}),
        (["x", b"[2]"], b"", ["x", [2]]),
        (ValueError("no JSON"), b"\xff", b"\xff"),
        (ValueError("no JSON"), [b"{", b"{}"], [b"{", {}]),
    ],
)
async def test_an_event_is_read_whatever_its_type_says(gives, body, event):
    """What is no JSON comes as it is."""

    async def original(_):
        if isinstance(gives, Exception):
            raise gives
        return gives

    assert await any_event(SimpleNamespace(body=body), original) == event


def test_without_the_extra_it_is_named():
    """One sentence, with the command."""
    code = (
        "import sys; sys.modules['faststream'] = None\n"
        "try: import altcraft_balance.integrations.faststream\n"
        "except ValueError as error: print(error)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "python -m pip install 'altcraft-balance[faststream]'" in ended.stdout
