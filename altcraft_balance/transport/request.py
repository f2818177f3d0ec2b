"""A request's head as bytes, built once for each mapping of headers and each length of a body."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from yarl import URL

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.secret import HiddenBytes
from altcraft_balance.transport.port import SendFailed

__all__ = ["RequestWriter"]

_MOST_HEADS: Final = 2  # a token that has been replaced is not kept for long
_MOST_LENGTHS: Final = 256


class RequestWriter:
    """Makes the heads of one endpoint's requests.

    Args:
        url: the endpoint.
        own: headers of the transport's own, which come after the caller's.
    """

    def __init__(self, url: URL, own: Mapping[str, str]) -> None:
        self._line = f"POST {url.raw_path} HTTP/1.1\r\nHost: {url.host_port_subcomponent}\r\n"
        self._own = own
        # By identity, and the mapping is held, so that no other one can get its number.
        self._heads: dict[int, tuple[Mapping[str, str], dict[int, HiddenBytes]]] = {}

    def head(self, headers: Mapping[str, str], length: int) -> HiddenBytes:
        """All that stands before a body of `length` bytes.

        The two are joined where they are written, so that no variable holds the whole request,
        which is of a type that shows itself.

        Raises:
            SendFailed: a header has control characters in it.
        """
        known = self._heads.get(id(headers))
        head = None if known is None else known[1].get(length)
        return self._built(headers, length) if head is None else head

    def _built(self, headers: Mapping[str, str], length: int) -> HiddenBytes:
        lines = [f"{name}: {text}" for name, text in {**headers, **self._own}.items()]
        if not all(line.isprintable() for line in lines):
            del lines, headers  # frames show their locals
            raise SendFailed(ConfigurationError("a header has control characters in it"))
        lines.append(f"Content-Length: {length}\r\n\r\n")
        head = HiddenBytes((self._line + "\r\n".join(lines)).encode())
        if type(headers) is MappingProxyType:  # anything else may be changed by its owner
            self._keep(headers, length, head)
        return head

    def _keep(self, headers: Mapping[str, str], length: int, head: HiddenBytes) -> None:
        if id(headers) not in self._heads and len(self._heads) >= _MOST_HEADS:
            del self._heads[next(iter(self._heads))]  # the oldest
        _, heads = self._heads.setdefault(id(headers), (headers, {}))
        if len(heads) >= _MOST_LENGTHS:
            heads.clear()
        heads[length] = head
