"""A run with everything in it that readers of events tell: faults, pauses, a cancel."""

import asyncio
from contextlib import suppress

from altcraft_balance.errors import AltcraftBalanceError
from tests.session.fakes import Slow, api, broken, http, member, ok, settle, throttled

#: Lookups by how they end, and all that is sent for them.
RESULTS = {"found": 4, "api_error": 1, "http_status": 1, "cancelled": 1}
REQUESTS = 11
RETRIES = {"http_status": 1, "rate_limited": 1, "connection_failed": 1}


async def live_through(wire, client):
    """Seven lookups, one after another."""
    scripts = [
        [Slow(0.5)],
        [Slow(0.25, http(500)), ok()],
        [throttled(2), ok()],
        [broken(reused=True), broken(), ok()],
        [api(440)],
        [http(404)],
    ]
    for number, script in enumerate(scripts):
        wire.script.extend(script)
        with suppress(AltcraftBalanceError):
            await client.get_balance(member(number))
    wire.script.append(Slow(60))
    task = asyncio.create_task(client.get_balance(member(6)))
    await settle()
    task.cancel()
    await asyncio.wait([task])
