"""Parquet to read: ``ParquetSource``, of a file or of a folder of files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from attrs import frozen

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.arrow import arrow_for, sound
from altcraft_balance.refresh.files.arrow_cells import cells_of, column_type
from altcraft_balance.refresh.files.file_source import Interrupted
from altcraft_balance.refresh.port import Cells, ColumnType, SourceInfo
from altcraft_balance.refresh.state import disk

__all__ = ["ParquetSource"]

_BLOCK: Final = 1 << 20
_BUFFER: Final = 1 << 16
_BATCH_ROWS: Final = 4_000
_BATCH_CELLS: Final = 50_000
_MAGIC: Final = b"PAR1"
_NOT_DATA: Final = ("_", ".")


@frozen
class _Piece:
    """One file: how people call it, how many rows it has, and its size and time of change."""

    path: Path
    name: str
    rows: int
    stamp: tuple[int, int]


class ParquetSource:
    """Rows of a Parquet file, or of all ``*.parquet`` files below a folder.

    The files of a folder are read in the order of their names, those below it too; names that
    begin with ``_`` or ``.`` are left out. Whole numbers, numbers and booleans keep their types,
    all else becomes text: decimals with all digits, times in ISO 8601 (those with a time zone in
    UTC), lists and structures as JSON, bytes as UTF-8.

    Args:
        path: the file or the folder.

    Raises:
        ConfigurationError: pyarrow is not installed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.name = self.path.name or str(path)
        self._arrow = arrow_for(self.name)
        self._pieces: list[_Piece] = []
        self._is_interrupted = False

    def interrupt(self) -> None:
        """Whatever reads the files shall end soon."""
        self._is_interrupted = True

    def describe(self) -> SourceInfo:
        """Read the content of all files once, for the fingerprint, and their footers."""
        content = hashlib.blake2b(digest_size=16)
        schemas = []
        self._is_interrupted = False
        self._pieces = []
        for path in self._paths():
            piece, schema = self._survey(path, content)
            self._pieces.append(piece)
            schemas.append(schema)
            if _shape(schema) != _shape(schemas[0]):
                first = self._pieces[0].name
                raise ConfigurationError(f"{piece.name} has other columns or types than {first}")
            del schemas[1:]
        return self._info(schemas[0], content.hexdigest())

    def rows(self, skip: int) -> Iterator[Cells]:
        """Their rows without the first `skip`; what is skipped is hardly read."""
        if not self._pieces:
            self.describe()
        for piece in self._pieces:
            if skip < piece.rows:
                yield from self._rows(piece, skip)
            skip = max(0, skip - piece.rows)

    def _info(self, schema: Any, fingerprint: str) -> SourceInfo:
        types: dict[str, ColumnType] = {}
        for one in schema:
            if (type_ := column_type(self._arrow, one.type)) != "text":
                types[one.name] = type_
        return SourceInfo(
            name=self.name,
            columns=tuple(schema.names),
            fingerprint=fingerprint,
            total=sum(piece.rows for piece in self._pieces),
            types=types,
        )

    def _check(self) -> None:
        if self._is_interrupted:
            raise Interrupted

    def _paths(self) -> list[Path]:
        with disk.readable(self.name):
            self.path.stat()
        if not self.path.is_dir():
            return [self.path]
        with disk.readable(self.name):
            paths = sorted(_below(self.path), key=lambda path: path.as_posix())
        if not paths:
            raise ConfigurationError(f"{self.name} is a folder without *.parquet files")
        return paths

    def _survey(self, path: Path, content: Any) -> tuple[_Piece, Any]:
        name = self._name_of(path)
        with _opened(path, name) as file, disk.readable(name):
            stamp = _stamp(file)
            if path != self.path:
                content.update(f"{path.relative_to(self.path).as_posix()}\0{stamp[0]}\0".encode())
            head = file.read(len(_MAGIC))
            _check_head(head, name)
            content.update(head)
            while block := file.read(_BLOCK):
                content.update(block)
                self._check()
            with sound(self._arrow, name):
                footer = self._parquet(file)
                piece = _Piece(path, name, footer.metadata.num_rows, stamp)
                schema = footer.schema_arrow
        if not schema.names:
            raise ConfigurationError(f"{name} has no columns")
        return piece, schema

    def _rows(self, piece: _Piece, skip: int) -> Iterator[Cells]:
        with _opened(piece.path, piece.name) as file:
            _check_same(file, piece)
            with sound(self._arrow, piece.name):
                for batch in self._batches(self._parquet(file), skip):
                    columns = [cells_of(self._arrow, column) for column in batch.columns]
                    yield from zip(*columns, strict=True)
            _check_same(file, piece)

    def _batches(self, parquet: Any, skip: int) -> Iterator[Any]:
        groups, skip = _groups_after(parquet.metadata, skip)
        size = max(1, min(_BATCH_ROWS, _BATCH_CELLS // len(parquet.schema_arrow.names)))
        for batch in parquet.iter_batches(size, row_groups=groups, use_threads=False):
            if skip < batch.num_rows:
                yield batch.slice(skip)
            skip = max(0, skip - batch.num_rows)

    def _parquet(self, file: IO[bytes]) -> Any:
        # With a buffer a column is read bit by bit, without one a row group as a whole.
        file.seek(0)
        return self._arrow.parquet.ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False)

    def _name_of(self, path: Path) -> str:
        if path == self.path:
            return self.name
        return f"{self.name}/{path.relative_to(self.path).as_posix()}"


def _below(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.name.startswith(_NOT_DATA):
            continue
        if entry.is_dir():
            _check_loop(entry, folder)
            yield from _below(entry)
        elif entry.suffix.lower() == ".parquet":
            yield entry


def _check_loop(entry: Path, folder: Path) -> None:
    if entry.is_symlink() and folder.resolve().is_relative_to(entry.resolve()):
        raise ConfigurationError(f"{entry} cannot be read: it is a link to a folder above it")


def _opened(path: Path, name: str) -> IO[bytes]:
    with disk.readable(name):
        if not path.is_file():
            path.stat()
            raise ConfigurationError(f"{name} cannot be read: it is no regular file")
        return path.open("rb")


def _check_head(head: bytes, name: str) -> None:
    if not head:
        raise ConfigurationError(f"{name} is empty")
    if head != _MAGIC:
        raise ConfigurationError(f"{name} is no Parquet file")


def _check_same(file: IO[bytes], piece: _Piece) -> None:
    if _stamp(file) != piece.stamp:
        raise ConfigurationError(f"{piece.name} was changed while it was read")


def _stamp(file: IO[bytes]) -> tuple[int, int]:
    stat = os.fstat(file.fileno())
    return stat.st_size, stat.st_mtime_ns


def _shape(schema: Any) -> list[tuple[str, Any]]:
    return [(one.name, one.type) for one in schema]


def _groups_after(metadata: Any, skip: int) -> tuple[list[int], int]:
    """The row groups without the first `skip` rows, and what is left to skip in their first."""
    for number in range(metadata.num_row_groups):
        rows = metadata.row_group(number).num_rows
        if skip < rows:
            return list(range(number, metadata.num_row_groups)), skip
        skip -= rows
    return [], 0
