"""Parts of a Parquet output: what they are called, and what stands in them."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from altcraft_balance.refresh.files.arrow import Content

__all__ = [
    "KEPT",
    "PASSING",
    "SUCCESS",
    "PartFormat",
    "check_parts",
    "is_part",
    "part_name",
    "part_names",
]

#: What says that all parts are there: readers of Hadoop's kind look for it.
SUCCESS: Final = "_SUCCESS"
#: How what is kept is packed; parts that are joined in the end are packed quickly.
KEPT, PASSING = "zstd", "snappy"
_PART: Final = re.compile(r"part-[0-9]{5,}\.parquet\Z")


def part_name(number: int) -> str:
    """What the part with this `number`, from 0, is called."""
    return f"part-{number:05}.parquet"


def part_names(parts: int) -> list[str]:
    """The names of so many parts, in order."""
    return [part_name(number) for number in range(parts)]


def is_part(name: str) -> bool:
    """Whether a part may be called so."""
    return _PART.match(name) is not None


def check_parts(there: Iterable[str], parts: int) -> None:
    """Refuse to go on with others than the first `parts` parts.

    Raises:
        OSError: one is missing, or there are more.
    """
    there = set(there)
    if there != set(part_names(parts)):
        raise OSError(errno.EIO, f"it has {len(there):,} parts where {parts:,} were written")


class PartFormat:
    """Writes and reads parts with the columns of `schema`."""

    def __init__(self, arrow: Any, schema: Any) -> None:
        self._arrow, self._schema = arrow, schema

    def encode(self, batches: Sequence[Any], compression: str) -> bytes:
        """A whole file: `batches` as one row group, or none when they have no rows."""
        # In one chunk, so that the batches' sizes leave no trace in the pages.
        table = self._arrow.Table.from_batches(batches, schema=self._schema).combine_chunks()
        content = Content()
        with self._writer(content, compression) as writer:
            _add_group(writer, table)
        del table
        self._arrow.default_memory_pool().release_unused()
        return content.take()

    def join(self, parts: Iterable[Path]) -> Iterator[bytes]:
        """A file with a row group for each of `parts`, piece by piece.

        Raises:
            OSError: one is damaged.
        """
        content = Content()
        with self._writer(content, KEPT) as writer:
            for part in parts:
                _add_group(writer, self._read(part))
                yield content.take()
                self._arrow.default_memory_pool().release_unused()
        yield content.take()

    def _read(self, part: Path) -> Any:
        with part.open("rb") as file:
            try:
                return self._arrow.parquet.ParquetFile(file).read(use_threads=False)
            except self._arrow.ArrowException:
                pass
        raise OSError(errno.EIO, f"{part.name} is damaged")

    def _writer(self, content: Content, compression: str) -> Any:
        return self._arrow.parquet.ParquetWriter(content, self._schema, compression=compression)


def _add_group(writer: Any, table: Any) -> None:
    if table.num_rows:
        writer.write_table(table, row_group_size=table.num_rows)
