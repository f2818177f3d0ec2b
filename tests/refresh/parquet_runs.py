"""Rows of all types, and runs that write them as Parquet."""

from contextlib import closing
from pathlib import Path

from altcraft_balance.refresh.files.parquet_sink import ParquetSink
from altcraft_balance.refresh.port import Column, Opening

COLUMNS = (
    Column("member"),
    Column("total", "amount"),
    Column("at", "time"),
    Column("program", "integer"),
    Column("share", "number"),
    Column("active", "boolean"),
)
ROW = ["0012", "1000.00", "2025-01-02T03:04:05.678901+00:00", 7, 0.5, True]


def opening(columns=COLUMNS, **kwargs):
    return Opening(run_id="night", columns=columns, **kwargs)


def written(path, chunks, *, columns=COLUMNS, batch=3, **kwargs):
    """The sink of a run that is over, with a `sync` after each of `chunks`."""
    sink = ParquetSink(path, **kwargs)
    with closing(sink):
        sink.open(opening(columns))
        for rows in chunks:
            for start in range(0, len(rows), batch):
                sink.write(rows[start : start + batch])
            sink.sync()
        sink.finish()
    return Path(path)
