"""A reply's headers, kept as they came until somebody asks for one.

A server names the same headers in every reply, so what they are in lower case is worked out once
for each set of names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["ReplyHeaders"]

_MOST_SETS: Final = 256
_known: dict[tuple[bytes, ...], dict[str, bytes]] = {}


class ReplyHeaders(Mapping[str, str]):
    """Headers, asked for by lower-case names; of one that stands twice, the first.

    Args:
        raw: names as they came, and values.

    Attributes:
        names: each name in lower case, and as it came.
    """

    __slots__ = ("_raw", "names")

    def __init__(self, raw: dict[bytes, bytes]) -> None:
        self._raw = raw
        key = tuple(raw)
        names = _known.get(key)
        self.names = _learned(key) if names is None else names

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a header, or `default`."""
        raw_name = self.names.get(name)
        return default if raw_name is None else _text(self._raw[raw_name])

    def __getitem__(self, name: str) -> str:
        return _text(self._raw[self.names[name]])

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"<{len(self)} headers>"  # whose values may name a member


def _learned(key: tuple[bytes, ...]) -> dict[str, bytes]:
    names: dict[str, bytes] = {}
    for raw_name in key:
        names.setdefault(_text(raw_name).lower(), raw_name)
    if len(_known) >= _MOST_SETS:  # a server may make names up: forget, don't grow
        _known.clear()
    _known[key] = names
    return names


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
