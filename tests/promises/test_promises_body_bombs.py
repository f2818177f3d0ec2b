"""Row 13: a body bomb costs nothing.

Whatever is sent as a body, packed or not, with an end or without, it is refused at the cap of
64 KiB, once, for at most 1 MiB of memory and 30 ms of CPU. A head that never ends is a connection
that broke, at the same price. The server's work is in the same thread, and counts.
"""

import pytest

from altcraft_balance.errors import ConnectionFailed, UnexpectedReply
from altcraft_balance.settings import Timeouts
from tests.hostile.behaviours import HEAD_BOMBS, body_bombs, endless
from tests.hostile.server import RawServer
from tests.lanes import LANES
from tests.promises.hostile import PATIENT, client_of, cost_of, outcome_of

MIB = 1 << 20
CPU_S = 0.03
SHORT = Timeouts(attempt_s=1, deadline_s=2)  # for what is not refused at all


@pytest.mark.parametrize("lane", LANES)
async def test_a_body_bomb_costs_nothing(promise, lane):
    """Refused at the cap: final, asked once, and cheap."""
    stated = promise(13, f"a body bomb costs nothing, over {lane}")
    await say(stated, lane, body_bombs(), is_refused)


@pytest.mark.parametrize("lane", LANES)
async def test_a_head_without_end_costs_nothing(promise, lane):
    """Endless headers, interim replies and trailers break off, cheaply."""
    stated = promise(13, f"a head without end costs nothing, over {lane}")
    await say(stated, lane, HEAD_BOMBS, has_failed)


def is_refused(outcome):
    """Too large by the cap, or of too many parts: nothing else is a refusal."""
    too_large = type(outcome) is UnexpectedReply and "max_body_bytes" in str(outcome)
    return (too_large and not outcome.transient) or "too many compressed parts" in str(outcome)


def has_failed(outcome):
    """The endless is a broken connection, or larger than the cap."""
    return type(outcome) is ConnectionFailed or is_refused(outcome)


async def say(stated, lane, bombs, is_right):
    wrong, peaks, seconds = [], [0], [0]
    for name, (first, step) in bombs.items():
        async with RawServer(endless(first, step)) as server:
            async with client_of(lane, server.url, retry=PATIENT, timeouts=SHORT) as client:
                outcome = await outcome_of(client)
                requests = len(server.requests)

            async with client_of(lane, server.url, timeouts=SHORT) as client:
                peak, cpu = await cost_of(lambda client=client: outcome_of(client))
        peaks.append(peak)
        seconds.append(cpu)
        is_final = not getattr(outcome, "transient", False)
        right = is_right(outcome) and (requests == 1 or not is_final)
        if not right or peak > MIB or cpu > CPU_S:
            wrong.append(f"{name}: {outcome!r}, {requests} requests, {peak} B, {cpu * 1e3:.1f} ms")
    stated.came(
        tried=len(bombs),
        failed=len(wrong),
        figure=f"most {max(peaks) // 1024} KiB and {max(seconds) * 1000:.1f} ms of CPU",
        why="\n".join(wrong),
    )
