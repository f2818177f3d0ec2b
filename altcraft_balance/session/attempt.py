"""One request over the transport, and what its reply means.

Nothing is decided here: whether to ask again is the lookup's affair.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from altcraft_balance.codec.reply import read_reply
from altcraft_balance.codec.request import WireRequest
from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.models import Balance
from altcraft_balance.policy.retry_after import read_retry_after
from altcraft_balance.telemetry.events import AttemptEnded
from altcraft_balance.transport.port import RawReply, SendFailed

if TYPE_CHECKING:
    from altcraft_balance.session.session import Session

__all__ = ["attempt"]


async def attempt(
    session: Session,
    wire: WireRequest,
    lookup: int,
    began: float,
    limit_s: float,
    *,
    fresh: bool,
    test: bool,
) -> tuple[Balance | AltcraftBalanceError, bool]:
    """What came of sending `wire` once, and whether its connection may have died while idle.

    Args:
        session: whose transport, settings and counters are used.
        wire: what is sent.
        lookup: the lookup's number, for the event.
        began: the moment, on the loop's clock.
        limit_s: seconds that it may take.
        fresh: whether it must have a new connection.
        test: whether it tests the server, for the event.
    """
    session.counts.sent(began)
    status: int | None = None
    result: Balance | AltcraftBalanceError
    try:
        raw = await session.transport.send(
            wire.body,
            _with_id(wire.headers) if session.settings.request_ids else wire.headers,
            limit_s=limit_s,
            fresh=fresh,
        )
        status, reused = raw.status, raw.reused
        result = _read(session, wire, raw)
    except SendFailed as failed:
        result, reused = failed.error, failed.reused and not failed.began
    if session.emit is not None:
        session.emit(
            AttemptEnded(
                lookup=lookup,
                elapsed_s=session.clock() - began,
                status=status,
                kind=None if isinstance(result, Balance) else result.kind,
                free_repeat=fresh,
                test=test,
            )
        )
    return result, reused


def _with_id(headers: Mapping[str, str]) -> Mapping[str, str]:
    # Fresh for each attempt: the platform replays its first reply to an id that it knows.
    return {**headers, "Request-ID": uuid.uuid4().hex}


def _read(session: Session, wire: WireRequest, raw: RawReply) -> Balance | AltcraftBalanceError:
    now = datetime.now(UTC)
    wish = raw.headers.get("retry-after")
    retry_after_s = None
    if wish is not None:
        retry_after_s = read_retry_after(wish, date=raw.headers.get("date"), now=now)
    try:
        return read_reply(
            wire,
            raw.status,
            raw.headers,
            raw.body,
            looked_up_at=now,
            retry_after_s=retry_after_s,
            not_a_member=session.settings.not_a_member,
        )
    except AltcraftBalanceError as error:
        return error.with_traceback(None)
