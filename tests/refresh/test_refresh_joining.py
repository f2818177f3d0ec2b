"""A stop while Parquet parts are joined: it may take minutes, and can be done by a later run."""

import asyncio
import threading

import pytest

pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra 'parquet'")

from altcraft_balance.refresh.files.csv_file import CsvSource  # noqa: E402
from altcraft_balance.refresh.files.parquet_parts import PartFormat  # noqa: E402
from altcraft_balance.refresh.files.parquet_sink import ParquetSink  # noqa: E402
from tests.refresh.runs import Platform, members_csv, refreshed  # noqa: E402


def slowed(patch):
    """Let a part be joined, and no further one before the sink is told to hurry; the first's event.

    Patched, since a run goes on only with sinks of the same class.
    """
    joins, hurried = asyncio.Event(), threading.Event()
    loop, join, hurry = asyncio.get_running_loop(), PartFormat.join, ParquetSink.hurry

    def slow(form, parts):
        for piece in join(form, parts):
            loop.call_soon_threadsafe(joins.set)
            assert hurried.wait(30)
            yield piece

    def told(sink, seconds):
        hurry(sink, seconds)
        hurried.set()

    patch.setattr(PartFormat, "join", slow)
    patch.setattr(ParquetSink, "hurry", told)
    return joins


def sink_in(tmp_path):
    sink = ParquetSink(tmp_path / "out.parquet")
    sink.chunk_rows = 50
    return sink


async def joined(tmp_path, platform, source):
    """What the same call makes of it afterwards."""
    summary = await refreshed(source, sink_in(tmp_path), platform)
    assert summary.state == "finished"
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 200
    assert len(platform.members) == len(set(platform.members)) == 200


async def test_a_stop_leaves_what_is_joined(tmp_path, monkeypatch):
    """After its grace; the run that goes on asks nobody and joins all of it."""
    platform, source = Platform(), CsvSource(members_csv(tmp_path / "in.csv", 200))
    with monkeypatch.context() as patch:
        joins = slowed(patch)
        summary = await refreshed(source, sink_in(tmp_path), platform, stop=joins, grace_s=0)
    assert summary.state == "stopped"
    assert not (tmp_path / "out.parquet").exists()
    await joined(tmp_path, platform, source)


async def test_a_cancel_leaves_it_at_once(tmp_path, monkeypatch):
    """As a second signal does."""
    platform, source = Platform(), CsvSource(members_csv(tmp_path / "in.csv", 200))
    with monkeypatch.context() as patch:
        joins = slowed(patch)
        run = asyncio.create_task(refreshed(source, sink_in(tmp_path), platform))
        await joins.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    await joined(tmp_path, platform, source)
