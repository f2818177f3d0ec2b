"""A consumer of RabbitMQ that looks each event's member up: ``python rabbit_consumer.py``.

An answer is published and acked. RabbitMQ has no nack with a delay, so a queue stands in for it:
what is rejected, or whose handler failed, goes to ``members.later``, waits there, and comes back.
What is hopeless is published elsewhere and acked.

Needs ``altcraft-balance[faststream]`` and ``faststream[rabbit]``; reads RABBIT, RETRY_S
and the client's own variables (ALTCRAFT_BASE_URL, ALTCRAFT_TOKEN, ALTCRAFT_LOYALTY_PROGRAM_ID).
"""

import asyncio
import os
from typing import Any

from faststream import AckPolicy, FastStream
from faststream.rabbit import Channel, RabbitBroker, RabbitMessage, RabbitQueue

from altcraft_balance import AltcraftBalanceError, ByEmail, Failed, Outcome
from altcraft_balance.integrations.faststream import Balances, Stop, any_event, balances_lifespan
from altcraft_balance.integrations.outcomes import sort_outcomes

DEADLINE_S = 60
RETRY_S = float(os.environ.get("RETRY_S", "30"))
#: Events that are looked up at once.
AT_ONCE = 64

broker = RabbitBroker(
    os.environ.get("RABBIT", "amqp://guest:guest@localhost:5672"),
    graceful_timeout=DEADLINE_S,
    # What reaches no queue is an error: it would be dropped without a word.
    default_channel=Channel(prefetch_count=AT_ONCE, on_return_raises=True),
)
app = FastStream(broker, lifespan=balances_lifespan())


def goes_to(name: str, **further: Any) -> dict[str, Any]:
    return {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": name, **further}


members = RabbitQueue("members", arguments=goes_to("members.later"))
waits = goes_to("members", **{"x-message-ttl": int(RETRY_S * 1000)})
later = RabbitQueue("members.later", arguments=waits)


@app.on_startup
async def declare() -> None:
    """Before the first event is delivered."""
    await broker.connect()
    for queue in (later, RabbitQueue("balances"), RabbitQueue("members.dead")):
        await broker.declare_queue(queue)


@broker.subscriber(members, decoder=any_event, ack_policy=AckPolicy.REJECT_ON_ERROR, no_reply=True)
async def look_up(event: Any, message: RabbitMessage, balances: Balances, stop: Stop):
    outcomes = await balances.get_balances([event], by=member_of, item_deadline_s=DEADLINE_S)
    try:
        came = sort_outcomes(outcomes)
    except AltcraftBalanceError as error:
        raise stop(error) from error
    for one in came.answered:
        await broker.publish(answer_of(one), "balances", persist=True)
    for one in came.hopeless:
        await broker.publish(dead(one), "members.dead", persist=True)
    if came.again:
        await message.reject(requeue=False)


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
