"""A request as bytes: the head is built once for each mapping of headers, then only copied."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from yarl import URL

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.secret import HiddenBytes
from altcraft_balance.transport.port import SendFailed

__all__ = ["RequestWriter"]

_MOST_HEADS: Final = 16


class RequestWriter:
    """Makes the bytes of one endpoint's requests.

    Args:
        url: the endpoint.
        own: headers of the transport's own, which come after the caller's.
    """

    def __init__(self, url: URL, own: Mapping[str, str]) -> None:
        self._line = f"POST {url.raw_path} HTTP/1.1\r\nHost: {url.host_port_subcomponent}\r\n"
        self._own = own
        # By identity, and the mapping is held, so that no other one can get its number.
        self._heads: dict[int, tuple[Mapping[str, str], HiddenBytes]] = {}

    def write(self, body: bytes, headers: Mapping[str, str]) -> HiddenBytes:
        """The whole request.

        Raises:
            SendFailed: a header has control characters in it.
        """
        known = self._heads.get(id(headers))
        head = self._head(headers) if known is None else known[1]
        return HiddenBytes(b"%b%d\r\n\r\n%b" % (head, len(body), body))

    def _head(self, headers: Mapping[str, str]) -> HiddenBytes:
        """All up to the length, which alone differs between requests with the same headers."""
        lines = [f"{name}: {text}" for name, text in {**headers, **self._own}.items()]
        if not all(line.isprintable() for line in lines):
            del lines, headers  # frames show their locals
            raise SendFailed(ConfigurationError("a header has control characters in it"))
        lines.append("Content-Length: ")
        head = HiddenBytes((self._line + "\r\n".join(lines)).encode())
        if type(headers) is MappingProxyType:  # anything else may be changed by its owner
            if len(self._heads) >= _MOST_HEADS:
                self._heads.clear()
            self._heads[id(headers)] = headers, head
        return head
