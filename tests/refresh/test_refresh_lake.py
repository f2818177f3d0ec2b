"""Parquet in an object store: a reader who looks for _SUCCESS sees all rows of one run, or none."""

import errno
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
from altcraft_balance.refresh.port import Opening
from tests.refresh.runs import Platform, members_csv, refreshed

pytest.importorskip("pyarrow", reason="needs the extra 'parquet'")
lakes = pytest.importorskip("tests.refresh.lakes")

from tests.refresh.lake_runs import COLUMNS, begun, ended, grown, members_in  # noqa: E402

ROOT = Path(altcraft_balance.__file__).parents[1]
CHILD = Path(__file__).with_name("lake_crash_child.py")


def test_parts_appear_at_the_end_and_success_last(url):
    """Before that there is nothing that a reader takes for data, and after it nothing else."""
    sink = grown(begun(url), "a", "b")
    assert lakes.listing(url) == [
        "_altcraft_claim.json",
        "_unfinished/night.night/part-00000.parquet",
        "_unfinished/night.night/part-00001.parquet",
    ]
    ended(sink)
    assert lakes.listing(url) == ["_SUCCESS", "part-00000.parquet", "part-00001.parquet"]
    assert members_in(url) == ["a", "b"]


def test_no_rows_are_a_part_with_columns(url):
    """So that whoever reads it finds what he expects."""
    ended(begun(url))
    assert lakes.parts_of(url) == {"part-00000.parquet": []}


def test_an_earlier_run_stays_until_the_end(url):
    """A shorter run leaves no part of a longer one; until then it is as it was, and whole."""
    ended(grown(begun(url, "old"), *"abcde"))
    sink = grown(begun(url, overwrite=True), "new")
    assert members_in(url) == [*"abcde"]
    assert "_SUCCESS" in lakes.listing(url)
    ended(sink)
    assert lakes.listing(url) == ["_SUCCESS", "part-00000.parquet"]
    assert members_in(url) == ["new"]


def test_what_is_there_is_replaced_only_if_wanted(url):
    """One sentence says so, and nothing is written."""
    ended(grown(begun(url, "old"), "a"))
    there = lakes.listing(url)
    with pytest.raises(ConfigurationError, match=r"/lake/ is not empty: name another place"):
        begun(url)
    assert lakes.listing(url) == there


@pytest.mark.parametrize("name", ["report.csv", "part-00000-abc.snappy.parquet", "year=2026/x"])
def test_what_no_refresh_has_made_is_not_removed(url, name):
    """A typing error in a URL costs nobody his data."""
    lakes.put(url, name, b"mine")
    with pytest.raises(ConfigurationError, match="has something that no refresh has made, '"):
        begun(url, overwrite=True)
    assert lakes.listing(url) == [name]


def test_what_came_after_the_token_comes_again(url):
    """Parts behind the token are dropped, and those of the token are all there or it is told."""
    grown(begun(url), "a", "b", "c").close()
    sink = grown(begun(url, token=1), "B")
    ended(sink)
    assert members_in(url) == ["a", "B"]
    other = url.replace("/lake/", "/other/")
    grown(begun(other), "a").close()
    with pytest.raises(OSError, match="it has 1 parts where 2 were written; nothing is lost"):
        begun(other, token=2)


