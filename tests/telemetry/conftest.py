"""A platform in memory and a virtual clock."""

from tests.session.fakes import pytest_asyncio_loop_factories, wire  # noqa: F401
