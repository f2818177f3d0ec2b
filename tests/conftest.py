"""Settings of the whole suite."""

import gc
import os
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

from tests.alone import turn
from tests.promises.table import PromiseTable
from tests.servers import PostgresServer, running
from tests.watches import blocking, leftovers

COVERED_CASES = 4
#: aiohttp reads the system's authorities when it is imported, and whoever makes a context for TLS
#: reads them again: 25 to 40 ms, in hundreds of processes that meet no certificate but trustme's.
os.environ.update(
    SSL_CERT_FILE=str(Path(__file__).with_name("nobody.pem")), SSL_CERT_DIR=os.devnull
)

settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("quick", settings.get_profile("ci"), max_examples=20)
settings.load_profile("ci")


def pytest_addoption(parser):
    """They stand here, since an option that is defined further down is unknown at the top."""
    parser.addoption(
        "--scale",
        choices=("quick", "small", "full"),
        default="quick",
        help="how many cases what has many tries: a few, as in CI, or all that is promised",
    )
    parser.addoption(
        "--promises-json",
        metavar="FILE",
        help="where the table of promises goes as JSON; pytest's cache has it otherwise",
    )
    parser.addoption(
        "--loop",
        choices=("asyncio", "uvloop"),
        default="asyncio",
        help="on which event loop the asynchronous tests run",
    )


class OnUvloop:
    """A plug-in by which pytest-asyncio's tests run on uvloop."""

    def pytest_asyncio_loop_factories(self):
        import uvloop

        return {"uvloop": uvloop.new_event_loop}


def pytest_configure(config):
    """The table here too: with pytest-xdist the session that draws it collects no test."""
    if config.getoption("scale") == "quick":
        settings.load_profile("quick")
    config.pluginmanager.register(PromiseTable(config), "promise-table")
    for watch in (blocking, leftovers):  # over every test
        config.pluginmanager.register(watch)
    if config.getoption("loop") == "uvloop":
        config.pluginmanager.register(OnUvloop())


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    """A folder that all of pytest-xdist's workers know."""
    if not hasattr(node.config, "turns"):
        folder = tempfile.TemporaryDirectory(prefix="turns-")
        node.config.turns = folder.name
        node.config.add_cleanup(folder.cleanup)
    node.workerinput["turns"] = node.config.turns


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """A test that is marked ``alone`` has the machine for itself, as far as we can give it."""
    if not hasattr(item.config, "workerinput"):
        return (yield)
    alone = item.get_closest_marker("alone") is not None
    with turn(item.config.workerinput["turns"], alone=alone):
        return (yield)


@pytest.hookimpl(trylast=True)  # after pytest-randomly
def pytest_collection_modifyitems(items):
    """What takes long comes first, so that parallel workers end together."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    for item in not_covered(items):
        item.add_marker("no_cover")


def pytest_collection_finish():
    """A look for garbage passes over what collecting has made: it took 0.4 s each time.

    And comes more seldom: that is 4 % of the suite's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def not_covered(items):
    """Coverage makes a test four times slower, and a tenth case reaches the lines of the first."""
    cases = Counter()
    for item in sorted(items, key=lambda item: item.nodeid):
        test = item.nodeid.partition("[")[0]
        cases[test] += 1
        if cases[test] > COVERED_CASES or item.get_closest_marker("slow"):
            yield item


@pytest.fixture
def size(request):
    """A number of cases by `--scale`: as in CI, all that is promised, or a few.

    What has no number for the full size has CI's there, too, and so it is with a quick run.
    """
    scale = request.config.getoption("scale")

    def size(small, full=None, *, quick=None):
        own = {"quick": quick, "full": full}.get(scale)
        return small if own is None else own

    return size


@pytest.fixture(scope="session", autouse=True)
def temporary(tmp_path_factory):
    """What runs that are killed leave behind lies among pytest's folders, which it clears away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))
        patch.setattr("tempfile.tempdir", None)  # what was found before
        yield


@pytest.fixture(scope="session", autouse=True)
def sources_stay_as_they_are():
    """A loop in debug mode looks at each file of a stack again, 500,000 times in the suite."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("linecache.checkcache", lambda _file=None: None)
        yield


@pytest.fixture(scope="session")
def one_postgres():
    yield from running(PostgresServer)


@pytest.fixture
def postgres_server(one_postgres):
    """A PostgreSQL that answers, whatever the test before did to it."""
    one_postgres.start()
    return one_postgres
