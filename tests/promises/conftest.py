"""What every promise has: a row in the table, a size by `--scale`, and a process of its own.

A test states its row first and says at its end what came of it::

    def test_it(promise, size):
        stated = promise(8, "jitter is uniform")
        ...
        stated.came(tried=100_000, failed=0, figure="p = 0.31")
"""

import pytest

from tests.hostile.authority import authority, stranger  # noqa: F401
from tests.promises.table import Stated


@pytest.fixture
def promise(request):
    """State which row a test proves; at the full size it is skipped if this tree has done it."""
    table = request.config.pluginmanager.get_plugin("promise-table")

    def promise(row, title):
        done = table.done(request.node.nodeid)
        stated = Stated(row, title)
        request.node.user_properties.append(("promise", done or stated.line))
        if done is not None:
            pytest.skip(f"row {row} is done for this commit: --cache-clear forgets it")
        return stated

    return promise
