"""The port: what the session needs of a transport, and nothing else.

Any object that fits `Transport` can stand in the client's ``transport`` setting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Protocol, TypeAlias

from attrs import define, field

from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.secret import HIDDEN

__all__ = ["RawReply", "SendFailed", "Tell", "Transport", "TransportNews"]

#: What happened to a connection: a new one stands; an idle one had something on it or was
#: closing when it was taken from the pool; or when the request's first byte was to be written.
TransportNews: TypeAlias = Literal["connected", "dropped_when_taken", "dropped_when_written"]
Tell: TypeAlias = Callable[[TransportNews], None]


@define  # not frozen: one is made for every request, and that takes three times as long
class RawReply:
    """A whole reply, which nobody changes.

    Attributes:
        status: the HTTP status.
        headers: compared without case; ask by lower-case names.
        body: decoded, of at most the configured size.
        reused: whether the connection had carried an exchange, or had lain idle, before.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=lambda _: HIDDEN)
    reused: bool = False


class SendFailed(Exception):
    """No usable reply; `error` says why, in the package's own words.

    Args:
        error: a `ConnectionFailed`, `TlsRefused`, `AttemptTimeout`, `UnexpectedReply` (a body
            that is too large or cannot be decoded) or `HttpStatusError` (a proxy's answer).
        reused: as in `RawReply`.
        began: whether a reply had begun, so that the connection was alive.
    """

    def __init__(
        self, error: AltcraftBalanceError, *, reused: bool = False, began: bool = False
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.reused = reused
        self.began = began


class Transport(Protocol):
    """Sends requests to one endpoint."""

    async def open(self, *, warm: int = 0) -> None:
        """Get ready on the running loop, with `warm` connections open from the start.

        When this fails or is cancelled, nothing stays open, and `aclose` is not called.

        Raises:
            SendFailed: a connection that was to be warm cannot be made.
        """

    async def send(
        self, body: bytes, headers: Mapping[str, str], *, limit_s: float, fresh: bool = False
    ) -> RawReply:
        """Post `body` and give back the whole reply.

        Args:
            body: the request's body; its type may hide its ``repr``.
            headers: all headers of this attempt but the transport's own.
            limit_s: seconds that this may take, connecting included.
            fresh: whether a new connection must be used.

        Raises:
            SendFailed: there is no reply.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection; what is under way fails."""
