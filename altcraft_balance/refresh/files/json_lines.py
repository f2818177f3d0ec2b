"""JSON lines: ``JsonLinesSource`` and ``JsonLinesSink``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, Final, Literal

import orjson

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.byte_sink import ByteSink
from altcraft_balance.refresh.files.file_source import FileSource
from altcraft_balance.refresh.files.text import JsonText, Line
from altcraft_balance.refresh.port import BadRow, Cell, Cells, Column

__all__ = ["JsonLinesSink", "JsonLinesSource"]

_BOM: Final = b"\xef\xbb\xbf"


class JsonLinesSource(FileSource):
    """Rows of a file with a JSON object in each line, in UTF-8; a key that is not there is null.

    Its columns are all keys that occur, in the order in which they first do. Values keep their
    types and all their digits; a list or an object is its JSON text, and JSON again in JSON lines.
    A line that is no object is a bad row.

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
            if isinstance(value, dict) and not _PLAIN.issuperset(map(type, value.values())):
                value = json.loads(text, parse_float=_number, parse_int=_number)
        except ValueError:
            yield BadRow([_line(text)], "the line is not JSON")
            continue
        if isinstance(value, dict):
            yield value
        else:
            yield BadRow([_line(text)], "the line is not a JSON object")


#: What orjson reads exactly, and what needs no second thought.
_PLAIN: Final = frozenset({str, int, bool, type(None)})


def _number(literal: str) -> Cell:
    """A number, or its digits where the number would lose some."""
    if literal.lstrip("-").isdigit():
        value = int(literal)
        return value if -(2**63) <= value < 2**63 else JsonText(literal)
    return float(literal) if repr(float(literal)) == literal else JsonText(literal)


def _line(line: bytes) -> Line:
    return Line(line.decode("utf-8", "backslashreplace").rstrip("\r\n"))


def _cell(value: Any) -> Cell:
    if isinstance(value, dict | list):
        return JsonText(_nested(value).decode())
    return value  # type: ignore[no-any-return]  # one of JSON's plain types


def _nested(value: Any) -> bytes:
    return orjson.dumps(value, default=_fragment, option=orjson.OPT_PASSTHROUGH_SUBCLASS)


def _fragment(value: Any) -> Any:
    return orjson.Fragment(value.encode()) if isinstance(value, JsonText) else str(value)


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
        return b"".join(map(self._line, rows))

    def _line(self, row: Cells) -> bytes:
        if len(row) == 1 and isinstance(row[0], Line):
            return row[0].encode() + b"\n"
        return orjson.dumps(
            dict(zip(self._names, row, strict=False)), default=_fragment, option=_OPTIONS
        )


_OPTIONS: Final = orjson.OPT_APPEND_NEWLINE | orjson.OPT_PASSTHROUGH_SUBCLASS
