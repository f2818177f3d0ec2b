"""Parquet to write: ``ParquetSink``.

An unfinished Parquet file cannot be read, since its footer comes last. So it grows as a folder of
parts, each a whole file with one row group: all rows between two calls of `sync`. Where those
calls come at the same rows, the same rows give the same bytes, however they were batched and
however often the run was stopped. In the end the parts are joined, one row group at a time, or
kept: on the disk or in an object store.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from altcraft_balance.refresh.files.amounts import AmountScale
from altcraft_balance.refresh.files.arrow import arrow_for
from altcraft_balance.refresh.files.arrow_columns import arrow_type, batch_of
from altcraft_balance.refresh.files.folder_parts import FolderParts
from altcraft_balance.refresh.files.lake import Lake
from altcraft_balance.refresh.files.lake_parts import LakeParts
from altcraft_balance.refresh.files.lake_url import LakeUrl, is_url, local_path
from altcraft_balance.refresh.files.parquet_parts import PartFormat, part_name
from altcraft_balance.refresh.port import Cells, Column, Opening, RowSink

__all__ = ["ParquetSink"]

#: Rows of the source in a part; a request for each object is dear, and many small ones read slowly.
_CHUNK_ROWS: Final = 25_000
_LAKE_CHUNK_ROWS: Final = 100_000
_BATCH_ROWS: Final = 1_000


class ParquetSink(RowSink):
    """Makes a Parquet file, or a folder of them with up to 25,000 rows of the source in each.

    In an object store it makes a folder of up to 100,000 rows in each file. Every folder gets an
    empty ``_SUCCESS`` last: where it stands, all rows are there.

    Amounts are ``decimal128(38, amount_scale)``, times ``timestamp('us', 'UTC')``, whole numbers
    ``int64``; what has no exact place there is refused, never rounded.

    Args:
        path: the file; a name that ends in ``/`` is a folder's, and so is a URL: ``s3://``,
            ``gs://``, ``abfs://`` or ``hdfs://``, without a key or a password in it.
        amount_scale: how many decimals amounts have, 0 to 38.
        overwrite: whether what is there already is replaced, at the end.

    Raises:
        ConfigurationError: a bad argument, or pyarrow is not installed.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, amount_scale: int = 9, overwrite: bool = False
    ) -> None:
        path = local_path(os.fspath(path))
        url = LakeUrl.of(path) if is_url(path) else None
        self.path = Path(path) if url is None else None
        self.url = None if url is None else url.shown
        self.chunk_rows = _CHUNK_ROWS if url is None else _LAKE_CHUNK_ROWS
        self._scale = AmountScale(amount_scale)
        place = {} if url is None else {"url": url.place}
        self.settings = {"amount_scale": amount_scale, **place}
        self._arrow = arrow_for(Path(path).name if url is None else url.shown)
        self._place: FolderParts | LakeParts
        if url is None:
            is_folder = path.endswith("/")
            self._place = FolderParts(Path(path), is_folder=is_folder, overwrite=overwrite)
        else:
            self._place = LakeParts(Lake(self._arrow, url), overwrite=overwrite)
        self._columns: tuple[Column, ...] = ()
        self._schema: Any = None
        self._parts = 0
        self._rows: list[Cells] = []
        self._batches: list[Any] = []

    def open(self, opening: Opening) -> None:
        """Claim the name, and drop parts that are not among those of the token."""
        self._parts = opening.token or 0
        self._place.open(opening, self._parts)
        self._columns = opening.columns
        self._schema = self._arrow.schema(
            [
                (one.name, arrow_type(self._arrow, one.type, self._scale.decimals))
                for one in self._columns
            ]
        )
        self._rows, self._batches = [], []

    def write(self, rows: Sequence[Cells]) -> None:
        """Keep `rows`, in Arrow's compact form, until `sync`."""
        self._rows.extend(rows)
        if len(self._rows) >= _BATCH_ROWS:
            self._convert()

    def sync(self) -> int:
        """Make a part of all that was written; the token is the number of parts."""
        self._place.begin()
        self._convert()
        if self._batches:
            data = self._form().encode(self._batches, self._place.compression)
            self._place.add(part_name(self._parts), data)
            self._parts += 1
            self._batches = []
        return self._parts

    def finish(self) -> None:
        """Join the parts, if they are to be a file, and publish."""
        self._place.finish(self._parts, self._form())

    def hurry(self, seconds: float) -> None:
        """To join the parts may take no longer than `seconds` from now; a later run joins them."""
        self._place.patience.hurry(seconds)

    def close(self) -> None:
        """Let the claim go."""
        self._place.close()

    def discard(self) -> None:
        """Remove the parts."""
        self._place.discard()

    def refuses(self, amount: str) -> str | None:
        """Why `amount`, plain decimal text, has no exact place; None when it has."""
        return self._scale.refuses(amount)

    def _convert(self) -> None:
        for start in range(0, len(self._rows), _BATCH_ROWS):
            rows = self._rows[start : start + _BATCH_ROWS]
            self._batches.append(batch_of(self._arrow, self._schema, self._columns, rows))
        self._rows = []

    def _form(self) -> PartFormat:
        return PartFormat(self._arrow, self._schema)