@pytest.mark.parametrize("rows", [25, 0])
def test_killed_anywhere_it_ends_with_the_same_rows(size, tmp_path, rows):
    """Whichever change was the last one, twice in a row, over a longer run; nothing is left."""
    if not rows and size("more", quick="few") == "few":
        pytest.skip("at a larger size")
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("COV", "PYTHONDEV"))}
    environ["PYTHONPATH"] = str(ROOT)
    url, every = lakes.url_of(tmp_path / "lake"), size("1", quick="3")
    child = subprocess.run(
        [sys.executable, str(CHILD), url, str(tmp_path / "state"), str(rows), every, "2"],
        env=environ, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    assert child.stdout.strip().isdecimal(), child.stdout
    assert int(child.stdout) > size(20, quick=7)


async def test_a_refresh_goes_on_where_it_was(url, tmp_path, monkeypatch):
    """Its state lies in the working directory, apart for each URL; nobody is asked twice."""
    monkeypatch.chdir(tmp_path)
    source, platform = CsvSource(members_csv(tmp_path / "in.csv", 1_000)), Platform()
    other = url.replace("/lake/", "/other/")
    add = Lake.put

    def full(lake, name, data):
        if "part-00002" in name:
            raise OSError(errno.EIO, "the store is away")
        add(lake, name, data)

    for place in (url, other):
        monkeypatch.setattr(Lake, "put", full)
        with pytest.raises(OSError, match="the store is away"):
            await refreshed(source, _small(place), platform)
        monkeypatch.setattr(Lake, "put", add)
    assert len(list((tmp_path / ".altcraft-balance").iterdir())) == 2
    for place in (url, other):
        summary = await refreshed(source, _small(place), platform)
        assert (summary.state, summary.output) == ("finished", place)
        assert members_in(place) == [f"m{number}@example.com" for number in range(1_000)]
        assert (await refreshed(source, _small(place), platform)).state == "finished_before"
    assert platform.members.count("m0@example.com") == 2  # once for each of both places


def _small(url):
    sink = ParquetSink(url)
    sink.chunk_rows = 250
    return sink


async def test_a_run_is_the_same_however_its_url_is_written(url, tmp_path, monkeypatch):
    """Unfinished or finished; another endpoint is another store."""
    monkeypatch.chdir(tmp_path)
    source, platform = CsvSource(members_csv(tmp_path / "in.csv", 20)), Platform()
    other = f"{url.rstrip('/')}?scheme=http&endpoint_override=127.0.0.1:9"
    summaries = [
        await refreshed(source, ParquetSink(place), platform)
        for place in (f"{url}?endpoint_override=http://127.0.0.1:9/&region=eu", other)
    ]
    assert [summary.state for summary in summaries] == ["finished", "finished_before"]
    with pytest.raises(ConfigurationError, match="is not empty"):
        await refreshed(source, ParquetSink(other.replace(":9", ":8")), platform)


async def test_two_outputs_are_not_one_place(url, tmp_path):
    """However they are written."""
    source = CsvSource(members_csv(tmp_path / "in.csv", 3))
    with pytest.raises(ConfigurationError, match=r"errors_to and sink are the same: s3:/"):
        await refreshed(source, ParquetSink(url), errors_to=ParquetSink(url.rstrip("/")))


async def test_a_night_without_any_answer_leaves_the_last_one(url, tmp_path, monkeypatch):
    """A token that is refused: yesterday's balances are there, and nothing else."""
    monkeypatch.chdir(tmp_path)
    source = CsvSource(members_csv(tmp_path / "in.csv", 30))
    await refreshed(source, ParquetSink(url))
    there = lakes.listing(url)
    platform = Platform()
    from tests.refresh.runs import envelope

    platform.always = envelope(401, "no")
    with pytest.raises(Exception, match="401"):
        await refreshed(source, ParquetSink(url, overwrite=True), platform, run_id="next")
    assert [
        name for name in lakes.listing(url) if name[:8] not in ("_altcraf", "_unfinis")
    ] == there
    assert len(members_in(url)) == 30


def test_a_file_s_url_is_a_folder_of_this_machine(tmp_path):
    """With its lock, its renames and its state beside it."""
    sink = ParquetSink(f"file://{tmp_path}/out/")
    assert (sink.path, sink.url) == (tmp_path / "out", None)
    sink.open(Opening(run_id="night", columns=COLUMNS))
    ended(grown(sink, "a"))
    names = sorted(entry.name for entry in (tmp_path / "out").iterdir())
    assert names == ["_SUCCESS", "part-00000.parquet"]


@pytest.mark.may_leave("pyarrow keeps what it speaks to S3 with")
def test_a_url_that_pyarrow_does_not_take_is_told():
    """What it says stands in one sentence."""
    sink = ParquetSink("s3://b/x/?colour=red")
    with pytest.raises(ConfigurationError, match=r"^s3://b/x/ cannot be used: .*'colour'$"):
        sink.open(Opening(run_id="night", columns=COLUMNS))
    sink.close()


def test_what_pyarrow_lacks_is_told(monkeypatch):
    """A store that cannot be spoken to now may be another time."""
    import pyarrow.fs

    class Nowhere:
        @staticmethod
        def from_uri(uri):
            raise OSError(errno.EPIPE, "Unable to load libjvm\nand more")

    monkeypatch.setattr(pyarrow.fs, "FileSystem", Nowhere)
    sink = ParquetSink("hdfs://node:8020/x/")
    with pytest.raises(OSError, match=r"//node:8020/x/ cannot be written: Unable to load ") as hit:
        sink.open(Opening(run_id="night", columns=COLUMNS))
    assert hit.value.errno == errno.EIO  # a broken pipe is standard output's
    assert "and more" not in str(hit.value)
