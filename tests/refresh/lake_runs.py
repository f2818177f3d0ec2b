"""A run into an object store, step by step, and whom a reader finds there."""

from altcraft_balance.refresh.files.parquet_sink import ParquetSink
from altcraft_balance.refresh.port import Column, Opening
from tests.refresh import lakes

COLUMNS = (Column("member"), Column("total", "amount"))


def begun(url, run_id="night", *, overwrite=False, **told):
    sink = ParquetSink(url, overwrite=overwrite)
    sink.open(Opening(run_id=run_id, columns=COLUMNS, **{"claim": run_id, **told}))
    return sink


def grown(sink, *members):
    """A part for each of `members`."""
    for member in members:
        sink.write([[member, "1.50"]])
        sink.sync()
    return sink


def ended(sink):
    sink.finish()
    sink.finish()
    sink.close()


def members_in(url):
    return [row["member"] for part in lakes.parts_of(url).values() for row in part]
