"""Cuts recorded replies at every byte on a real socket; prints what the client made of it as JSON.

Samples of the documented shape come first, one in each format.
"""

import asyncio
from collections import Counter

from altcraft_balance.errors import AltcraftBalanceError
from tests.hostile.behaviours import cut
from tests.hostile.replies import FRAMINGS, framed
from tests.hostile.server import RawServer
from tests.promises.child import answer, options_of
from tests.promises.hostile import client_of, outcome_of
from tests.promises.recorded import PACKINGS, amounts, samples


async def main():
    chosen = sorted(samples(), key=lambda sample: "success-reference" not in sample[0])
    counts, wrong = Counter(), []
    async with RawServer() as server, client_of(asked.lane, server.url) as client:
        for name, body in chosen[: asked.samples]:
            right = amounts(body)[1]
            for packing, framing in ((p, f) for p in PACKINGS for f in FRAMINGS):
                whole = framed(PACKINGS[packing](body), framing, packing)
                for at in range(len(whole)):
                    server.script = cut(whole, at, end=asked.end)
                    outcome = await outcome_of(client)
                    counts["tried"] += 1
                    if isinstance(outcome, AltcraftBalanceError):
                        counts["errors"] += 1
                    elif (outcome.total_balance, outcome.active_balance) == right:
                        counts["same"] += 1
                    else:
                        wrong.append(f"{name}, {packing}, {framing}, {at}: {outcome}")
    return {"errors": 0, "same": 0, **counts, "wrong": wrong}


if __name__ == "__main__":
    asked = options_of(__doc__, lane="aiohttp", end="close", samples=2)
    answer(asyncio.run(main()))
