"""One request's headers, what its reply means, and the event that tells of it.

Nothing is decided here: whether to ask again is the lookup's affair.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

from altcraft_balance.codec.reply import read_reply, read_usual
from altcraft_balance.codec.request import WireRequest
from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.models import Balance
from altcraft_balance.policy.retry_after import read_retry_after
from altcraft_balance.session.bad_replies import BadReplies
from altcraft_balance.settings import ClientSettings
from altcraft_balance.telemetry.events import AttemptEnded
from altcraft_balance.transport.port import RawReply

__all__ = ["attempt_ended", "understood", "with_id"]


def with_id(headers: Mapping[str, str]) -> Mapping[str, str]:
    """`headers` with an id of the request.

    It is a fresh one for each attempt: the platform replays its first reply to an id that it knows.
    """
    return {**headers, "Request-ID": uuid.uuid4().hex}


def understood(
    settings: ClientSettings, wire: WireRequest, raw: RawReply, keep: BadReplies | None = None
) -> Balance | AltcraftBalanceError:
    """The balance in the reply to `wire`, or the error that it is; `keep` looks at the latter."""
    now = datetime.now(UTC)
    if (balance := read_usual(wire, raw.status, raw.headers, raw.body, now)) is not None:
        return balance
    wish = raw.headers.get("retry-after")
    retry_after_s = None
    if wish is not None:
        retry_after_s = read_retry_after(wish, date=raw.headers.get("date"), now=now)
    try:
        return read_reply(
            wire, raw.status, raw.headers, raw.body, now, retry_after_s, settings.not_a_member
        )
    except AltcraftBalanceError as error:
        if keep is not None:
            keep.look(wire, raw, error)
        return error.with_traceback(None)


def attempt_ended(
    lookup: int,
    result: Balance | AltcraftBalanceError,
    took_s: float,
    status: int | None,
    *,
    fresh: bool,
    test: bool,
) -> AttemptEnded:
    """The event of one request's end.

    Args:
        lookup: the lookup's number.
        result: what came of it.
        took_s: seconds from when it was sent.
        status: the HTTP status; None: there was no reply.
        fresh: whether it was the free repeat on a new connection.
        test: whether it tested the server.
    """
    return AttemptEnded(
        lookup=lookup,
        elapsed_s=took_s,
        status=status,
        kind=None if isinstance(result, Balance) else result.kind,
        free_repeat=fresh,
        test=test,
    )
