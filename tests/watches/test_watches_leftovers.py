"""A test that leaves something behind fails, and is told what."""

import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEAVING = """
    import asyncio, os, threading
    import pytest

    kept, stop = [], threading.Event()

    def test_a_descriptor():
        kept.append(os.open(os.devnull, os.O_RDONLY))

    async def test_a_task():
        kept.append(asyncio.create_task(asyncio.Event().wait()))

    @pytest.fixture
    async def one():
        yield asyncio.create_task(asyncio.Event().wait())

    async def test_a_task_of_a_fixture(one):
        pass

    def test_a_thread():
        thread = threading.Thread(target=stop.wait, daemon=True)
        thread.start()
"""
CLEAN = """
    import asyncio, os, threading
    import pytest

    @pytest.fixture(scope="session")
    def lasting():
        stop, descriptor = threading.Event(), os.open(os.devnull, os.O_RDONLY)
        thread = threading.Thread(target=stop.wait)
        thread.start()
        yield
        stop.set()
        thread.join()
        os.close(descriptor)

    @pytest.fixture
    async def running():
        task = asyncio.create_task(asyncio.Event().wait())
        yield task
        task.cancel()
        await asyncio.wait([task])

    def test_what_the_session_keeps(lasting):
        pass

    async def test_a_task_that_its_fixture_ends(running):
        reader, writer = await asyncio.open_connection(sock=_pair()[0])
        writer.close()
        await writer.wait_closed()

    async def test_a_thread_of_the_loop():
        await asyncio.to_thread(int)

    def _pair():
        import socket
        one, other = socket.socketpair()
        other.close()
        return one, other
"""
#: What is left behind on purpose is not waited for.
HASTY = "from tests.watches import leftovers\nleftovers._JOIN_S = leftovers._CLOSE_S = 0.2\n"


def run(folder, text):
    """What pytest prints of the tests in `text`, with this watch and nothing else of the suite."""
    path = folder / "test_it.py"
    path.write_text(textwrap.dedent(text))
    (folder / "conftest.py").write_text(HASTY)
    words = ["-q", "-p", "tests.watches.leftovers", "-o", "asyncio_mode=auto", "-p", "no:randomly"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words, str(path)]
    ended = subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    return ended.stdout


def test_what_is_left_behind_is_an_error(tmp_path):
    """A descriptor, a task, a fixture's task, a thread: each at the test that left it."""
    printed = run(tmp_path, LEAVING)
    assert "4 passed, 4 errors" in printed, printed
    for name, what in {
        "a_descriptor": "'/dev/null'",
        "a_thread": "<Thread(",
    }.items():
        assert f"left behind by test_{name}: [{what}" in printed, printed
    assert printed.count("AssertionError: tasks left behind: {<Task pending") == 2, printed


def test_what_outlives_a_test_by_right_is_none(tmp_path):
    """A session's server, what a fixture ends, what the loop itself joins."""
    assert "3 passed" in run(tmp_path, CLEAN)
