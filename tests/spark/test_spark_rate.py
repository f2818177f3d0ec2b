"""One rate for all executors, and none of them held up by a slow reply."""

import time

import pytest

from altcraft_balance.blocking.loop_thread import LoopThread
from altcraft_balance.sandbox import Sandbox
from tests.servers import RedisServer, running
from tests.spark.conftest import CLUSTER
from tests.spark.test_spark_refresh import assert_right, members_into

#: Notes when each request is sent, in a file for each process.
NOTES = """
import os, sys, time
from altcraft_balance.transport import aiohttp as lane
send = lane.AiohttpTransport.send
file = open(os.path.join(os.environ["NOTES"], str(os.getpid())), "a")
async def noting(self, *arguments, **named):
    file.write(f"{time.time()!r}\\n")
    file.flush()
    return await send(self, *arguments, **named)
lane.AiohttpTransport.send = noting
"""
PER_S = 1_000


@pytest.fixture(scope="module")
def one_redis():
    yield from running(RedisServer)


def fullest(moments):
    """The most of them in any one second."""
    moments, most, first = sorted(moments), 0, 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def sent_in(folder):
    """When each request left, over all processes."""
    return [float(line) for notes in folder.iterdir() for line in notes.read_text().split()]


@pytest.fixture
def noted(tmp_path):
    """What a driver is started with, so that its executors note what they send."""
    place, notes = tmp_path / "site", tmp_path / "notes"
    place.mkdir()
    notes.mkdir()
    (place / "sitecustomize.py").write_text(NOTES)
    return {"path": [str(place)], "NOTES": str(notes)}, notes


@pytest.fixture
def counted():
    """A sandbox, and when each request has come to it."""
    came, thread, sandbox = [], LoopThread(), Sandbox(latency_s=0.02)
    answer = sandbox._desk.serve

    async def serve(request):
        came.append(time.time())
        return await answer(request)

    sandbox._desk.serve = serve
    thread.call(sandbox.start())
    yield sandbox, came
    thread.call(sandbox.stop())
    thread.end()


@pytest.mark.parametrize("kind", ["split", pytest.param("redis", marks=pytest.mark.server)])
def test_a_rate_is_held_by_all_executors(kind, drive, counted, size, noted, tmp_path, request):
    """1,000 a second over two: never more than 1,020 leave in any second, nor 1,050 come."""
    (environment, notes), (server, came), rows = noted, counted, size(6_000, 20_000)
    url = request.getfixturevalue("one_redis").url if kind == "redis" else None
    members_into(tmp_path, rows, files=2)
    rate = {"kind": kind, "per_s": PER_S, "workers": 2, "url": url}
    told = {"url": server.url, "master": CLUSTER, "rate": rate, "files_per_batch": 2}
    assert drive(told, **environment).ended()["rows"] == rows
    assert_right(tmp_path, rows, server)
    sent = sent_in(notes)
    assert len(sent) == len(came) == rows
    assert fullest(sent) <= 1.02 * PER_S
    assert fullest(came) <= 1.05 * PER_S
    assert rows / (max(sent) - min(sent)) > 0.5 * PER_S
