"""Settings of a client, and what the doctor says of them."""

import pytest

from altcraft_balance.doctor.examine import examine
from altcraft_balance.settings import ClientSettings, Timeouts
from tests.hostile.authority import authority, stranger  # noqa: F401

TOKEN = "sandbox-token"


@pytest.fixture
def settings_of():
    """Settings that are right for a sandbox, save for what is `otherwise`."""

    def make(url, **otherwise):
        told = {
            "token": TOKEN,
            "loyalty_program_id": 123,
            "timeouts": Timeouts(connect_s=1, attempt_s=1),
            **otherwise,
        }
        return ClientSettings(base_url=url, **told)

    return make


@pytest.fixture
def findings_of(settings_of):
    """What is found, by check."""

    async def look(url, matching=None, **otherwise):
        settings = settings_of(url, **otherwise)
        return {finding.check: finding async for finding in examine(settings, matching)}

    return look
