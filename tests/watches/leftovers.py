"""Row 23, of every test: what it opened is closed, what it started has ended.

Descriptors and threads are looked at before a test's fixtures are made and after they are gone;
tasks while its loop still runs, since closing a loop cancels them unseen. What a fixture of a wider
scope opens, such as a server for the whole session, is nobody's leftover.
What a library opens once for the whole process is none either; where it cannot be told from a leak,
the test says so::

    @pytest.mark.may_leave("pyarrow keeps what it speaks to S3 with")
"""

import asyncio
import gc
import inspect
import os
import threading
import time
from contextlib import suppress

import pytest

_DESCRIPTORS = "/proc/self/fd"
#: How long a thread that was told to end may take.
_JOIN_S = 5
#: How long a library's own thread, pyarrow's say, may take to close what it has read.
_CLOSE_S = 1
#: Fonts that have been looked at stay open, a few for the process.
_KEPT_BY_A_LIBRARY = "/matplotlib/mpl-data/fonts/"


class Leftovers:
    """Looks before and after each test, and lets the test fail that leaves anything."""

    def __init__(self):
        self._descriptors, self._threads = {}, set()

    def pytest_sessionstart(self):
        """The first loop of uvloop makes a pipe for signals, which stays."""
        with suppress(ImportError):
            import uvloop

            uvloop.new_event_loop().close()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self):
        self._descriptors, self._threads = descriptors(), threads()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef):
        if fixturedef.scope == "function":
            return (yield)
        before = descriptors(), threads()
        try:
            return (yield)
        finally:
            self._descriptors |= added(before[0], descriptors())
            self._threads |= threads() - before[1]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item):
        result = yield
        mark = item.get_closest_marker("may_leave")
        if mark is not None:
            assert mark.args, "say what this test may leave, and why"
            return result
        left = self._left()
        assert not left, f"left behind by {item.name}: {left}"
        return result

    def _left(self):
        for thread in threads() - self._threads:
            thread.join(_JOIN_S)
        if not (new := self._new()):
            return new
        gc.collect()  # what only waits for the collector warns there, and that is an error
        until = time.monotonic() + _CLOSE_S
        while (new := self._new()) and time.monotonic() < until:
            time.sleep(0.01)
        return new

    def _new(self):
        opened = added(self._descriptors, descriptors())
        left = [what for what in opened.values() if _KEPT_BY_A_LIBRARY not in what]
        return [*left, *(threads() - self._threads)]


def pytest_configure(config):
    config.pluginmanager.register(Leftovers(), "leftovers")


@pytest.fixture(autouse=True)
def no_leftover(request):
    """Of an asynchronous test: its tasks have ended."""
    if inspect.iscoroutinefunction(request.function):
        request.getfixturevalue("no_task_left")


@pytest.fixture
async def no_task_left():
    """Made before a test's other fixtures, so that it looks when they are gone."""
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not left, f"tasks left behind: {left}"


def descriptors():
    """This process's open descriptors: number and what it leads to."""
    found = {}
    for number in os.listdir(_DESCRIPTORS):  # noqa: PTH208
        try:
            found[number] = os.readlink(f"{_DESCRIPTORS}/{number}")  # noqa: PTH115
        except FileNotFoundError:  # the one that this listing uses
            continue
    return found


def added(before, after):
    """Those of `after` that `before` does not have."""
    return {number: what for number, what in after.items() if before.get(number) != what}


def threads():
    return set(threading.enumerate())
