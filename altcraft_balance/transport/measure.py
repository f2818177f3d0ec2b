"""How long a reply is on the wire: whether what has come ends with it.

Between two replies parsers pass over lines that are blank, so that one which comes in a piece with
a reply is seen by nobody, and whatever it leads in would be the next request's answer. So a reply
is measured: its head, with the interim ones before it, and its body. What is more must be the
framing of chunks, which ends with one blank line and not with two (RFC 9112, section 7.1).
"""

from __future__ import annotations

from typing import Final

__all__ = ["Measure"]

_BLANK: Final = b"\r\n\r\n"
_LEAST_CHUNKED: Final = 5  # "0", and two ends of lines
_TAIL_BYTES: Final = 5
_STATUS_AT: Final = len(b"HTTP/1.1 ")
_INTERIM: Final = ord("1")


class Measure:
    """Measures the replies of one connection, piece by piece.

    Attributes:
        came: how many bytes of the reply have come.
    """

    __slots__ = ("_began", "_digit", "_head", "_tail", "came")

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """What comes from now on is of another reply."""
        self.came = 0
        self._began = self._head = 0  # where the last head that has begun does, and where it ends
        self._digit = 0  # its status begins with this
        self._tail = b""

    def add(self, data: bytes) -> None:
        """These bytes have come."""
        seen = self._tail + data if self._tail else data
        if not self._head:
            self._look_for_head(seen, self.came - len(self._tail))
        self.came += len(data)
        self._tail = seen[-_TAIL_BYTES:]

    def _look_for_head(self, seen: bytes, at: int) -> None:
        """Look through `seen`, which stands at `at` on the wire."""
        while True:
            status_at = self._began + _STATUS_AT - at
            if 0 <= status_at < len(seen):
                self._digit = seen[status_at]
            end = seen.find(_BLANK, max(0, self._began - at))
            if end < 0:
                return
            ended = at + end + len(_BLANK)
            if self._digit != _INTERIM:
                self._head = ended
                return
            self._began = ended

    def besides(self, body_bytes: int) -> int:
        """How many of the bytes behind the head are not the body's; -1 while there is no head."""
        return self.came - self._head - body_bytes if self._head else -1

    def is_exact(self, body_bytes: int) -> bool:
        """Whether nothing has come behind a reply that is whole, and has such a body."""
        more = self.besides(body_bytes)
        if more == 0 or not self.came:
            return True
        tail = self._tail
        return more >= _LEAST_CHUNKED and tail.endswith(_BLANK) and tail[:1] not in b"\r\n"
