"""All looks in their order, each only where the one before it found something to look at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Final

from altcraft_balance.doctor.asking import encoder_of
from altcraft_balance.doctor.endpoint import check_endpoint
from altcraft_balance.doctor.finding import Finding, skipped
from altcraft_balance.doctor.network import check_network
from altcraft_balance.doctor.versions import check_versions
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.models import ByEmail, Matching
from altcraft_balance.session.bad_replies import BadReplies
from altcraft_balance.settings import ClientSettings

__all__ = ["AFTER_SETTINGS", "NOBODY", "ON_THE_WAY", "examine", "without_settings"]

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
    try:
        yield await _settled(settings)
    except ConfigurationError as error:
        for finding in without_settings(error):
            yield finding
        return
    way: dict[str, Finding] = {}
    async for finding in check_network(settings):
        way[finding.check] = finding
        yield finding
    for check in ON_THE_WAY:
        if check not in way:
            yield skipped(check, "the server was not reached")
    if all(finding.state != "failed" for finding in way.values()):
        async for finding in check_endpoint(settings, matching or NOBODY):
            yield finding
        return
    for check in _ANSWERS:
        yield skipped(check, "the server was not reached")


def without_settings(error: ConfigurationError) -> Iterator[Finding]:
    """What is found where the settings cannot be used: that, and what they are needed for."""
    yield Finding(check="settings", state="failed", says=str(error), error=error)
    for check in AFTER_SETTINGS:
        yield skipped(check, "there are no settings to look with")


async def _settled(settings: ClientSettings) -> Finding:
    await encoder_of(settings)  # the token is to be had, and can travel where it is to
    if settings.save_bad is not None:
        await BadReplies(settings.save_bad).open()
    ways = [f"token in the {settings.auth}", settings.format.upper()]
    if settings.proxy is not None:
        ways.append("through a proxy")
    return Finding(check="settings", says=f"{settings.url}, {', '.join(ways)}")
