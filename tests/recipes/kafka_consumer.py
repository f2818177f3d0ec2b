"""A consumer of Kafka that looks each event's member up: ``python kafka_consumer.py``.

Never a nack: Kafka would deliver the whole batch again, at once, for one bad event. What may be
answered later goes to a retry topic with the moment before which it is not asked again, what is
hopeless to a dead-letter topic, and then the batch is committed. A fatal answer, as any other
trouble, stops the program without a commit, so that nothing is lost: let it be started again.

Needs ``altcraft-balance[faststream]`` and ``faststream[kafka]``; reads KAFKA, SESSION_S, BATCH_S,
RETRY_S and the client's own variables (ALTCRAFT_BASE_URL, ALTCRAFT_TOKEN,
ALTCRAFT_LOYALTY_PROGRAM_ID).
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

from altcraft_balance import BalanceClient, ByEmail, Failed, Outcome
from altcraft_balance.integrations.faststream import (
    Balances,
    Stop,
    any_event,
    balances_lifespan,
    pause_while_stopped,
)
from altcraft_balance.integrations.outcomes import SortedOutcomes, again_after_s, sort_outcomes

#: Seconds for a batch; Kafka gives the partition to somebody else after 300 (max.poll.interval).
BATCH_S = 60
RETRY_S = float(os.environ.get("RETRY_S", "30"))
#: After so many seconds of silence a consumer's partitions are another's.
SESSION_S = float(os.environ.get("SESSION_S", "10"))


async def any_headers(records: Any, original: Callable[[Any], Awaitable[Any]]) -> Any:
    """FastStream reads headers as text, and fails the whole batch where one is not."""
    return await original(tuple(replace(one, headers=texts_of(one)) for one in records))


def texts_of(record: Any) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, value) for name, value in record.headers if is_text(value))


def is_text(value: bytes | None) -> bool:
    try:
        return value is not None and value.decode() is not None
    except UnicodeDecodeError:
        return False


broker = KafkaBroker(os.environ.get("KAFKA", "localhost:9092"), graceful_timeout=BATCH_S)
app = FastStream(broker, lifespan=balances_lifespan())
how = {
    "group_id": "balances",
    "batch": True,
    "max_records": 200,
    "ack_policy": AckPolicy.MANUAL,
    "parser": any_headers,
    "decoder": any_event,
    "no_reply": True,
    "auto_offset_reset": "earliest",
    "session_timeout_ms": int(SESSION_S * 1_000),
    "heartbeat_interval_ms": int(SESSION_S * 300),
}


@broker.subscriber("members", **how)
async def look_up(events: list[Any], message: KafkaMessage, balances: Balances, stop: Stop):
    await look_all_up(events, message, balances, stop)


@broker.subscriber("members.again", **{**how, "group_id": "balances.again"})
async def look_up_again(events: list[Any], message: KafkaMessage, balances: Balances, stop: Stop):
    first = min(map(due_at, events))
    await asyncio.sleep(min(max(0.0, first - time.time()), BATCH_S))
    now = time.time()
    due = [event for event in events if due_at(event) <= now]
    early = [event for event in events if due_at(event) > now]
    await look_all_up(due, message, balances, stop, early)


async def look_all_up(
    events: list[Any],
    message: KafkaMessage,
    balances: BalanceClient,
    stop: Stop,
    early: Sequence[dict[str, Any]] = (),
) -> None:
    try:
        outcomes = await balances.get_balances(events, by=member_of, item_deadline_s=BATCH_S)
        await asyncio.gather(*sends_for(sort_outcomes(outcomes)))
        await asyncio.gather(*[broker.publish(event, "members.again") for event in early])
    except Exception as error:  # the next batch's commit would pass over this one
        raise stop(error) from error
    await message.ack()
    pause_while_stopped(balances, message.consumer)


def sends_for(came: SortedOutcomes) -> Iterator[Awaitable[Any]]:
    for one in came.answered:
        yield broker.publish(answer_of(one), "balances")
    for one in came.again:
        yield broker.publish(later(one), "members.again")
    for one in came.hopeless:
        yield broker.publish(dead(one), "members.dead")


def due_at(event: Any) -> float:
    return number_in(event, "not_before") if isinstance(event, dict) else 0.0


def number_in(event: dict[str, Any], name: str) -> float:
    # Whatever another program wrote there.
    value = event.get(name)
    return value if isinstance(value, int | float) and 0 <= value < 1e12 else 0


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


def later(failed: Failed) -> dict[str, Any]:
    event = failed.query.tag
    tries = int(number_in(event, "tries"))
    wait_s = again_after_s(failed, tries, base_s=RETRY_S)
    return {**event, "tries": tries + 1, "not_before": time.time() + wait_s}


if __name__ == "__main__":
    asyncio.run(app.run())
