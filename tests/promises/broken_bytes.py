"""Reads replies that chance has damaged, in blocks of seeds, and prints what came of them as JSON.

Each block is its own seed, so any of them can be tried again alone; with `--file` a block that is
done is written down for this state of the tree, and a later run goes on from there.
"""

import json
import random
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from altcraft_balance.codec.reply import read_reply, read_usual
from altcraft_balance.codec.request import RequestEncoder
from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.models import BalanceQuery, ByEmail
from altcraft_balance.secret import HiddenStr
from tests.promises.child import answer, options_of
from tests.strategies.bytes import STATUSES, mutated_by

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
STALL_S = 0.03
QUERY = BalanceQuery(ByEmail("user@example.com"))


def wire_of(syntax):
    return RequestEncoder(HiddenStr("abc123"), loyalty_program_id=1, format=syntax).encode(QUERY)


WIRES = [wire_of("json"), wire_of("xml")]


def kind_of(wire, status, body):
    """What came of it: a balance, or an error's name."""
    try:
        read_usual(wire, status, {}, body, NOON)
        balance = read_reply(wire, status, {}, body, looked_up_at=NOON)
    except AltcraftBalanceError as error:
        return error.kind if str(error).isprintable() else "not printable"
    are_finite = balance.total_balance.is_finite() and balance.active_balance.is_finite()
    return "balance" if are_finite else "not finite"


def trouble_with(wire, status, body, seen):
    """What is wrong with the reading of `body`, if anything; three slow readings are a stall."""
    for _ in range(3):
        started = time.thread_time()
        try:
            kind = kind_of(wire, status, body)
        except BaseException as error:
            return f"raised {type(error).__name__}"
        took_s = time.thread_time() - started
        if took_s <= STALL_S:
            break
    else:
        return f"stalled for {took_s:.3f} s"
    seen[kind] += 1
    return f"is {kind}" if kind.startswith("not ") else None


def tried(block, count):
    """One block: how many of each kind, and every trouble with the body that brings it."""
    chance, seen, wrong = random.Random(block), Counter(), []
    for _ in range(count):
        body, status = mutated_by(chance), chance.choice((200, chance.choice(STATUSES)))
        if trouble := trouble_with(chance.choice(WIRES), status, body, seen):
            wrong.append(f"{trouble}: block {block}, HTTP {status}, {body!r}")
    return {"tried": count, "kinds": seen, "wrong": wrong}


def known_in(file, tree):
    if not file or not Path(file).exists():
        return {}
    lines = map(json.loads, Path(file).read_text("utf-8").splitlines())
    return {line["block"]: line for line in lines if line["tree"] == tree}


def main():
    total, kinds, wrong = 0, Counter(), []
    known = known_in(asked.file, asked.tree)
    for block in range(asked.blocks):
        came = known.get(block) or tried(block, asked.inputs)
        if asked.file and block not in known:
            with Path(asked.file).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"tree": asked.tree, "block": block} | came) + "\n")
        total += came["tried"]
        kinds.update(came["kinds"])
        wrong += came["wrong"]
    return {"tried": total, "kinds": kinds, "wrong": wrong, "earlier": len(known)}


if __name__ == "__main__":
    asked = options_of(__doc__, blocks=1, inputs=1000, file="", tree="")
    answer(main())
