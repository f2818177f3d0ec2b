"""The same with S3 itself, in a real server: kills, a store that goes away, keys that stay hid."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import altcraft_balance
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.csv_file import CsvSource
from altcraft_balance.refresh.files.lake import Lake
from altcraft_balance.refresh.files.parquet_sink import ParquetSink
from altcraft_balance.refresh.files.parquet_source import ParquetSource
from altcraft_balance.refresh.port import Column, Opening
from tests.refresh.runs import Platform, members_csv, refreshed

pyarrow = pytest.importorskip("pyarrow", reason="needs the extra 'parquet'")
pytest.importorskip("moto", reason="needs the extra 'test'")
lakes = pytest.importorskip("tests.refresh.lakes")

pytestmark = pytest.mark.may_leave("what speaks to S3 is kept for the process")

ROOT = Path(altcraft_balance.__file__).parents[1]
CHILD = Path(__file__).with_name("lake_crash_child.py")


@pytest.fixture
def port(monkeypatch):
    """Where an S3 server listens that has one bucket."""
    for name, value in lakes.keys_for({}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    server = lakes.S3Server()
    server.start()
    monkeypatch.setattr(lakes, "server", server, raising=False)
    try:
        lakes.make_bucket(server.port)
        yield server.port
    finally:
        server.stop()


def test_killed_and_taken_up_again(size, port, tmp_path):
    """At calls all along the run, over a longer run; nothing is left over."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("COV", "PYTHONDEV"))}
    environ["PYTHONPATH"] = str(ROOT)
    url, every = lakes.s3_url(port, "killed"), size("9", quick="18")
    child = subprocess.run(
        [sys.executable, str(CHILD), url, str(tmp_path / "state"), "25", every, "1"],
        env=environ, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    assert child.stdout.strip().isdecimal(), child.stdout
    assert int(child.stdout) > size(3, quick=1)


async def test_a_store_that_goes_away_loses_nothing(port, tmp_path, monkeypatch):
    """The run breaks with one sentence; when the store is back, the same call goes on."""
    monkeypatch.chdir(tmp_path)
    source, platform = CsvSource(members_csv(tmp_path / "in.csv", 1_000)), Platform()
    url = lakes.s3_url(port, "balances")
    put = Lake.put

    def stopping(lake, name, data):
        if "part-00002" in name:
            lakes.server.stop()
        put(lake, name, data)

    monkeypatch.setattr(Lake, "put", stopping)
    with pytest.raises(OSError, match=r"s3://\S+/balances/ cannot be written: .*; nothing is lost"):
        await refreshed(source, _small(url), platform)
    monkeypatch.setattr(Lake, "put", put)
    lakes.server.start()
    summary = await refreshed(source, _small(url), platform)
    assert (summary.state, summary.output) == ("finished", f"s3://{lakes.BUCKET}/balances/")
    assert platform.members.count("m0@example.com") == 1  # what was committed is not asked again
    parts = lakes.parts_of(url)
    assert sorted(parts) == [f"part-0000{number}.parquet" for number in range(4)]
    assert [len(part) for part in parts.values()] == [250] * 4


def _small(url):
    sink = ParquetSink(url)
    sink.chunk_rows = 250
    return sink


def test_a_bucket_that_is_not_there_is_told(port):
    """In one line, with no key in it; nobody waits for it."""
    url = lakes.s3_url(port, "x").replace(lakes.BUCKET, "no-such-bucket")
    sink = ParquetSink(url)
    told = r"s3://no-such-bucket/x/ cannot be written: .*bucket.*; no waiting helps"
    with pytest.raises(ConfigurationError, match=told) as hit:
        sink.open(Opening(run_id="night", columns=(Column("member"),)))
    assert "\n" not in str(hit.value)
    assert "s3cret" not in str(hit.value)
    sink.close()


@pytest.mark.skipif(
    int(pyarrow.__version__.partition(".")[0]) < 20, reason="this pyarrow frames no uploads"
)
def test_missing_keys_are_told(port, monkeypatch):
    """This server keeps the frame of what comes without a signature; nothing stays there."""
    url = lakes.s3_url(port, "open").replace("127.0.0.1", "http://127.0.0.1")
    with monkeypatch.context() as without:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            without.delenv(name)
        without.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        without.setenv("AWS_CONFIG_FILE", os.devnull)
        sink = ParquetSink(url)
        with pytest.raises(ConfigurationError, match="without keys: give them by the store's"):
            sink.open(Opening(run_id="night", claim="w", columns=(Column("member"),)))
        sink.close()
    assert lakes.listing(url) == []


def test_readers_find_what_was_written(port, tmp_path):
    """pyarrow's own reader of folders sees the parts only, and so does our source of a copy."""
    url = lakes.s3_url(port, "read")
    sink = ParquetSink(url)
    sink.open(Opening(run_id="night", columns=(Column("member"), Column("total", "amount"))))
    sink.write([["a", "1.50"]])
    sink.sync()
    store, root = lakes.store_of(url)
    import pyarrow.dataset as ds

    assert ds.dataset(root, filesystem=store).count_rows() == 0
    sink.finish()
    sink.close()
    assert ds.dataset(root, filesystem=store, format="parquet").to_table().num_rows == 1
    for name in lakes.listing(url):
        with store.open_input_stream(f"{root}/{name}") as file:
            (tmp_path / name).write_bytes(file.read())
    assert list(ParquetSource(tmp_path).rows(0)) == [("a", "1.500000000")]
