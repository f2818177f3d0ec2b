"""CSV and TSV: ``CsvSource`` and ``CsvSink``. Nothing about a file is guessed."""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import chain
from typing import IO, Any, BinaryIO, Final, cast

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.byte_sink import ByteSink
from altcraft_balance.refresh.files.compression import unpacked
from altcraft_balance.refresh.files.file_source import FileSource
from altcraft_balance.refresh.files.text import as_text
from altcraft_balance.refresh.port import BadRow, Cells, Column

__all__ = ["CsvSink", "CsvSource", "checked_delimiter", "checked_encoding"]

_SEPARATORS: Final = ",;\t|"
_SHOWN: Final = {"\t": "a tab"}
#: An address or a phone: what no column is called (a date may be), and what no sentence may show.
_VALUE: Final = re.compile(r"@|\A(\+\d[\d ()-]{6,}|\d{9,})\Z")
_GZIP: Final = b"\x1f\x8b"


def checked_delimiter(value: Any) -> str:
    """A delimiter that the format can have."""
    if not isinstance(value, str) or len(value) != 1 or value in '"\r\n\0':
        raise ConfigurationError("delimiter must be one character, such as ';', other than a quote")
    return value


def checked_encoding(value: Any) -> str:
    """The name of an encoding of text that Python has."""
    try:
        if codecs.lookup(value)._is_text_encoding:
            return str(value)
    except (LookupError, TypeError, ValueError):
        pass
    raise ConfigurationError(f"encoding {value!r} is not known: use utf-8, cp1251 or so")


class CsvSource(FileSource):
    """Rows of a CSV file: text, and nothing but text.

    Args:
        path: the file; ``.gz`` and ``.zst`` are unpacked.
        delimiter: what separates cells; None: a comma, and a header that holds another separator
            is refused.
        encoding: of the text; a byte order mark is taken off.
        header: whether the first line names the columns; otherwise they are ``1``, ``2``, ...
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        delimiter: str | None = None,
        encoding: str = "utf-8",
        header: bool = True,
    ) -> None:
        super().__init__(path)
        self.delimiter = checked_delimiter("," if delimiter is None else delimiter)
        self.encoding = checked_encoding(encoding)
        self.header = header
        self._is_delimiter_given = delimiter is not None

    def manner(self) -> str:
        """What else than its content decides which rows it has."""
        return f"{self.delimiter}{self.encoding}{self.header}"

    def survey(self, file: IO[bytes]) -> tuple[tuple[str, ...], int]:
        """Read all of it once: its columns, and how many rows."""
        # Closed while the file is open: what is left to a generator's end may come too late.
        with closing(self._lines(file)) as lines:
            first = next(lines, None)
            if first is None:
                raise ConfigurationError(f"{self.name} is empty")
            if self.header:
                return self._header(first), sum(1 for _ in lines)
            columns = tuple(str(number) for number in range(1, len(first) + 1))
            return columns, 1 + sum(1 for _ in lines)

    def read(self, file: IO[bytes], columns: tuple[str, ...]) -> Iterator[Cells | BadRow]:
        """Its rows, those of a wrong length as bad ones."""
        lines = self._lines(file)
        if self.header:
            next(lines, None)
        width = len(columns)
        for cells in lines:
            yield cells if len(cells) == width else _ragged(cells, width)

    def _lines(self, file: IO[bytes]) -> Generator[list[str], None, None]:
        encoding = "utf-8-sig" if _is_utf_8(self.encoding) else self.encoding
        text = io.TextIOWrapper(cast(BinaryIO, file), encoding, newline="")
        reader = csv.reader(text, delimiter=self.delimiter, strict=True)
        trouble = ""
        try:
            # A line without anything is no row: csv's own writers never write one.
            yield from filter(None, reader)
            return
        except UnicodeDecodeError as error:
            trouble = self._misfit(error)
        except csv.Error as error:
            trouble = f"{self.name} is no CSV in line {reader.line_num}: {error}"
        finally:
            text.detach()
        raise ConfigurationError(trouble)

    def _misfit(self, error: UnicodeDecodeError) -> str:
        if error.object.startswith(_GZIP):
            return f"{self.name} is gzip data: give it a name that ends in .gz, or unpack it"
        byte = f"byte 0x{error.object[error.start]:02x}"
        where = f" in line {line}" if (line := self._line_that_misfits()) else ""
        return (
            f"encoding must be given for {self.name}, such as cp1251 or utf-16: it is not "
            f"{self.encoding} ({byte}{where})"
        )

    def _line_that_misfits(self) -> int | None:
        with self.path.open("rb") as file:
            for number, line in enumerate(unpacked(file, self.path), 1):
                try:
                    line.decode(self.encoding)
                except UnicodeDecodeError:
                    return number
        return None

    def _header(self, names: Sequence[str]) -> tuple[str, ...]:
        others = [
            mark
            for mark in _SEPARATORS
            if mark != self.delimiter and any(mark in name for name in names)
        ]
        if others and not self._is_delimiter_given:
            shown = _SHOWN.get(others[0], repr(others[0]))
            raise ConfigurationError(
                f"delimiter must be given for {self.name}: its header holds {shown}"
            )
        if any(map(_VALUE.search, names)):
            raise ConfigurationError(
                f"header is missing in {self.name}, it seems: its first line looks like a row"
            )
        return tuple(names)


def _is_utf_8(encoding: str) -> bool:
    return codecs.lookup(encoding).name == "utf-8"


def _ragged(cells: list[str], width: int) -> BadRow:
    return BadRow(cells, f"the row has {len(cells)} cells where the header has {width}")


class CsvSink(ByteSink):
    """Makes a CSV file in UTF-8, lines ended by a line feed, cells quoted where they must be.

    Args:
        path: the file, compressed if its name ends in ``.gz`` or ``.zst``; ``-`` is standard
            output.
        delimiter: what separates cells.
        encoding: of the text.
        header: whether the first line names the columns.
        overwrite: whether a file that is there already is replaced, at the end.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        delimiter: str = ",",
        encoding: str = "utf-8",
        header: bool = True,
        overwrite: bool = False,
    ) -> None:
        super().__init__(path, overwrite=overwrite)
        self._delimiter = checked_delimiter(delimiter)
        self._encoding = checked_encoding(encoding)
        self._mark = "".encode(self._encoding)
        self._header = header
        self.settings = {"delimiter": delimiter, "encoding": encoding, "header": header}

    def begin(self, columns: tuple[Column, ...]) -> bytes:
        """The header, after the byte order mark of an encoding that has one."""
        header = self.encode([[column.name for column in columns]]) if self._header else b""
        return self._mark + header

    def encode(self, rows: Sequence[Cells]) -> bytes:
        """Lines of CSV."""
        text = io.StringIO()
        writer = csv.writer(text, delimiter=self._delimiter, lineterminator="\n")
        plain = _WRITTEN_AS_THEY_ARE.issuperset(map(type, chain.from_iterable(rows)))
        writer.writerows(rows if plain else map(_texts, rows))
        # What was read in an encoding can be written in it; a server's text may not.
        data = text.getvalue().encode(self._encoding, "backslashreplace")
        return data.removeprefix(self._mark)


def _texts(row: Cells) -> list[str]:
    return [as_text(cell) for cell in row]


#: csv would write True where JSON has true.
_WRITTEN_AS_THEY_ARE: Final = frozenset({str, int, type(None)})
