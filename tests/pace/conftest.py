"""Stores on real servers: a Redis and a PostgreSQL of our own, started once, repaired by need."""

import itertools
import logging

import pytest

from altcraft_balance.pace.store import open_store
from altcraft_balance.shared_rate import SharedRate
from tests.servers import RedisServer, running


@pytest.fixture(scope="session")
def one_redis():
    yield from running(RedisServer)


@pytest.fixture
def redis_server(one_redis):
    """A Redis that answers, whatever the test before did to it."""
    one_redis.start()
    return one_redis


@pytest.fixture(params=["redis", "postgres"])
def server(request):
    """Each kind of server in turn."""
    return request.getfixturevalue(f"{request.param}_server")


@pytest.fixture
def used_share(request):
    """How much of the rate must be used: 95 %, where the machine is not busy with other tests."""
    return 0.95 if request.config.getoption("scale") == "full" else 0.8


_NUMBERS = itertools.count()


@pytest.fixture
def name(request):
    """A bucket that no other test uses."""
    return f"bucket-{next(_NUMBERS)}"


@pytest.fixture
async def opened(name, caplog):
    """Opens stores of one bucket; at the end they are closed, and nothing was logged."""
    stores = []
    caplog.set_level(logging.INFO)

    def open_one(url, per_s=200, burst=None, **changed):
        rate = SharedRate.from_url(url, per_s, **{"name": name, **changed})
        stores.append(open_store(rate, burst))
        return stores[-1]

    yield open_one
    for store in stores:
        await store.aclose()
    assert caplog.text == ""
