"""A file that grows by bytes: what CSV and JSON lines share."""

from __future__ import annotations

import os
import stat
import sys
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.claim import Claim
from altcraft_balance.refresh.files.compression import packer_of
from altcraft_balance.refresh.port import Cells, Column, Opening, RowSink
from altcraft_balance.refresh.state import disk

__all__ = ["STDOUT", "ByteSink"]

STDOUT: Final = "-"
#: Between two of them the checkpoint alone is made durable, which costs half of both.
_CHUNK_ROWS: Final = 5_000


class ByteSink(RowSink):
    """Appends encoded rows to ``PATH.partial``, and renames it to ``PATH`` when all are there.

    Args:
        path: the file, compressed if its name ends in ``.gz`` or ``.zst``; ``-`` is standard
            output, which cannot be taken up again.
        overwrite: whether a file that is there already is replaced, at the end.
    """

    def __init__(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        self.path = None if path == STDOUT else Path(path)
        self._pack = None if self.path is None else packer_of(self.path)
        self.chunk_rows = 1 if self.path is None else _CHUNK_ROWS
        self._overwrite = overwrite
        self._claim: Claim | None = None
        self._descriptor = -1
        self._size = 0
        self._unwritten: list[bytes] = []

    @abstractmethod
    def begin(self, columns: tuple[Column, ...]) -> bytes:
        """What stands before all rows."""

    @abstractmethod
    def encode(self, rows: Sequence[Cells]) -> bytes:
        """`rows` as they stand in the file."""

    def open(self, opening: Opening) -> None:
        """Claim the file, and cut off what was not durable."""
        head = self.begin(opening.columns)
        if self.path is None:
            if sys.stdout is None:
                raise ConfigurationError("standard output is closed: name a file, or open it")
            self._descriptor = sys.stdout.fileno()
        else:
            self._open(self.path, opening)
        self._unwritten = [head] if opening.token is None else []

    def _open(self, path: Path, opening: Opening) -> None:
        if path.is_dir():
            raise ConfigurationError(f"{path} cannot be written: it is a folder")
        self._claim = Claim(path, opening, overwrite=self._overwrite)
        self._size = opening.token or 0
        if opening.token is not None and not opening.is_whole:
            self._check_size(self._claim.partial)
            self._grow(self._claim.partial)

    def _check_size(self, partial: Path) -> None:
        there = partial.stat().st_size if partial.exists() else 0
        if there < self._size:
            raise ConfigurationError(
                f"{partial} has {there:,} bytes where {self._size:,} were written: put it back as "
                "it was, or begin anew with fresh=True"
            )

    def _grow(self, partial: Path) -> None:
        """A new file is made by the first `sync`: a run that cannot begin leaves none behind."""
        with disk.writing(partial):
            self._descriptor = disk.append_to(partial, self._size)
            disk.sync_folder(partial.parent)

    def write(self, rows: Sequence[Cells]) -> None:
        """Keep `rows` until `sync`."""
        self._unwritten.append(self.encode(rows))

    def sync(self) -> int:
        """Write and make durable; the token is the file's size in bytes."""
        data = b"".join(self._unwritten)
        if self._pack is not None and data:
            data = self._pack(data)
        if self._descriptor < 0 and self._claim is not None:
            self._grow(self._claim.partial)
        with self._writing():
            disk.write_all(self._descriptor, data)
            if stat.S_ISREG(os.fstat(self._descriptor).st_mode):
                os.fsync(self._descriptor)
        self._unwritten = []
        self._size += len(data)
        return self._size

    def finish(self) -> None:
        """Rename what grew."""
        if self._claim is not None:
            self._claim.publish()

    def close(self) -> None:
        """Close the file and let the claim go."""
        self._end(Claim.let_go)

    def discard(self) -> None:
        """Remove what grew."""
        self._end(Claim.discard)

    def _end(self, end: Callable[[Claim], object]) -> None:
        claim, self._claim = self._claim, None
        if claim is None:
            return
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        end(claim)

    def _writing(self) -> AbstractContextManager[None]:
        if self._claim is not None:
            return disk.writing(self._claim.partial)
        return disk.writing(Path("standard output"), "it cannot be taken up again")
