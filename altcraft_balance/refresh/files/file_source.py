"""What sources of one file share: it is read once to know it, and again for its rows."""

from __future__ import annotations

import hashlib
import io
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, cast

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.compression import is_damage, unpacked
from altcraft_balance.refresh.port import BadRow, Cells, ColumnType, SourceInfo
from altcraft_balance.refresh.state import disk

__all__ = ["FileSource", "Interrupted"]

_BUFFER: Final = 1 << 18


class Interrupted(Exception):
    """`FileSource.interrupt` was called."""


class _WatchedFile(io.RawIOBase):
    """A file whose content is hashed while it is read, and which `check` may forbid to read on."""

    def __init__(self, file: IO[bytes], check: Callable[[], object]) -> None:
        self._file, self._check = file, check
        self.hash = hashlib.blake2b(digest_size=16)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into `buffer`, and hash that."""
        self._check()
        size = cast(Any, self._file).readinto(buffer)
        self.hash.update(memoryview(buffer)[:size])
        return int(size)


class FileSource(ABC):
    """Rows of one file, which may be compressed.

    The file is read as a whole before anything is asked: so its rows are counted, what is wrong
    with it is known at once, and a run that goes on knows that it is the same.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._is_interrupted = False
        self.name = self.path.name
        self._columns: tuple[str, ...] = ()
        self._stamp: tuple[int, ...] | None = None

    @abstractmethod
    def survey(self, file: IO[bytes]) -> tuple[tuple[str, ...], int]:
        """Its columns and how many rows it has."""

    @abstractmethod
    def read(self, file: IO[bytes], columns: tuple[str, ...]) -> Iterator[Cells | BadRow]:
        """Its rows."""

    def manner(self) -> str:
        """What else than its content decides which rows it has."""
        return ""

    def types(self) -> dict[str, ColumnType]:
        """Of the columns that hold something else than text; known after `survey`."""
        return {}

    def interrupt(self) -> None:
        """Whatever reads the file shall end soon."""
        self._is_interrupted = True

    def describe(self) -> SourceInfo:
        """Read all of it once."""
        self._is_interrupted = False
        with self._open() as file:
            self._stamp = _stamp(file)
            hashing = _WatchedFile(file, self._check)
            content = unpacked(io.BufferedReader(hashing, _BUFFER), self.path)
            with _whole(self.name):
                self._columns, total = self.survey(content)
            while hashing.read(_BUFFER):
                pass  # what an unpacker left unread belongs to the file, too
            hashing.hash.update(self.manner().encode())
        return SourceInfo(
            name=self.name,
            columns=self._columns,
            fingerprint=hashing.hash.hexdigest(),
            total=total,
            types=self.types(),
        )

    def rows(self, skip: int) -> Iterator[Cells | BadRow]:
        """Its rows without the first `skip`."""
        with self._open() as file:
            if self._stamp not in (None, _stamp(file)):
                raise ConfigurationError(f"{self.name} was replaced after it was read first")
            watched = io.BufferedReader(_WatchedFile(file, self._check), _BUFFER)
            content = unpacked(watched, self.path)
            with _whole(self.name):
                yield from islice(self.read(content, self._columns), skip, None)
            after = _stamp(file)
        if self._stamp not in (None, after):
            raise ConfigurationError(f"{self.name} was changed while it was read")

    def _check(self) -> None:
        if self._is_interrupted:
            raise Interrupted

    def _open(self) -> IO[bytes]:
        with disk.readable(self.name):
            if self.path.exists() and not (self.path.is_file() or self.path.is_dir()):
                raise ConfigurationError(
                    f"{self.name} can be read only once: give it as standard input, or a file"
                )
            return self.path.open("rb", buffering=_BUFFER)


def _stamp(file: IO[bytes]) -> tuple[int, ...]:
    there = os.fstat(file.fileno())
    return there.st_dev, there.st_ino, there.st_size, there.st_mtime_ns


@contextmanager
def _whole(name: str) -> Iterator[None]:
    """Within it, a file that cannot be read to its end is a ConfigurationError."""
    with disk.readable(name):
        try:
            yield
            return
        except Exception as error:
            if not is_damage(error):
                raise
    raise ConfigurationError(f"{name} cannot be read: its compressed data is cut or damaged")
