"""A sandbox on a loop in a thread of its own, and a blocking client of it."""

import pytest

from altcraft_balance.blocking import BalanceClient
from altcraft_balance.blocking.loop_thread import LoopThread
from altcraft_balance.sandbox import Sandbox


@pytest.fixture
def serve():
    """Starts sandboxes, with settings."""
    thread, started = LoopThread(), []

    def serve(**settings):
        started.append(Sandbox(**settings))
        thread.call(started[-1].start())
        return started[-1]

    yield serve
    for sandbox in started:
        thread.call(sandbox.stop())
    thread.end()


@pytest.fixture
def sandbox(serve):
    return serve()


@pytest.fixture
def make(sandbox):
    """Makes clients of the sandbox, and closes them."""
    made = []

    def make(at=sandbox, **settings):
        told = {"token": "sandbox-token", "loyalty_program_id": 123, **settings}
        made.append(BalanceClient(at.url, **told))
        return made[-1]

    yield make
    for client in made:
        client.close(grace_s=0)


@pytest.fixture
def client(make):
    client = make()
    client.open()
    return client
