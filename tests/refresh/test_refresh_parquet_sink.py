"""Parquet to write: private, whole or not there, and the same bytes after any crash."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import altcraft_balance
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.parquet_sink import ParquetSink
from altcraft_balance.refresh.port import Opening
from tests.refresh.parquet_runs import COLUMNS, ROW, opening, written

pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra 'parquet'")

ROOT = Path(altcraft_balance.__file__).parents[1]
CHILD = Path(__file__).with_name("parquet_crash_child.py")


def test_each_chunk_is_a_row_group(tmp_path):
    """Of any size, and a chunk without rows is none."""
    path = written(tmp_path / "out.parquet", [[ROW] * 2500, [], [ROW] * 7])
    metadata = pq.read_metadata(path)
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [2500, 7]


@pytest.mark.parametrize("name", ["out.parquet", "out/"])
def test_batches_leave_no_trace(tmp_path, name):
    """The same rows give the same bytes, one by one or all at once."""
    rows = [
        [f"user{n}", f"{n}.5" if n % 5 else None, None, n, None, None if n < 1500 else True]
        for n in range(3000)
    ]
    outputs = []
    for batch in (1, 7, 999, 1000, 1001, 3000):
        (tmp_path / str(batch)).mkdir()
        path = written(f"{tmp_path}/{batch}/{name}", [rows[:2100], rows[2100:]], batch=batch)
        files = sorted(path.glob("*")) if path.is_dir() else [path]
        outputs.append([file.read_bytes() for file in files])
    assert outputs == [outputs[0]] * len(outputs)


def test_no_rows_are_a_file_with_columns(tmp_path):
    """So that whoever reads it finds what he expects, in a folder too."""
    for path in (
        written(tmp_path / "out.parquet", [[]]),
        written(f"{tmp_path}/out/", [[]]) / "part-00000.parquet",
    ):
        table = pq.read_table(path)
        assert (table.num_rows, table.schema.names) == (0, [one.name for one in COLUMNS])


def test_a_name_with_a_slash_is_a_folder_of_parts(tmp_path):
    """Each chunk is a file of its own, in order, and _SUCCESS says that all are there."""
    path = written(f"{tmp_path}/out/", [[ROW] * 3, [ROW] * 2])
    assert (path / "_SUCCESS").read_bytes() == b""
    assert [entry.name for entry in sorted(path.iterdir())] == [
        "_SUCCESS",
        "part-00000.parquet",
        "part-00001.parquet",
    ]
    assert pq.read_table(path / "part-00001.parquet").num_rows == 2


def test_nobody_else_can_read_it(tmp_path):
    """Files are for their owner alone, and so are folders."""
    file = written(tmp_path / "out.parquet", [[ROW]])
    folder = written(f"{tmp_path}/out/", [[ROW]])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "part-00000.parquet").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["out.parquet", "out/"])
def test_what_is_there_is_replaced_only_if_wanted(tmp_path, name):
    """Without overwrite it stays as it is; with it, it is gone at the end and not before."""
    path = written(f"{tmp_path}/{name}", [[ROW] * 3])
    with pytest.raises(ConfigurationError, match="exists: name another output"):
        ParquetSink(f"{tmp_path}/{name}").open(opening())
    sink = ParquetSink(f"{tmp_path}/{name}", overwrite=True)
    sink.open(opening())
    sink.write([ROW])
    sink.sync()
    assert pq.read_table(path).num_rows == 3
    sink.finish()
    sink.finish()
    sink.close()
    assert pq.read_table(path).num_rows == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_the_place_of_a_file_is_told(tmp_path):
    """One sentence says so, and how a folder is wanted."""
    (tmp_path / "out.parquet").mkdir()
    with pytest.raises(ConfigurationError, match=r"it is a folder; a name that ends in / makes"):
        ParquetSink(tmp_path / "out.parquet", overwrite=True).open(opening())


def test_what_came_after_the_token_comes_again(tmp_path):
    """Parts behind the token and whatever else lies there are dropped."""
    path = tmp_path / "out.parquet"
    first = ParquetSink(path)
    first.open(opening())
    tokens = []
    for name in "abc":
        first.write([[name]])
        tokens.append(first.sync())
    first.write([["lost"]])
    first.close()
    (tmp_path / "out.parquet.partial" / "part-00001.parquet.new").write_bytes(b"half")
    second = ParquetSink(path)
    second.open(opening(token=tokens[0]))
    second.write([["B"]])
    assert second.sync() == 2
    second.finish()
    second.close()
    assert pq.read_table(path)["member"].to_pylist() == ["a", "B"]


@pytest.mark.parametrize("is_whole", [False, True])
def test_parts_that_went_away_are_told(tmp_path, is_whole):
    """Rows that a run has written and that are no longer there are not silently left out."""
    sink = ParquetSink(tmp_path / "out.parquet")
    sink.open(opening())
    sink.write([ROW])
    token = sink.sync()
    sink.close()
    (tmp_path / "out.parquet.partial" / "part-00000.parquet").unlink()
    again = ParquetSink(tmp_path / "out.parquet")

    def go_on():
        again.open(opening(token=token, is_whole=is_whole))
        again.finish()

    with pytest.raises(OSError, match="it has 0 parts where 1 were written"):
        go_on()
    again.close()


def test_a_part_that_was_damaged_is_told(tmp_path):
    """It is an error of the disk, with a sentence, and no exception of pyarrow's."""
    sink = ParquetSink(tmp_path / "out.parquet")
    sink.open(opening())
    sink.write([ROW])
    sink.sync()
    part = tmp_path / "out.parquet.partial" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-8])
    with pytest.raises(OSError, match=r"cannot be written: part-00000.parquet is damaged"):
        sink.finish()
    sink.close()


