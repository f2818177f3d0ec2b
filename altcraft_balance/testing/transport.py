"""A transport in memory: a test writes the replies, and reads what was asked.

    transport = ScriptedTransport(answers("120.50"), refuses(403), fails())
    client = BalanceClient(URL, token="t", loyalty_program_id=1, transport=transport)

Everything above the transport is the real thing: the codec reads the replies' bytes, and the
session decides what is asked again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import orjson
import xmltodict
from attrs import frozen

from altcraft_balance.errors import AltcraftBalanceError, AttemptTimeout, ConnectionFailed
from altcraft_balance.secret import HIDDEN
from altcraft_balance.transport.port import RawReply, SendFailed

__all__ = ["ScriptedTransport", "Sent", "answers", "fails", "refuses"]

Amount: TypeAlias = Decimal | int | str
_HIDDEN_FIELDS: Final = ("token",)


@frozen
class Reply:
    """What comes of one request, after `after_s` seconds on the loop's clock."""

    raw: RawReply | None
    error: AltcraftBalanceError | None
    after_s: float


@frozen
class Sent:
    """One request that was sent: its fields, with ``***`` for the token, and its headers."""

    fields: Mapping[str, Any]
    headers: Mapping[str, str]


def answers(total: Amount, active: Amount | None = None, *, after_s: float = 0.0) -> Reply:
    """A balance; `active` is by default the total."""
    data = {"total_balance": str(total), "active_balance": str(total if active is None else active)}
    return _enveloped(0, "Successful operation", data, 200, {}, after_s)


def refuses(
    code: int,
    text: str = "",
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    after_s: float = 0.0,
) -> Reply:
    """An application error in the envelope, such as 403."""
    return _enveloped(code, text, None, status, headers or {}, after_s)


def fails(
    error: AltcraftBalanceError | int | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    after_s: float = 0.0,
) -> Reply:
    """No envelope: a bare HTTP status such as 503, or an error of the network.

    By default the connection fails before anything is sent.
    """
    if isinstance(error, int):
        return Reply(RawReply(error, _lower(headers or {}), b""), None, after_s)
    return Reply(None, error or ConnectionFailed("the test's network is down"), after_s)


def _enveloped(
    code: int,
    text: str,
    data: Mapping[str, str] | None,
    status: int,
    headers: Mapping[str, str],
    after_s: float,
) -> Reply:
    envelope = {"error": code, "error_text": text, **({} if data is None else {"data": data})}
    return Reply(RawReply(status, _lower(headers), orjson.dumps(envelope)), None, after_s)


def _lower(headers: Mapping[str, str]) -> Mapping[str, str]:
    """As the port wants them: asked for by lower-case names."""
    return MappingProxyType({name.lower(): value for name, value in headers.items()})


class ScriptedTransport:
    """Give it to a client as ``transport``.

    Args:
        replies: what comes of each request, in their order.
        otherwise: what comes of those for which there is none; by default an `AssertionError`.

    Attributes:
        sent: the requests so far.
    """

    def __init__(self, *replies: Reply, otherwise: Reply | None = None) -> None:
        self._replies, self._otherwise = deque(replies), otherwise
        self.sent: list[Sent] = []

    def add(self, *replies: Reply) -> None:
        """Further replies, after those that are left."""
        self._replies.extend(replies)

    @property
    def left(self) -> int:
        """How many replies nobody has asked for."""
        return len(self._replies)

    async def open(self, *, warm: int = 0) -> None:
        """Nothing to do: there are no connections."""

    async def send(
        self, body: bytes, headers: Mapping[str, str], *, limit_s: float, fresh: bool = False
    ) -> RawReply:
        """Note the request, and give the next reply; see `transport.port`."""
        self.sent.append(_sent(body, headers))
        if not self._replies and self._otherwise is None:
            raise AssertionError(f"the test has no reply for request {len(self.sent)}")
        reply = self._replies.popleft() if self._replies else self._otherwise
        assert reply is not None  # noqa: S101 - seen to above
        if reply.after_s:
            await asyncio.sleep(min(reply.after_s, limit_s))
        if reply.after_s > limit_s:
            raise SendFailed(AttemptTimeout(f"no reply within {limit_s:.3g} s", maybe_sent=True))
        if reply.raw is None:
            assert reply.error is not None  # noqa: S101 - one of the two is there
            raise SendFailed(reply.error)
        return reply.raw

    async def aclose(self) -> None:
        """Nothing to do, as in `open`."""


def _sent(body: bytes, headers: Mapping[str, str]) -> Sent:
    plain = bytes(body)  # of a type of its own, which orjson refuses
    fields = orjson.loads(plain) if plain[:1] == b"{" else xmltodict.parse(plain)["xml"]
    hidden = {name: HIDDEN for name in _HIDDEN_FIELDS if name in fields}
    shown = {
        name: HIDDEN if name.lower() == "authorization" else value
        for name, value in headers.items()
    }
    return Sent(MappingProxyType({**fields, **hidden}), MappingProxyType(shown))
