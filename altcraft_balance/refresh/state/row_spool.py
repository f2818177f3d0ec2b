"""The rows of a source that is read once: in pieces, packed, until the run has finished.

A database is asked for its rows and let go: so no session of it is idle through the night, the
order is fixed, and the number of rows is known.
"""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import orjson

from altcraft_balance.refresh.port import Cells
from altcraft_balance.refresh.state import disk

__all__ = ["PIECE_ROWS", "FileSpool", "RowSpool", "packed", "unpacked"]

#: Rows of a piece; the last one may have fewer.
PIECE_ROWS: Final = 5_000
_SIZE: Final = struct.Struct(">I")
_SPARE_BYTES: Final = 64 << 20


class RowSpool(Protocol):
    """Rows in pieces of `PIECE_ROWS`; its methods may be async.

    What was not ended by `finish` is not there for the next process.

    Attributes:
        waits_for_source: rows can be added only when the source is closed.
    """

    waits_for_source: bool

    def facts(self) -> dict[str, Any] | None:
        """What `finish` was given; None: nothing whole is there."""
        ...

    def forget(self) -> None:
        """Forget what is there."""
        ...

    def begin(self) -> None:
        """Forget what is there, and take rows."""
        ...

    def add(self, piece: bytes) -> None:
        """Take a piece, as `packed` gives it."""
        ...

    def finish(self, facts: dict[str, Any]) -> None:
        """All rows are there: make them durable."""
        ...

    def piece(self, number: int) -> bytes | None:
        """A piece that was added, from 0; None after the last."""
        ...

    def free_bytes(self) -> int | None:
        """How much more may be added; None: not known."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


def packed(rows: Sequence[Cells]) -> bytes:
    """Rows as a piece."""
    return zlib.compress(orjson.dumps(rows), 1)


def unpacked(piece: bytes) -> list[Cells]:
    """The rows of a piece."""
    return orjson.loads(zlib.decompress(piece))  # type: ignore[no-any-return]


class FileSpool:
    """Rows in the file `path`: pieces with their sizes, the facts, and the pieces' places."""

    waits_for_source = False

    def __init__(self, path: Path) -> None:
        self._path, self._partial = path, path.with_name(f"{path.name}.new")
        self._descriptor = -1
        self._places: list[int] = []
        self._facts: dict[str, Any] | None = None

    def facts(self) -> dict[str, Any] | None:
        """Those of the whole file."""
        if self._facts is None and self._path.exists():
            with disk.readable(str(self._path)):
                self._descriptor = os.open(self._path, os.O_RDONLY)
                end = os.fstat(self._descriptor).st_size - _SIZE.size
                size = self._size_at(end)
                index = orjson.loads(os.pread(self._descriptor, size, end - size))
            self._facts, self._places = index["facts"], index["places"]
        return self._facts

    def forget(self) -> None:
        """Remove the file."""
        self.close()
        with disk.writing(self._path):
            disk.remove(self._path)

    def begin(self) -> None:
        """A new file, which gets its name when it is whole."""
        self.close()
        with disk.writing(self._path):
            self._descriptor = disk.append_to(self._partial, 0)
        self._places = [0]

    def add(self, piece: bytes) -> None:
        """Append it."""
        with disk.writing(self._path):
            disk.write_all(self._descriptor, _SIZE.pack(len(piece)) + piece)
        self._places.append(self._places[-1] + _SIZE.size + len(piece))

    def finish(self, facts: dict[str, Any]) -> None:
        """Give it its name."""
        index = orjson.dumps({"facts": facts, "places": self._places})
        with disk.writing(self._path):
            disk.write_all(self._descriptor, index + _SIZE.pack(len(index)))
            os.fsync(self._descriptor)
            disk.publish(self._partial, self._path)
        self.close()

    def piece(self, number: int) -> bytes | None:
        """Read it."""
        if self.facts() is None or number + 1 >= len(self._places):
            return None
        place = self._places[number]
        with disk.readable(str(self._path)):
            return os.pread(self._descriptor, self._size_at(place), place + _SIZE.size)

    def free_bytes(self) -> int | None:
        """What the disk has, but for a little."""
        return max(shutil.disk_usage(self._path.parent).free - _SPARE_BYTES, 0)

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor, self._facts = self._descriptor, -1, None
        if descriptor >= 0:
            os.close(descriptor)

    def _size_at(self, place: int) -> int:
        size: int = _SIZE.unpack(os.pread(self._descriptor, _SIZE.size, place))[0]
        return size
