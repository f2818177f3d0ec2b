"""Asks the same members over both transports, past each fault of the sandbox; what came of it.

Run as a program, since coverage and development mode make it ten times slower.
"""

import asyncio

from altcraft_balance.models import ByEmail, Found
from altcraft_balance.sandbox import Sandbox
from altcraft_balance.settings import Limits, RetryPolicy, Timeouts
from tests.lanes import LANES, client_over
from tests.promises.child import answer, options_of
from tests.promises.fates import AFTERWARDS, CASES, ENDS, SUDDEN, TOO_LATE, Fates

ATTEMPT_S = 0.5


async def past(case):
    """Both lanes past one fault, side by side."""
    lanes = dict(
        zip(LANES, await asyncio.gather(*(over(lane, case) for lane in LANES)), strict=True)
    )
    one, other = (lane.pop("seen") for lane in lanes.values())
    return {
        "lanes": lanes,
        "differing": [
            [index, one.get(index), other.get(index)]
            for index in range(asked.members)
            if one.get(index) != other.get(index)
        ],
        "failed": sum(came[0] != "found" for came in one.values()),
    }


async def over(lane, case):
    """What came of each member, and how many were lost, doubled or not what is due."""
    seen, odd, doubled = {}, [], 0
    slow_s = 4 * ATTEMPT_S if case == TOO_LATE else 0.02
    async with Sandbox(retry_after_s=0, slow_s=slow_s) as sandbox:
        fates = Fates(sandbox, case, asked.seed)
        names = (f"member-{number}@example.com" for number in range(asked.members))
        client = client_of(lane, case, sandbox)
        async with client, client.stream_balances(names, by=ByEmail) as outcomes:
            async for outcome in outcomes:
                doubled += outcome.index in seen
                came = seen[outcome.index] = told(case, outcome, sandbox)
                if came[: len(due := due_to(outcome, case, fates, sandbox))] != due:
                    odd.append([came, due])
    lost = asked.members - len(seen)
    return {"seen": seen, "lost": lost, "doubled": doubled, "odd": odd, "met": fates.dealt}


def client_of(lane, case, sandbox):
    """Two attempts, so that a fault met once is got over and one that is always met is not."""
    return client_over(
        lane,
        sandbox.url,
        token="sandbox-token",
        loyalty_program_id=123,
        limits=Limits(concurrency=64, adaptive=False),
        retry=RetryPolicy(max_attempts=2, base_s=0.001, cap_s=0.01),
        timeouts=Timeouts(attempt_s=ATTEMPT_S if case == TOO_LATE else 10.0),
    )


def told(case, outcome, sandbox):
    """All of an outcome that must not depend on the lane."""
    # Which connection had died is a matter of luck, and so are its free repeats.
    counts = [outcome.requests] if case not in SUDDEN | AFTERWARDS else []
    if case not in SUDDEN:
        counts.append(outcome.attempts)
    if isinstance(outcome, Found):
        amounts = outcome.balance.total_balance, outcome.balance.active_balance
        return ["found", *map(str, amounts), *counts]
    error = outcome.error
    facts = [getattr(error, name, None) for name in ("transient", "maybe_sent", "status", "code")]
    # Why a connection has ended is worded by the system, and by when the end was noticed.
    text = str(error).replace(sandbox.url.removeprefix("http://"), "") if counts else ""
    return [error.kind, *facts, text, *counts]


def due_to(outcome, case, fates, sandbox):
    """What the protocol's page says of this member and fault."""
    if case in ENDS and fates.times(outcome.query.matching.email) is None:
        return ENDS[case]
    right = sandbox.balance_of(outcome.query, loyalty_program_id=123)
    return ["found", str(right.total_balance), str(right.active_balance)]


async def main():
    return {case: await past(case) for case in asked.cases.split(",")}


if __name__ == "__main__":
    asked = options_of(__doc__, members=400, cases=",".join(CASES), seed=1)
    answer(asyncio.run(main()))
