"""The recorded replies that hold a balance, and what the codec reads from a body."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

from altcraft_balance.codec.reply import read_reply, read_usual
from altcraft_balance.codec.request import RequestEncoder
from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.models import BalanceQuery, ByEmail
from altcraft_balance.secret import HiddenStr

REPLIES = Path(__file__).parents[1] / "samples" / "replies"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
WIRE = RequestEncoder(HiddenStr("t"), loyalty_program_id=1).encode(BalanceQuery(ByEmail("a@b.cd")))
PACKINGS = {"identity": bytes, "gzip": lambda body: gzip.compress(body, mtime=0)}


def samples():
    """The bodies that hold a balance, by name."""
    for case in sorted(REPLIES.iterdir()):
        if "total_balance" in json.loads((case / "expected.json").read_text("utf-8")).get(
            "200", {}
        ):
            for file in sorted(case.glob("*.bin")):
                yield f"{case.name}/{file.name}", file.read_bytes()


def amounts(body):
    """What is read from it, by the short way and by the long one: amounts, or None."""
    usual = read_usual(WIRE, 200, {}, body, NOON)
    try:
        balance = read_reply(WIRE, 200, {}, body, NOON)
    except AltcraftBalanceError:
        balance = None
    return [None if b is None else (b.total_balance, b.active_balance) for b in (usual, balance)]
