"""Marks for a test that speaks of one of the two transports; every other test runs over both."""

import pytest

only_aiohttp = pytest.mark.parametrize("lane", ["aiohttp"])
only_direct = pytest.mark.parametrize("lane", ["direct"])
