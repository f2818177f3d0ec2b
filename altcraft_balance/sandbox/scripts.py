"""Raw replies by hand, for one member or for everybody.

Replies that are meant for a number of times are used up first, in the order they were given; then
comes the one without a number, of which there is one at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from attrs import define, frozen

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.sandbox.matching import Member
from altcraft_balance.sandbox.members import Scope
from altcraft_balance.sandbox.programs import PointsCurrency
from altcraft_balance.sandbox.replies import http

__all__ = ["RawReply", "Scripts", "raw_reply"]


@frozen
class RawReply:
    """The bytes to send, and whether the connection ends after them."""

    data: bytes
    closes: bool


def raw_reply(status: int, body: bytes, headers: Mapping[str, str]) -> RawReply:
    """The reply as scripted; only a missing ``Content-Length`` is added.

    Raises:
        ConfigurationError: a status that ends no exchange, a body that is not bytes, or a header
            that would break the head in two.
    """
    if type(status) is not int or not 200 <= status <= 599:
        raise ConfigurationError(f"status must be an integer from 200 to 599, not {status!r}")
    if not isinstance(body, bytes):
        raise ConfigurationError(f"body must be bytes, not {type(body).__name__}")
    for pair in headers.items():
        if not all(isinstance(text, str) and text.isprintable() for text in pair):
            raise ConfigurationError(f"header {pair[0]!r} must be printable text on one line")
    names = {name.lower(): value for name, value in headers.items()}
    length = -1 if names.keys() & {"content-length", "transfer-encoding"} else None
    data = http(status, body, "", headers=headers.items(), length=length)
    # A length that is not the body's would make the next reply a part of this one.
    whole = names.get("content-length", str(len(body))) == str(len(body))
    return RawReply(data, not whole or names.get("connection", "").lower() == "close")


@define(eq=False)  # two that look the same are still two
class _Script:
    reply: RawReply
    scope: Scope
    times: int | None


class Scripts:
    """Who gets which raw reply."""

    def __init__(self) -> None:
        self._counted: dict[Member | None, deque[_Script]] = {}
        self._lasting: dict[Member | None, dict[Scope, _Script]] = {}

    @property
    def empty(self) -> bool:
        """Whether nothing was ever scripted."""
        return not self._counted and not self._lasting

    def add(self, member: Member | None, scope: Scope, reply: RawReply, times: int | None) -> None:
        """Script a reply; `member` None means everybody, `times` None means from now on.

        Raises:
            ConfigurationError: `times` is not an integer from 1.
        """
        if times is None:
            self._lasting.setdefault(member, {})[scope] = _Script(reply, scope, None)
            return
        if type(times) is not int or times < 1:
            raise ConfigurationError(f"times must be an integer from 1 or None, not {times!r}")
        self._counted.setdefault(member, deque()).append(_Script(reply, scope, times))

    def take(
        self, member: Member | None, program: int, currency: PointsCurrency | None
    ) -> RawReply | None:
        """The reply for this lookup, used up once; None when nothing is scripted."""
        for script in self._counted.get(member, ()):
            if script.scope.covers(program, currency) and script.times is not None:
                return self._used(member, script)
        for script in reversed(self._lasting.get(member, {}).values()):
            if script.scope.covers(program, currency):
                return script.reply
        return None

    def _used(self, member: Member | None, script: _Script) -> RawReply:
        script.times = (script.times or 1) - 1
        if not script.times:
            self._counted[member].remove(script)
        return script.reply
