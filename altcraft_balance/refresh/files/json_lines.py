"""JSON lines: ``JsonLinesSource`` and ``JsonLinesSink``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, Final, Literal

import orjson

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.byte_sink import ByteSink
from altcraft_balance.refresh.files.file_source import FileSource
from altcraft_balance.refresh.port import BadRow, Cell, Cells, Column

__all__ = ["JsonLinesSink", "JsonLinesSource"]

_BOM: Final = b"\xef\xbb\xbf"


class JsonLinesSource(FileSource):
    """Rows of a file with a JSON object in each line, in UTF-8; a key that is not there is null.

    Its columns are all keys that occur, in the order in which they first do. Values keep their
    types; a list or an object becomes its JSON text. A line that is no object is a bad row.

    Args:
        path: the file; ``.gz`` and ``.zst`` are unpacked.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)

    def survey(self, file: IO[bytes]) -> tuple[tuple[str, ...], int]:
        """Read all of it once: its keys, and how many rows."""
        keys: dict[str, None] = {}
        total = 0
        for row in _objects(file):
            total += 1
            if isinstance(row, Mapping):
                keys.update(dict.fromkeys(row))
        if not total:
            raise ConfigurationError(f"{self.name} is empty")
        if not keys:
            raise ConfigurationError(f"{self.name} has no JSON object in its lines")
        return tuple(keys), total

    def read(self, file: IO[bytes], columns: tuple[str, ...]) -> Iterator[Cells | BadRow]:
        """Its rows."""
        for row in _objects(file):
            yield row if isinstance(row, BadRow) else [_cell(row.get(name)) for name in columns]


def _objects(file: IO[bytes]) -> Iterator[Mapping[str, Any] | BadRow]:
    for number, line in enumerate(file):
        text = line.removeprefix(_BOM) if not number else line
        if text.isspace() or not text:
            continue
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            yield BadRow([_shown(text)], "the line is not JSON")
            continue
        if isinstance(value, dict):
            yield value
        else:
            yield BadRow([_shown(text)], "the line is not a JSON object")


def _shown(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace").rstrip("\r\n")


def _cell(value: Any) -> Cell:
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    return value  # type: ignore[no-any-return]  # one of JSON's plain types


class JsonLinesSink(ByteSink):
    """Makes a file with a JSON object in each line; amounts are text, so that they stay exact.

    Args:
        path: the file, compressed if its name ends in ``.gz`` or ``.zst``; ``-`` is standard
            output.
        overwrite: whether a file that is there already is replaced, at the end.
    """

    _names: tuple[str, ...] = ()

    def begin(self, columns: tuple[Column, ...]) -> Literal[b""]:
        """Nothing: each line names its values."""
        self._names = tuple(column.name for column in columns)
        return b""

    def encode(self, rows: Sequence[Cells]) -> bytes:
        """Lines of JSON."""
        names = self._names
        return b"".join(
            orjson.dumps(dict(zip(names, row, strict=False)), option=orjson.OPT_APPEND_NEWLINE)
            for row in rows
        )
