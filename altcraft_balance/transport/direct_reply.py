"""Bytes to replies: llhttp reads them, and caps hold whatever the other end does.

Pure: there is no connection here, so any bytes can be tried. One reader serves one connection,
reply after reply.

Caps: a head, with the interim replies before it, is at most 16 KiB and 128 names of headers (of a
name that stands again, the bytes count); a body is at most what the settings say, before and after
decoding; and all that chunks add to it at most what `caps` says.
"""

from __future__ import annotations

from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from altcraft_balance.errors import AltcraftBalanceError, ConnectionFailed, UnexpectedReply
from altcraft_balance.transport.caps import HEAD_BYTES, most_framing
from altcraft_balance.transport.direct_headers import ReplyHeaders
from altcraft_balance.transport.direct_heads import END, HeadsRead
from altcraft_balance.transport.inflate import CannotDecode, TooLarge, decode_body
from altcraft_balance.transport.measure import Measure
from altcraft_balance.transport.port import RawReply, SendFailed

__all__ = ["ReplyReader"]

_MOST_HEADERS: Final = 128


class ReplyReader:
    """Reads the replies of one connection.

    The methods named ``on_...`` are llhttp's callbacks; the two that are plain methods of a dict
    and a list cost no call of Python's.

    Args:
        host: who answers, for the sentences.
        max_body_bytes: the largest body, as it comes and decoded.
        heads: heads that have been read before, under the same `max_body_bytes`.

    Attributes:
        reused: the connection has carried an exchange, or has lain idle, before.
        began: the head of the reply has come.
        headers: those of the last head that has come.
        kept: the connection is of further use once the reply is whole.
    """

    __slots__ = (
        "_another",
        "_body",
        "_heads",
        "_host",
        "_known",
        "_measure",
        "_most",
        "_odd",
        "_ours",
        "_parser",
        "_parts",
        "_raw",
        "_seen",
        "_status",
        "_whole",
        "began",
        "headers",
        "kept",
        "on_body",
        "on_header",
        "reused",
    )

    def __init__(self, host: str, max_body_bytes: int, heads: HeadsRead | None = None) -> None:
        self._host, self._most = host, max_body_bytes
        self._heads = heads or HeadsRead()
        self._known = self._heads.known
        self.reused = False
        self._raw: dict[bytes, bytes] = {}
        self._parts: list[bytes] = []
        self._body = bytearray()
        self.on_header = self._raw.setdefault  # of a header that stands twice, the first
        self.on_body = self._parts.append
        self.headers: ReplyHeaders = _NONE
        self._status = self._seen = self._ours = 0
        self.began = self.kept = self._whole = self._another = self._odd = False
        self._measure = Measure()
        self._parser = HttpResponseParser(self)

    def feed(self, data: bytes) -> RawReply | SendFailed | None:
        """What has come of the reply with these bytes: all of it, a failure, or not enough yet."""
        if self._known and not self._odd:
            end = data.find(END) + len(END)
            known = self._known.get(data[:end])
            if known is not None and known[2] == len(data):
                # The parser stands before a reply, and is not moved by one it does not see.
                self._heads.met = self.kept = True
                self.headers = known[1]
                return RawReply(known[0], known[1], data[end:], self.reused)
        return self._parsed(data)

    def _parsed(self, data: bytes) -> RawReply | SendFailed | None:
        if self._odd and not self.began and len(data) > HEAD_BYTES - self._seen:
            return self._capped(data)
        self._measure.add(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            pass  # a 101: whole, and the end of HTTP here
        except HttpParserError:
            if not self._whole or self.kept:  # else it came after an announced end
                return self._broken()
        if not self._whole:
            return self._part(len(data))
        body_bytes = len(self._body) + sum(map(len, self._parts))
        if not self._measure.is_exact(body_bytes):
            self.kept = False
        parts, headers = self._parts, self.headers
        if self._odd or len(parts) != 1 or len(parts[0]) > self._most:
            return self._reply()
        if self._status >= 500 or "content-encoding" in headers.names:
            return self._reply()
        # What nearly every reply is like goes the short way.
        self._whole = self.began = False
        self._measure.begin()
        body = parts.pop()
        if self.kept:
            self._heads.add(data, body, self._status, headers)
        return RawReply(self._status, headers, body, self.reused)

    def _capped(self, data: bytes) -> RawReply | SendFailed | None:
        """The same, of a head in pieces: no more of it than its cap lets in."""
        room = HEAD_BYTES - self._seen
        outcome = self._parsed(data[:room])
        if outcome is None:  # there is a head, or that would have been a failure
            return self._parsed(data[room:])
        self.kept = False  # what lies behind a whole reply is nobody's
        return outcome

    def feed_end(self) -> RawReply | SendFailed | None:
        """The reply, if the end of the connection is the end of its body (RFC 9112, 6.3)."""
        names = self.headers.names
        if not self.began or "content-length" in names or "transfer-encoding" in names:
            return None
        self.kept = False
        return self._reply()

    def close(self) -> None:
        """Let go of the parser, which holds on to this object."""
        self._parser = _NO_PARSER

    # ── llhttp's callbacks ───────────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        """A reply begins, an interim one included; behind a whole one it is nobody's."""
        if self._whole and not self._another:
            self._another = self._odd = True
            self._ours = len(self._parts)

    def on_headers_complete(self) -> None:
        """A head is there; what comes as headers after it are trailers, which nobody reads."""
        raw = self._raw
        if len(raw) > _MOST_HEADERS:
            raise ValueError("too many headers")
        if self._whole:
            return
        self._status = status = self._parser.get_status_code()
        self.headers = ReplyHeaders(raw.copy())
        raw.clear()
        if status >= 200:
            self.began, self.kept = True, self._parser.should_keep_alive()
        elif status == 101:
            self.began, self.kept = True, False

    def on_message_complete(self) -> None:
        """A reply is there; an interim one is passed over (RFC 9110, 15.2)."""
        self._whole = self.began
        if self._raw:  # trailers, which must not get among the next reply's headers
            self._raw.clear()

    # ── what comes of it ─────────────────────────────────────────────────────────────────────

    def _reply(self) -> RawReply | SendFailed:
        """A whole reply of whatever kind."""
        headers, parts, status = self.headers, self._parts, self._status
        if self._another:
            self.kept, parts = False, parts[: self._ours]
        elif status >= 500 and "retry-after" not in headers:
            # Whoever sent it may be the one broken server behind a balancer; it answers
            # fastest, so its connection would be the one that is free, again and again.
            self.kept = False
        try:
            raw = b"".join([self._body, *parts])
            body = decode_body(raw, headers.get("content-encoding", ""), self._most)
        except (TooLarge, CannotDecode) as trouble:
            return self._unusable(trouble)
        self._reset()
        return RawReply(status, headers, body, self.reused)

    def _part(self, size: int) -> RawReply | SendFailed | None:
        """Hold what has come against the caps; None: go on."""
        self._odd = True
        self._seen += size
        self._body += b"".join(self._parts)
        self._parts.clear()
        if not self.began:
            return self._broken() if self._seen >= HEAD_BYTES else None
        length = self.headers.get("content-length", "0")
        if len(self._body) > self._most or int(length) > self._most:
            self.kept = False
            return self._unusable(TooLarge())
        besides = self._measure.besides(len(self._body))
        if besides > most_framing(self._most) or len(self._raw) > _MOST_HEADERS:
            return self._broken()
        return None

    def _unusable(self, trouble: TooLarge | CannotDecode) -> RawReply | SendFailed:
        status, headers = self._status, self.headers
        self._reset()
        if not 200 <= status < 300:
            # The status says enough without the page; it must not be lost with it.
            return RawReply(status, headers, b"", self.reused)
        error: AltcraftBalanceError
        if isinstance(trouble, CannotDecode):
            error = ConnectionFailed(f"the reply is damaged: {trouble}", maybe_sent=True)
        else:
            error = UnexpectedReply(
                f"the reply is larger than max_body_bytes ({self._most})", status=status
            )
        return SendFailed(error, reused=self.reused, began=True)

    def _broken(self) -> SendFailed:
        self.kept = False
        error = ConnectionFailed(f"{self._host} sent a reply that breaks HTTP", maybe_sent=True)
        return SendFailed(error, reused=self.reused, began=self.began)

    def _reset(self) -> None:
        """Be ready for the next reply; `kept` stays, for whoever asks after this one."""
        self._seen = self._ours = 0
        self.began = self._whole = self._another = self._odd = False
        self._raw.clear()
        self._parts.clear()
        self._body.clear()
        self._measure.begin()


_NONE: Final = ReplyHeaders({})
_NO_PARSER: Final = HttpResponseParser(object())
