"""A consumer of a Redis stream that looks each event's member up: ``python redis_consumer.py``.

Answers and what is hopeless are acknowledged. What may be answered later, and whatever a consumer
that died has left, stays pending, and is claimed when it has lain for a while.

Needs ``altcraft-balance[faststream]`` and ``faststream[redis]``; reads REDIS, BATCH_S, RETRY_S
and the client's own variables (ALTCRAFT_BASE_URL, ALTCRAFT_TOKEN, ALTCRAFT_LOYALTY_PROGRAM_ID).
An entry is FastStream's own, or one with a field ``email``; so are the answers: FastStream's.
"""

import asyncio
import os
from contextlib import suppress
from typing import Any

from faststream import AckPolicy, FastStream
from faststream.redis import RedisBroker, RedisStreamMessage, StreamSub
from faststream.redis.annotations import Redis
from faststream.redis.parser import BinaryMessageFormatV1
from redis.asyncio import from_url
from redis.exceptions import ResponseError

from altcraft_balance import AltcraftBalanceError, ByEmail, Failed, Outcome
from altcraft_balance.integrations.faststream import Balances, Stop, balances_lifespan
from altcraft_balance.integrations.outcomes import sort_outcomes

#: Seconds for a batch; what is pending for longer than both together is claimed.
BATCH_S = float(os.environ.get("BATCH_S", "60"))
RETRY_S = float(os.environ.get("RETRY_S", "30"))
GROUP, NAME = "balances", f"{os.uname().nodename}-{os.getpid()}"

URL = os.environ.get("REDIS", "redis://localhost:6379")


class AnyBytes(BinaryMessageFormatV1):
    """FastStream makes one JSON of a batch, which fails as a whole where one is not UTF-8."""

    @classmethod
    def parse(cls, data: Any) -> tuple[Any, dict[str, Any]]:
        body, told = super().parse(data)
        headers = told if isinstance(told, dict) else {}
        if isinstance(body, dict):  # an entry that another program has added, field by field
            return {as_text(name): as_text(value) for name, value in body.items()}, headers
        return as_text(body).encode(), headers


def as_text(told: bytes) -> str:
    return told.decode(errors="backslashreplace")


broker = RedisBroker(URL, graceful_timeout=BATCH_S, message_format=AnyBytes)
app = FastStream(broker, lifespan=balances_lifespan())
how = {"ack_policy": AckPolicy.MANUAL, "no_reply": True}
new = {"group": GROUP, "consumer": NAME, "batch": True, "max_records": 200}
pending = {**new, "min_idle_time": int((BATCH_S + RETRY_S) * 1000)}


@app.on_startup
async def make_group() -> None:
    """From the stream's beginning: by default what came before the first start is passed over."""
    async with from_url(URL) as redis:
        with suppress(ResponseError):  # there is one
            await redis.xgroup_create("members", GROUP, id="0", mkstream=True)


@broker.subscriber(stream=StreamSub("members", **new), **how)
@broker.subscriber(stream=StreamSub("members", **pending), **how)
async def look_up(
    events: list[Any],
    message: RedisStreamMessage,
    balances: Balances,
    redis: Redis,
    stop: Stop,
):
    outcomes = await balances.get_balances(events, by=member_of, item_deadline_s=BATCH_S)
    try:
        came = sort_outcomes(outcomes)
    except AltcraftBalanceError as error:
        raise stop(error) from error
    for one in came.answered:
        await broker.publish(answer_of(one), stream="balances")
    for one in came.hopeless:
        await broker.publish(dead(one), stream="members.dead")
    ids = message.raw_message["message_ids"]
    if done := [ids[one.index] for one in (*came.answered, *came.hopeless)]:
        await redis.xack("members", GROUP, *done)


def member_of(event: Any) -> ByEmail:
    # What is none is a failed outcome, whose tag is the event.
    return ByEmail(event.get("email") if isinstance(event, dict) else None)


def dead(outcome: Failed) -> dict[str, Any]:
    event = outcome.query.tag
    if isinstance(event, dict):
        return {**event, "error": str(outcome.error)}
    told = event.decode(errors="backslashreplace") if isinstance(event, bytes) else event
    return {"event": told, "error": "it is no JSON object"}


def answer_of(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Failed):  # not a member
        return {**outcome.query.tag, "total": None}
    return {**outcome.query.tag, "total": str(outcome.balance.total_balance)}


if __name__ == "__main__":
    asyncio.run(app.run())
