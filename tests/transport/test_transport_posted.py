"""What goes by aiohttp's general client, as with a proxy, keeps the same promises."""

import pytest

from altcraft_balance.transport.aiohttp import AiohttpTransport
from tests.transport.test_transport_early import *  # noqa: F403
from tests.transport.test_transport_failures import *  # noqa: F403
from tests.transport.test_transport_guard import *  # noqa: F403
from tests.transport.test_transport_reuse import *  # noqa: F403


@pytest.fixture
def lane(monkeypatch):
    """aiohttp, with the way past its general client shut."""
    monkeypatch.setattr(AiohttpTransport, "_lean_way", lambda _: None)
    return "aiohttp"
