"""Row 22: while a loop runs, nothing in its thread may block: no sleep, no file, no socket.

One watch for the whole suite, over whatever the package does, or has done for it: tests read and
write files as they like. A test in which the package blocks on purpose says so and why::

    @pytest.mark.may_block("that it reads the file anew is what is tested")
"""

import itertools
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import blockbuster.blockbuster
import pytest

_ROOT = Path(__file__).parents[2]
_PACKAGE, _TESTS = f"{_ROOT}/altcraft_balance/", f"{_ROOT}/tests/"
#: Where a call may wait, and why that is none of our waiting.
_MAY_BLOCK = (
    # A double of a loop, where a thread's work takes no time.
    ("threading.Lock.acquire", "async_solipsism/loop.py", "run_in_executor"),
    ("threading.Lock.acquire", "async_solipsism/loop.py", "shutdown_default_executor"),
    # A thread that has nothing to do any more is gone in microseconds.
    ("threading.Lock.acquire", "altcraft_balance/refresh/desk.py", "close"),
    # It looks for its user's keys and certificates before it connects.
    ("os.stat", "asyncpg/connect_utils.py", "_parse_connect_dsn_and_args"),
    # A setting is checked where it is made, once.
    ("os.stat", "altcraft_balance/zones.py", "zone_named"),
    ("io.BufferedReader.read", "altcraft_balance/zones.py", "zone_named"),
    # Where a log goes is its user's choice.
    ("io.TextIOWrapper.write", "logging/__init__.py", "emit"),
    ("io.BufferedWriter.write", "logging/__init__.py", "emit"),
)
#: Extras are imported where they are needed, once, and some look for their own version.
_ONCE = (
    ("<frozen importlib._bootstrap>", "_find_and_load"),
    ("importlib/metadata/__init__.py", "version"),
)
_LOCKS = ("threading.Lock.acquire", "threading.Lock.acquire_lock")
#: What the kernel has at hand: it looks at no disk.
_NEVER_BLOCK = ("os.getcwd", "os.path.abspath")


class Blocked(blockbuster.BlockingError):
    """A call that blocks, remembered even when somebody catches it.

    Attributes:
        seen: the calls since they were last taken.
    """

    seen: ClassVar[list[str]] = []

    def __init__(self, call):
        super().__init__(call)
        self.seen.append(call)


@contextmanager
def watched(*modules):
    """Within it a call that blocks raises `Blocked`, in the thread of a running loop.

    Args:
        modules: in whose calls, at any depth; without a name in anybody's.
    """
    usual = blockbuster.blockbuster.BlockingError
    blockbuster.blockbuster.BlockingError = Blocked
    watch = blockbuster.BlockBuster(list(modules))
    for call in _NEVER_BLOCK:
        del watch.functions[call]
    for call, file, function in _MAY_BLOCK:
        watch.functions[call].can_block_in(file, function)
    for function, place in itertools.product(watch.functions.values(), _ONCE):
        function.can_block_in(*place)
    for name in _LOCKS:
        watch.functions[name].can_block_predicate = _or_is_traced(
            watch.functions[name].can_block_predicate
        )
    for function in watch.functions.values() if modules else ():
        function.can_block_predicate = _or_is_a_tests(function.can_block_predicate)
    watch.activate()
    try:
        yield watch
    finally:
        watch.deactivate()
        blockbuster.blockbuster.BlockingError = usual


def _or_is_traced(may_block):
    """Coverage takes a lock of its own wherever a thread comes to a new file, from no frame."""

    def predicate(*arguments, **named):
        return sys.gettrace() is not None or may_block(*arguments, **named)

    return predicate


def _or_is_a_tests(may_block):
    """A double of ours that the package calls may read what it likes."""

    def predicate(*arguments, **named):
        return may_block(*arguments, **named) or _is_called_by_a_test()

    return predicate


def _is_called_by_a_test():
    """Whether a test's frame is nearer to the call than any of the package's."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_PACKAGE):
            return False
        if name.startswith(_TESTS) and name != __file__:
            return True
        frame = frame.f_back
    return False


@pytest.fixture(scope="session")
def blocking_watch():
    with watched("altcraft_balance") as watch:
        yield watch


@pytest.fixture(autouse=True)
def loop_never_blocked(request, blocking_watch):
    """Every test runs under the watch, except those that say that they block."""
    mark = request.node.get_closest_marker("may_block")
    if mark is not None:
        assert mark.args, "say why this test may block"
        blocking_watch.deactivate()
    Blocked.seen.clear()
    yield
    if mark is not None:
        blocking_watch.activate()
    assert not Blocked.seen, f"blocked the loop, though nobody heard of it: {Blocked.seen}"
