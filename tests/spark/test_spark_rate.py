"""One rate for all executors, and none of them held up by a slow reply."""

import json
import time

import pytest

from tests.servers import RedisServer, running
from tests.spark.conftest import CLUSTER
from tests.spark.test_spark_refresh import assert_right, members_into

#: Notes when each request is sent, in a file for each process.
NOTES = """
import os, sys, time
from altcraft_balance.transport import aiohttp as lane
send, file = lane.AiohttpTransport.send, open(os.path.join(os.environ["NOTES"], str(os.getpid())), "a")
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
