"""Settings of the whole suite."""

import pytest
from hypothesis import settings

from tests.servers import PostgresServer, running

settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci")


def pytest_addoption(parser):
    """`--scale` stands here, since an option that is defined further down is unknown at the top."""
    parser.addoption(
        "--scale",
        choices=("small", "full"),
        default="small",
        help="how many cases each promise under tests/promises tries: as in CI, or all of them",
    )


@pytest.fixture(scope="session")
def one_postgres():
    yield from running(PostgresServer)


@pytest.fixture
def postgres_server(one_postgres):
    """A PostgreSQL that answers, whatever the test before did to it."""
    one_postgres.start()
    return one_postgres
