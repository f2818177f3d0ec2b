"""How each fault is done.

Three kinds: in place of the reply, with the reply spoilt, and after the right reply. The last kind
acts on the idle connection only: when a request arrives first, it is left out and not counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from attrs import frozen

from altcraft_balance.sandbox.connection import Connection
from altcraft_balance.sandbox.replies import (
    CONTENT_TYPES,
    GATEWAY_PAGE,
    INCORRECT,
    INTERNAL,
    OTHER,
    Answer,
    Format,
    body_of,
    found,
    http,
    page,
)

__all__ = ["MISBEHAVIOURS", "Exchange"]

#: How long an idle connection is left alone before something happens to it, at most.
_IDLE_S: Final = 0.02
#: Plausible, and nobody's: a client that takes it for an answer reports a wrong balance.
_NOBODY: Final = found(("666.66", "666.66"))


@frozen(kw_only=True)
class Exchange:
    """One request and the right answer to it.

    Attributes:
        connection: where the reply goes.
        answer: the right answer.
        status: the HTTP status that it should have.
        form: the format that it should have.
        retry_after_s: what ``Retry-After`` says, in seconds.
        counts: what is done is counted here.
        chance: decides the details.
    """

    connection: Connection
    answer: Answer
    status: int
    form: Format
    retry_after_s: int
    counts: Counter[str]
    chance: Random

    def reply(self) -> bytes:
        """The right reply."""
        content_type = CONTENT_TYPES[self.form]
        return http(
            self.status,
            body_of(self.answer, self.form),
            content_type,
            close=self.connection.closing,
        )

    def answer_rightly(self) -> None:
        """Send the right reply and count it."""
        self.counts[self.answer.outcome] += 1
        self.connection.send(self.reply())

    def answer_with(self, status: int, body: bytes, content_type: str) -> None:
        """Send something else as a whole reply."""
        closing = self.connection.closing
        self.connection.send(http(status, body, content_type, close=closing))


# ── in place of the reply ────────────────────────────────────────────────────────────────────


def _reset_before(exchange: Exchange) -> None:
    exchange.connection.reset()


def _reset_either(exchange: Exchange) -> None:
    exchange.chance.choice((_reset_before, _reset_inside))(exchange)


def _status429(exchange: Exchange) -> None:
    closing = exchange.connection.closing
    exchange.connection.send(page(429, retry_after_s=exchange.retry_after_s, close=closing))


def _status503(exchange: Exchange) -> None:
    closing, seconds = exchange.connection.closing, exchange.retry_after_s
    exchange.connection.send(page(503, retry_after_s=seconds, markup=True, close=closing))


def _status500(exchange: Exchange) -> None:
    exchange.connection.send(page(500, close=exchange.connection.closing))


def _app_error_200(exchange: Exchange) -> None:
    form = exchange.form
    exchange.answer_with(200, body_of(INTERNAL, form), CONTENT_TYPES[form])


def _app_error_4xx(exchange: Exchange) -> None:
    form = exchange.form
    exchange.answer_with(400, body_of(INCORRECT, form), CONTENT_TYPES[form])


def _html(exchange: Exchange) -> None:
    exchange.answer_with(200, GATEWAY_PAGE, "text/html")


def _empty(exchange: Exchange) -> None:
    exchange.answer_with(200, b"", CONTENT_TYPES[exchange.form])


# ── the reply, spoilt ────────────────────────────────────────────────────────────────────────


def _reset_inside(exchange: Exchange) -> None:
    reply = exchange.reply()
    exchange.connection.send(reply[: exchange.chance.randrange(1, len(reply))])
    exchange.connection.reset()


def _truncated(exchange: Exchange) -> None:
    body = body_of(exchange.answer, exchange.form)
    missing = exchange.chance.randint(1, 64)
    content_type = CONTENT_TYPES[exchange.form]
    exchange.connection.send(http(exchange.status, body, content_type, length=len(body) + missing))
    exchange.connection.closing = True


def _wrong_content_type(exchange: Exchange) -> None:
    exchange.counts[exchange.answer.outcome] += 1
    wrong = exchange.chance.choice(("text/plain", CONTENT_TYPES[OTHER[exchange.form]]))
    exchange.answer_with(exchange.status, body_of(exchange.answer, exchange.form), wrong)


def _other_format(exchange: Exchange) -> None:
    exchange.counts[exchange.answer.outcome] += 1
    form = OTHER[exchange.form]
    exchange.answer_with(exchange.status, body_of(exchange.answer, form), CONTENT_TYPES[form])


# ── after the right reply ────────────────────────────────────────────────────────────────────


def _stray(exchange: Exchange) -> None:
    form, connection = exchange.form, exchange.connection

    def push() -> None:
        if not connection.has_unread():
            connection.send(http(200, body_of(_NOBODY, form), CONTENT_TYPES[form]))
            exchange.counts["stray"] += 1

    _afterwards(exchange, push)


def _idle_close(exchange: Exchange) -> None:
    def close() -> None:
        exchange.connection.end()
        exchange.counts["idle_close"] += 1

    _afterwards(exchange, close)


def _late_408(exchange: Exchange) -> None:
    connection = exchange.connection

    def give_up() -> None:
        if not connection.has_unread():
            connection.send(page(408, close=True))
            connection.end()
            exchange.counts["late_408"] += 1

    _afterwards(exchange, give_up)


def _afterwards(exchange: Exchange, act: Callable[[], None]) -> None:
    exchange.answer_rightly()
    if not exchange.connection.closing:
        exchange.connection.when_idle(exchange.chance.uniform(0, _IDLE_S), act)


def _counted(name: str, act: Callable[[Exchange], None]) -> Callable[[Exchange], None]:
    def fault(exchange: Exchange) -> None:
        exchange.counts[name] += 1
        act(exchange)

    return fault


#: What each of `FAULTS` does with an exchange. Of `latency` only the reply is left to do here.
MISBEHAVIOURS: Final[Mapping[str, Callable[[Exchange], None]]] = {
    "stray": _stray,
    "idle_close": _idle_close,
    "late_408": _late_408,
} | {
    name: _counted(name, act)
    for name, act in {
        "latency": Exchange.answer_rightly,
        "reset_before": _reset_before,
        "reset_inside": _reset_inside,
        "reset": _reset_either,
        "status429": _status429,
        "status503": _status503,
        "status500": _status500,
        "app_error_200": _app_error_200,
        "app_error_4xx": _app_error_4xx,
        "html": _html,
        "empty": _empty,
        "truncated": _truncated,
        "wrong_content_type": _wrong_content_type,
        "other_format": _other_format,
    }.items()
}
