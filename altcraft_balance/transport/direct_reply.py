"""Bytes to replies: llhttp reads them, and caps hold whatever the other end does.

Pure: there is no connection here, so any bytes can be tried. One reader serves one connection,
reply after reply.

Caps: a head, with the interim replies before it, is at most 16 KiB and 128 headers; a body at most
what the settings say, before and after decoding; and all that chunks add to it at most eight times
that, which is more than chunks of a single byte take.
"""

from __future__ import annotations

from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from altcraft_balance.errors import AltcraftBalanceError, ConnectionFailed, UnexpectedReply
from altcraft_balance.transport.direct_headers import ReplyHeaders
from altcraft_balance.transport.inflate import CannotDecode, TooLarge, decode_body
from altcraft_balance.transport.port import RawReply, SendFailed

__all__ = ["HEAD_BYTES", "ReplyReader"]

HEAD_BYTES: Final = 16_384
_MOST_HEADERS: Final = 128


class ReplyReader:
    """Reads the replies of one connection.

    The methods named ``on_...`` are llhttp's callbacks; the two that are plain methods of a dict
    and a list cost no call of Python's.

    Args:
        host: who answers, for the sentences.
        max_body_bytes: the largest body, as it comes and decoded.

    Attributes:
        reused: the connection has carried an exchange, or has lain idle, before.
        began: the head of the reply has come.
        kept: the connection is of further use once the reply is whole.
    """

    __slots__ = (
        "_another",
        "_body",
        "_headers",
        "_host",
        "_most",
        "_ours",
        "_parser",
        "_parts",
        "_raw",
        "_seen",
        "_status",
        "_whole",
        "began",
        "kept",
        "on_body",
        "on_header",
        "reused",
    )

    def __init__(self, host: str, max_body_bytes: int) -> None:
        self._host, self._most = host, max_body_bytes
        self.reused = False
        self._raw: dict[bytes, bytes] = {}
        self._parts: list[bytes] = []
        self._body = bytearray()
        self.on_header = self._raw.setdefault  # of a header that stands twice, the first
        self.on_body = self._parts.append
        self._headers: ReplyHeaders = _NONE
        self._status = self._seen = self._ours = 0
        self.began = self.kept = self._whole = self._another = False
        self._parser: HttpResponseParser | None = HttpResponseParser(self)

    def feed(self, data: bytes | memoryview) -> RawReply | SendFailed | None:
        """What has come of the reply with these bytes: all of it, a failure, or not enough yet."""
        assert self._parser is not None  # noqa: S101 - for the type checkers
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            pass  # a 101: whole, and the end of HTTP here
        except HttpParserError:
            if not (self._whole and not self.kept):  # else it came after an announced end
                return self._broken()
        return self._reply() if self._whole else self._part(len(data))

    def feed_end(self) -> RawReply | SendFailed | None:
        """The reply, if the end of the connection is the end of its body (RFC 9112, 6.3)."""
        if not self.began or not {"content-length", "transfer-encoding"}.isdisjoint(self._headers):
            return None
        self.kept = False
        return self._reply()

    def close(self) -> None:
        """Let go of the parser, which holds on to this object."""
        self._parser = None

    # ── llhttp's callbacks ───────────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        """A reply begins, an interim one included; behind a whole one it is nobody's."""
        if self._whole and not self._another:
            self._another = True
            self._ours = len(self._parts)

    def on_headers_complete(self) -> None:
        """A head is there; what comes as headers after it are trailers, which nobody reads."""
        parser, raw = self._parser, self._raw
        assert parser is not None  # noqa: S101 - for the type checkers
        if len(raw) > _MOST_HEADERS:
            raise ValueError("too many headers")
        if self._whole:
            return
        self._status = status = parser.get_status_code()
        self._headers = ReplyHeaders(raw.copy())
        raw.clear()
        self.began = status >= 200 or status == 101
        self.kept = parser.should_keep_alive() and status != 101

    def on_message_complete(self) -> None:
        """A reply is there; an interim one is passed over (RFC 9110, 15.2)."""
        if self.began:
            self._whole = True

    # ── what comes of it ─────────────────────────────────────────────────────────────────────

    def _reply(self) -> RawReply | SendFailed:
        headers, parts, status = self._headers, self._parts, self._status
        if self._another:
            self.kept, parts = False, parts[: self._ours]
        elif status >= 500 and "retry-after" not in headers:
            # Whoever sent a 5xx may be the one broken server behind a balancer; it answers
            # fastest, so its connection would be the one that is free, again and again.
            self.kept = False
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        if self._body:
            body = bytes(self._body) + body
        if len(body) > self._most or "content-encoding" in headers:
            return self._decoded(body)
        reply = RawReply(status, headers, body, self.reused)
        self._reset()
        return reply

    def _decoded(self, body: bytes) -> RawReply | SendFailed:
        try:
            body = decode_body(body, self._headers.get("content-encoding", ""), self._most)
        except (TooLarge, CannotDecode) as trouble:
            return self._unusable(trouble)
        reply = RawReply(self._status, self._headers, body, self.reused)
        self._reset()
        return reply

    def _part(self, size: int) -> RawReply | SendFailed | None:
        """Hold what has come against the caps; None: go on."""
        self._seen += size
        self._body += b"".join(self._parts)
        self._parts.clear()
        if not self.began:
            return self._broken() if self._seen >= HEAD_BYTES else None
        length = self._headers.get("content-length", "0")
        if len(self._body) > self._most or int(length) > self._most:
            self.kept = False
            return self._unusable(TooLarge())
        if self._seen > HEAD_BYTES + 8 * self._most or len(self._raw) > _MOST_HEADERS:
            return self._broken()
        return None

    def _unusable(self, trouble: TooLarge | CannotDecode) -> RawReply | SendFailed:
        status, headers = self._status, self._headers
        if not 200 <= status < 300:
            # The status says enough without the page; it must not be lost with it.
            self._reset()
            return RawReply(status, headers, b"", self.reused)
        error: AltcraftBalanceError
        if isinstance(trouble, CannotDecode):
            error = ConnectionFailed(f"the reply is damaged: {trouble}", maybe_sent=True)
        else:
            error = UnexpectedReply(
                f"the reply is larger than max_body_bytes ({self._most})", status=status
            )
        self._reset()
        return SendFailed(error, reused=self.reused, began=True)

    def _broken(self) -> SendFailed:
        self.kept = False
        error = ConnectionFailed(f"{self._host} sent a reply that breaks HTTP", maybe_sent=True)
        return SendFailed(error, reused=self.reused, began=self.began)

    def _reset(self) -> None:
        """Be ready for the next reply; `kept` stays, for whoever asks after this one."""
        self._status = self._seen = self._ours = 0
        self.began = self._whole = self._another = False
        self._headers = _NONE
        self._raw.clear()
        self._parts.clear()
        if self._body:
            self._body.clear()


_NONE: Final = ReplyHeaders({})
