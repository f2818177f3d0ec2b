"""A reader that logs, with the standard library's `logging`: words for people, fields for machines.

Give `log_events` to a client as ``on_event``. Everything goes to one tree of loggers below
``altcraft_balance``: each lookup and request at DEBUG, repeats and failures at INFO, what concerns
everybody (a breaker, a pause of a second or more, a lost store) at WARNING. A record has the
event's fields as attributes of its own, ``balance_event`` among them, so formatters that write
JSON, and structlog's ``ExtraAdder``, have them as they are. No record has a token or a member's
address.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from attrs import fields_dict, frozen

from altcraft_balance.telemetry.events import (
    AttemptEnded,
    BreakerChanged,
    Closed,
    ConnectionChanged,
    Event,
    GateClosed,
    LookupCancelled,
    LookupEnded,
    LookupStarted,
    Opened,
    RateStoreChanged,
    RetryPlanned,
    TokenReloaded,
    Waited,
    WidthChanged,
)

__all__ = ["log_events"]

_ROOT: Final = "altcraft_balance"
#: A program that has set no logging up hears nothing.
logging.getLogger(_ROOT).addHandler(logging.NullHandler())
#: After the words, where the client has a `log_key`.
_WHO: Final = " (member %(member_ref)s)"
#: Seconds; a shorter pause is a hiccup.
_LONG_S: Final = 1.0


@frozen
class _Line:
    """How one kind of event is logged: by which logger, at which level, in which words."""

    logger: logging.Logger
    level: int
    words: str
    event: str
    names: tuple[str, ...]

    def write(self, event: Event) -> None:
        if self.logger.isEnabledFor(self.level):
            values: dict[str, Any] = {name: getattr(event, name) for name in self.names}
            arguments = (values,) if values else ()
            extra = {"balance_event": self.event, **values}
            words = self.words + _WHO if values.get("member_ref") else self.words
            self.logger.log(self.level, words, *arguments, extra=extra)


def _line(kind: type, logger: str, level: int, words: str) -> _Line:
    snake = "".join(
        f"_{letter.lower()}" if letter.isupper() else letter for letter in kind.__name__
    )
    return _Line(
        logging.getLogger(f"{_ROOT}.{logger}"), level, words, snake[1:], tuple(fields_dict(kind))
    )


def _lines(*rows: tuple[type, str, int, str]) -> dict[type, _Line]:
    return {row[0]: _line(*row) for row in rows}


_LINES: Final = _lines(
    (Opened, "client", logging.INFO, "open: asks %(base_url)s"),
    (Closed, "client", logging.INFO, "closed: %(unfinished)d lookups were cut off"),
    (LookupStarted, "lookup", logging.DEBUG, "lookup %(lookup)d: begun"),
    (Waited, "lookup", logging.DEBUG, "lookup %(lookup)d: waited %(wait_s).3f s for %(reason)s"),
    (
        AttemptEnded,
        "request",
        logging.DEBUG,
        "lookup %(lookup)d: a request took %(elapsed_s).3f s: status %(status)s, error %(kind)s",
    ),
    (
        RetryPlanned,
        "lookup",
        logging.INFO,
        "lookup %(lookup)d: %(kind)s; asks again in %(wait_s).3f s",
    ),
    (
        LookupEnded,
        "lookup",
        logging.DEBUG,
        "lookup %(lookup)d: found in %(elapsed_s).3f s with %(requests)d requests",
    ),
    (
        LookupCancelled,
        "lookup",
        logging.DEBUG,
        "lookup %(lookup)d: cancelled after %(elapsed_s).3f s",
    ),
    (ConnectionChanged, "connection", logging.DEBUG, "a connection: %(what)s"),
    (TokenReloaded, "client", logging.INFO, "the token's source gave another token"),
    (
        GateClosed,
        "server",
        logging.INFO,
        "the server asks for a pause: nobody sends for %(pause_s).3f s",
    ),
    (WidthChanged, "server", logging.INFO, "%(width)d requests may be on the way at once"),
    (BreakerChanged, "server", logging.INFO, "the breaker is %(state)s"),
    (RateStoreChanged, "server", logging.INFO, "the store of the shared rate is back"),
)
#: The same kinds, when they tell of trouble.
_TROUBLE: Final = _lines(
    (
        GateClosed,
        "server",
        logging.WARNING,
        "the server asks for a pause: nobody sends for %(pause_s).1f s",
    ),
    (
        LookupEnded,
        "lookup",
        logging.INFO,
        "lookup %(lookup)d: %(kind)s after %(elapsed_s).3f s and %(requests)d requests",
    ),
    (
        BreakerChanged,
        "server",
        logging.WARNING,
        "the breaker is %(state)s: the server does not answer; retry_after_s %(retry_after_s)s",
    ),
    (
        RateStoreChanged,
        "server",
        logging.WARNING,
        "the store of the shared rate is away: %(rate_per_s).1f requests/s are this process's",
    ),
)


def log_events(event: Event) -> None:
    """Log `event`; give this to a client as ``on_event``."""
    lines = _TROUBLE if _is_trouble(event) else _LINES
    lines[type(event)].write(event)


def _is_trouble(event: Event) -> bool:
    if isinstance(event, LookupEnded):
        return event.kind is not None
    if isinstance(event, BreakerChanged):
        return event.state == "open"
    if isinstance(event, GateClosed):
        return event.pause_s >= _LONG_S
    return isinstance(event, RateStoreChanged) and event.away