@pytest.mark.parametrize("name", ["out.parquet", "out/"])
def test_a_full_disk_loses_nothing(tmp_path, monkeypatch, name):
    """At every write it is one sentence; with room again, the same call goes on."""
    expected = _content(written(f"{tmp_path}/{name}", [[ROW] * 4, [ROW]]))
    write = os.write
    for failing in range(1, 6):
        folder = tmp_path / str(failing)
        folder.mkdir()
        calls = iter(range(1, 100))

        def full(descriptor, data, calls=calls, failing=failing):
            if next(calls) == failing:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(descriptor, data)

        sink = ParquetSink(f"{folder}/{name}")
        sink.open(opening())
        monkeypatch.setattr(os, "write", full)
        for rows in ([ROW] * 4, [ROW]):
            sink.write(rows)
            _until_done(sink.sync)
        _until_done(sink.finish)
        monkeypatch.setattr(os, "write", write)
        sink.close()
        assert _content(folder / name.rstrip("/")) == expected


def _until_done(call):
    sentence = "cannot be written: no space left on device; nothing is lost"
    try:
        call()
        return
    except OSError as error:
        trouble = error
    assert (trouble.errno, sentence in trouble.strerror) == (errno.ENOSPC, True)
    call()


def _content(path):
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [file.read_bytes() for file in files]


@pytest.mark.parametrize("name", ["out.parquet", "out/"])
def test_a_run_that_cannot_begin_leaves_nothing(tmp_path, name):
    """Since its errors' file cannot be opened, say: nothing says then that it was here."""
    sink = ParquetSink(f"{tmp_path}/{name}")
    sink.open(opening())
    sink.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("mode", "rows"), [("file-over", 25), ("folder-over", 25), ("file", 0), ("folder", 0)]
)
def test_killed_anywhere_it_ends_with_the_same_bytes(size, tmp_path, mode, rows):
    """Whichever call that changes a file was the last one, twice in a row; nothing is left over."""
    if not rows and size("more", quick="few") == "few":
        pytest.skip("at a larger size")
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("COV", "PYTHONDEV"))}
    environ["PYTHONPATH"] = str(ROOT)
    child = subprocess.run(
        [sys.executable, str(CHILD), str(tmp_path), mode, str(size(rows, quick=rows // 3))],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert child.returncode == 0, child.stderr
    assert child.stdout.strip().isdecimal(), child.stdout
    assert int(child.stdout) > size(30, quick=15)


def test_a_run_dropped_between_two_renames_gives_the_old_folder_back(tmp_path):
    """Which was set aside a moment ago, to be replaced."""
    path = written(f"{tmp_path}/out/", [[ROW] * 3])
    sink = ParquetSink(f"{tmp_path}/out/", overwrite=True)
    sink.open(opening())
    sink.write([ROW])
    sink.sync()
    path.rename(tmp_path / "out.partial" / "_replaced")
    sink.close()
    other = ParquetSink(f"{tmp_path}/out/", overwrite=True)
    other.open(Opening(run_id="other", columns=COLUMNS, fresh=True))
    other.close()
    assert pq.read_table(path / "part-00000.parquet").num_rows == 3


def test_a_run_that_joined_its_parts_is_not_taken_for_none(tmp_path):
    """Another run does not get the name before it is published."""
    sink = ParquetSink(tmp_path / "out.parquet")
    sink.open(opening())
    sink.sync()
    sink.close()
    partial = tmp_path / "out.parquet.partial"
    partial.rmdir()
    partial.with_name("out.parquet.partial.whole").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="belongs to the unfinished run night"):
        ParquetSink(tmp_path / "out.parquet").open(Opening(run_id="other", columns=COLUMNS))


def test_without_pyarrow_the_extra_is_named(monkeypatch, tmp_path):
    """The sentence is a command that one can copy."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ConfigurationError) as caught:
        ParquetSink(tmp_path / "out.parquet")
    assert str(caught.value) == (
        "out.parquet needs the extra 'parquet': python -m pip install 'altcraft-balance[parquet]'"
    )
