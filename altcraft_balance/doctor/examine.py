"""All looks in their order, each only where the one before it found something to look at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from altcraft_balance.doctor.endpoint import check_endpoint
from altcraft_balance.doctor.finding import Finding, skipped
from altcraft_balance.doctor.network import check_network
from altcraft_balance.doctor.versions import check_versions
from altcraft_balance.models import ByEmail, Matching
from altcraft_balance.settings import ClientSettings

__all__ = ["AFTER_SETTINGS", "NOBODY", "ON_THE_WAY", "examine"]

#: Who is asked about when nobody is named: an address that exists nowhere (RFC 2606).
NOBODY: Final = ByEmail("altcraft-balance-doctor@example.invalid")
#: Checks of the way to the server, and of what it answers.
ON_THE_WAY: Final = ("dns", "tcp", "tls")
_ANSWERS: Final = ("endpoint", "token", "points", "clock")
#: All that can be looked at with settings only.
AFTER_SETTINGS: Final = (*ON_THE_WAY, *_ANSWERS)


async def examine(
    settings: ClientSettings, matching: Matching | None = None
) -> AsyncIterator[Finding]:
    """Look at everything; sends one lookup.

    Args:
        settings: of the client whose set-up it is.
        matching: a member to ask about; by default one who does not exist.
    """
    yield await asyncio.to_thread(check_versions)  # it reads files
    yield _settled(settings)
    reached = True
    async for finding in check_network(settings):
        reached = reached and finding.state != "failed"
        yield finding
    if reached:
        async for finding in check_endpoint(settings, matching or NOBODY):
            yield finding
        return
    for check in _ANSWERS:
        yield skipped(check, "the server was not reached")


def _settled(settings: ClientSettings) -> Finding:
    ways = [f"token in the {settings.auth}", settings.format.upper()]
    if settings.proxy is not None:
        ways.append("through a proxy")
    return Finding(check="settings", says=f"{settings.url}, {', '.join(ways)}")
