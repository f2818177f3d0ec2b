"""Parquet to write: ``ParquetSink``.

An unfinished Parquet file cannot be read, since its footer comes last. So it grows as a folder of
parts, each a whole file with one row group: all rows between two calls of `sync`. Where those
calls come at the same rows, the same rows give the same bytes, however they were batched and
however often the run was stopped. In the end the parts are joined, one row group at a time.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.arrow import Content, arrow_for
from altcraft_balance.refresh.files.arrow_columns import arrow_type, batch_of
from altcraft_balance.refresh.files.claim import Claim
from altcraft_balance.refresh.port import Cells, Column, Opening, RowSink
from altcraft_balance.refresh.state import disk

__all__ = ["ParquetSink", "checked_amount_scale"]

_CHUNK_ROWS: Final = 25_000
_BATCH_ROWS: Final = 1_000
_PRECISION: Final = 38
#: Of what is kept; parts that are joined in the end are packed quickly.
_KEPT, _PASSING = "zstd", "snappy"


def checked_amount_scale(value: Any) -> int:
    """How many decimals amounts have."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _PRECISION:
        return value
    raise ConfigurationError(f"amount_scale must be a whole number from 0 to {_PRECISION}")


class ParquetSink(RowSink):
    """Makes a Parquet file, or a folder of them with up to 25,000 rows of the source in each.

    Amounts are ``decimal128(38, amount_scale)``, times ``timestamp('us', 'UTC')``, whole numbers
    ``int64``; what has no exact place there is refused, never rounded.

    Args:
        path: the file; a name that ends in ``/`` is a folder's.
        amount_scale: how many decimals amounts have, 0 to 38.
        overwrite: whether what is there already is replaced, at the end.

    Raises:
        ConfigurationError: a bad argument, or pyarrow is not installed.
    """

    chunk_rows = _CHUNK_ROWS

    def __init__(
        self, path: str | os.PathLike[str], *, amount_scale: int = 9, overwrite: bool = False
    ) -> None:
        self.path = self._path = Path(path)
        self._is_folder = os.fspath(path).endswith("/")
        self._scale = checked_amount_scale(amount_scale)
        self._whole_digits = _PRECISION - self._scale
        self._surely_fits = min(self._scale + 1, self._whole_digits)
        self._overwrite = overwrite
        self.settings = {"amount_scale": amount_scale}
        self._arrow = arrow_for(self.path.name)
        self._claim: Claim | None = None
        self._columns: tuple[Column, ...] = ()
        self._schema: Any = None
        self._parts = 0
        self._rows: list[Cells] = []
        self._batches: list[Any] = []

    def open(self, opening: Opening) -> None:
        """Claim the name, and drop parts that are not among those of the token."""
        if self._path.is_dir() and not self._is_folder:
            raise ConfigurationError(
                f"{self._path} cannot be written: it is a folder; a name that ends in / makes one"
            )
        self._claim = Claim(self._path, opening, overwrite=self._overwrite)
        self._columns = opening.columns
        self._schema = self._arrow.schema(
            [(one.name, arrow_type(self._arrow, one.type, self._scale)) for one in self._columns]
        )
        self._parts = opening.token or 0
        self._rows, self._batches = [], []
        if not opening.is_whole:
            self._go_on_in(self._claim.partial)

    def write(self, rows: Sequence[Cells]) -> None:
        """Keep `rows`, in Arrow's compact form, until `sync`."""
        self._rows.extend(rows)
        if len(self._rows) >= _BATCH_ROWS:
            self._convert()

    def sync(self) -> int:
        """Make a part of all that was written; the token is the number of parts."""
        self._convert()
        if self._batches and self._claim is not None:
            self._save_part(self._claim.partial, self._parts)
            self._parts += 1
            self._batches = []
        return self._parts

    def finish(self) -> None:
        """Join the parts, if they are to be a file, and publish."""
        claim = self._claim
        if claim is None:
            return
        if claim.partial.is_dir() and not claim.whole.exists():
            if self._is_folder:
                self._complete(claim.partial)
            else:
                self._join(claim.partial, claim.whole)
        claim.publish()

    def close(self) -> None:
        """Let the claim go."""
        if self._claim is not None:
            self._claim.let_go()
            self._claim = None

    def discard(self) -> None:
        """Remove the parts."""
        if self._claim is not None:
            self._claim.discard()
            self._claim = None

    def refuses(self, amount: str) -> str | None:
        """Why `amount`, plain decimal text, has no exact place; None when it has."""
        if len(amount) <= self._surely_fits:
            return None
        whole, _, decimals = amount.partition(".")
        if len(whole) <= self._whole_digits and len(decimals) <= self._scale:
            return None
        if len(decimals.rstrip("0")) > self._scale:
            return f"the amount has more than the {self._scale} decimals of amount_scale"
        if len(whole.lstrip("+-").lstrip("0")) > self._whole_digits:
            return f"the amount has more than {self._whole_digits} digits before its decimals"
        return None

    def _go_on_in(self, folder: Path) -> None:
        kept = {_part(number) for number in range(self._parts)}
        with disk.writing(folder):
            disk.make_folder(folder)
            there = {entry.name for entry in folder.iterdir()}
            for name in sorted(there - kept):
                disk.remove(folder / name)
            _check(there & kept, self._parts)
            disk.sync_folder(folder)
            disk.sync_folder(folder.parent)

    def _convert(self) -> None:
        for start in range(0, len(self._rows), _BATCH_ROWS):
            rows = self._rows[start : start + _BATCH_ROWS]
            self._batches.append(batch_of(self._arrow, self._schema, self._columns, rows))
        self._rows = []

    def _combine(self) -> None:
        # Into one chunk, so that the batches' sizes leave no trace in the pages.
        table = self._arrow.Table.from_batches(self._batches, schema=self._schema)
        self._batches = table.combine_chunks().to_batches()

    def _save_part(self, folder: Path, number: int) -> None:
        self._combine()
        table = self._arrow.Table.from_batches(self._batches, schema=self._schema)
        content = Content()
        with self._writer(content, _KEPT if self._is_folder else _PASSING) as writer:
            _add_group(writer, table)
        self._arrow.default_memory_pool().release_unused()
        with disk.writing(folder):
            disk.save(folder / _part(number), content.take())

    def _complete(self, folder: Path) -> None:
        if not self._parts:  # a reader wants to know the columns
            self._save_part(folder, 0)
        with disk.writing(folder):
            _check(_parts_in(folder), max(1, self._parts))

    def _join(self, folder: Path, whole: Path) -> None:
        growing = folder / "whole.new"
        with disk.writing(folder):
            _check(_parts_in(folder), self._parts)
            descriptor = disk.append_to(growing, 0)
            try:
                self._join_into(descriptor, folder)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            disk.publish(growing, whole)

    def _join_into(self, descriptor: int, folder: Path) -> None:
        content = Content()
        with self._writer(content, _KEPT) as writer:
            for number in range(self._parts):
                _add_group(writer, self._read(folder / _part(number)))
                disk.write_all(descriptor, content.take())
                self._arrow.default_memory_pool().release_unused()
        disk.write_all(descriptor, content.take())

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


def _part(number: int) -> str:
    return f"part-{number:05}.parquet"


def _parts_in(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("part-*.parquet")}


def _check(there: set[str], parts: int) -> None:
    if there != {_part(number) for number in range(parts)}:
        raise OSError(errno.EIO, f"it has {len(there):,} parts where {parts:,} were written")
