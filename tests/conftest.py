"""Settings of the whole suite."""

import pytest
from hypothesis import settings

from tests.promises.table import PromiseTable
from tests.servers import PostgresServer, running

settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci")


def pytest_addoption(parser):
    """They stand here, since an option that is defined further down is unknown at the top."""
    parser.addoption(
        "--scale",
        choices=("small", "full"),
        default="small",
        help="how many cases each promise under tests/promises tries: as in CI, or all of them",
    )
    parser.addoption(
        "--promises-json",
        metavar="FILE",
        help="where the table of promises goes as JSON; pytest's cache has it otherwise",
    )


def pytest_configure(config):
    """Here too: with pytest-xdist the session that draws the table collects no test."""
    config.pluginmanager.register(PromiseTable(config), "promise-table")


@pytest.fixture(scope="session")
def one_postgres():
    yield from running(PostgresServer)


@pytest.fixture
def postgres_server(one_postgres):
    """A PostgreSQL that answers, whatever the test before did to it."""
    one_postgres.start()
    return one_postgres
