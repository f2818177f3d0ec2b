"""What is fuzzed: one reply's bytes to its result. The first byte chooses the status and request.

Apart from `__main__`, so that the codec is first imported with coverage in it.
"""

import time
from datetime import UTC, datetime

from altcraft_balance.codec.reply import read_reply, read_usual
from altcraft_balance.codec.request import RequestEncoder
from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.models import BalanceQuery, ByEmail
from altcraft_balance.secret import HiddenStr
from tests.strategies.bytes import BODIES, STATUSES

__all__ = ["seeds", "try_one"]

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
QUERY = BalanceQuery(ByEmail("user@example.com"))
WIRES = [
    RequestEncoder(HiddenStr("abc123"), loyalty_program_id=1, format=form).encode(QUERY)
    for form in ("json", "xml")
]
#: Far more than the 30 ms of the promise: coverage makes Python ten times slower.
STALL_S = 0.5


def seeds():
    """The recorded replies as inputs, at HTTP 200."""
    return [bytes([STATUSES.index(200)]) + body for body in BODIES if len(body) < 4096]


def try_one(data):
    """Read one reply; anything but a balance or one of our errors is a finding."""
    choice, body = data[0] if data else 0, data[1:]
    wire, status = WIRES[choice >> 7], STATUSES[(choice & 127) % len(STATUSES)]
    started = time.thread_time()
    quick = read_usual(wire, status, {}, body, NOON)
    try:
        balance = read_reply(wire, status, {}, body, looked_up_at=NOON)
    except AltcraftBalanceError as error:
        balance, shown = None, str(error)
    else:
        shown = repr(balance)
    assert time.thread_time() - started < STALL_S, "it stalls"
    assert shown.isprintable()
    assert quick is None or quick == balance, "the quick way says something else"
