"""A consumer of NATS JetStream that looks each event's member up: ``python nats_consumer.py``.

Each event is acknowledged by itself: an answer is published and acked, what may be answered later
is nacked with a delay, and what is hopeless is published elsewhere and never delivered again.

Needs ``altcraft-balance[faststream]`` and ``faststream[nats]``; reads NATS, BATCH_S, RETRY_S
and the client's own variables (ALTCRAFT_BASE_URL, ALTCRAFT_TOKEN, ALTCRAFT_LOYALTY_PROGRAM_ID).
"""

import asyncio
import os
from typing import Any

from faststream import AckPolicy, FastStream
from faststream.nats import ConsumerConfig, JStream, NatsBroker, NatsMessage, PullSub

from altcraft_balance import AltcraftBalanceError, ByEmail, Failed, Outcome
from altcraft_balance.integrations.faststream import Balances, Stop, any_event, balances_lifespan
from altcraft_balance.integrations.outcomes import again_after_s, sort_outcomes

#: Seconds for a batch; NATS delivers to somebody else what is not acknowledged in twice as many.
BATCH_S = float(os.environ.get("BATCH_S", "60"))
RETRY_S = float(os.environ.get("RETRY_S", "30"))

broker = NatsBroker(os.environ.get("NATS", "nats://localhost:4222"), graceful_timeout=BATCH_S)
app = FastStream(broker, lifespan=balances_lifespan())
stream = JStream("members", subjects=["members", "balances", "members.dead"])


@broker.subscriber(
    "members",
    stream=stream,
    durable="balances",
    pull_sub=PullSub(batch=True, batch_size=200, timeout=0.1),
    config=ConsumerConfig(ack_wait=2 * BATCH_S),
    ack_policy=AckPolicy.MANUAL,
    decoder=any_event,
    no_reply=True,
)
async def look_up(events: list[Any], message: NatsMessage, balances: Balances, stop: Stop):
    outcomes = await balances.get_balances(events, by=member_of, item_deadline_s=BATCH_S)
    try:
        came = sort_outcomes(outcomes)
    except AltcraftBalanceError as error:
        raise stop(error) from error
    raw = message.raw_message
    for one in came.answered:
        await broker.publish(answer_of(one), "balances", stream="members")
        await raw[one.index].ack()
    for one in came.again:
        tries = raw[one.index].metadata.num_delivered - 1
        await raw[one.index].nak(delay=again_after_s(one, tries, base_s=RETRY_S))
    for one in came.hopeless:
        await broker.publish(dead(one), "members.dead", stream="members")
        await raw[one.index].term()


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
