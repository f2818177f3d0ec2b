"""Parquet to read: every row once and in order, every value exact, every trouble a sentence."""

import datetime as dt
import os
import subprocess
import sys
from decimal import Decimal
from itertools import chain
from pathlib import Path

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.parquet_source import ParquetSource

pa = pytest.importorskip("pyarrow", reason="needs the extra 'parquet'")
pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra 'parquet'")


def ids(start, end):
    return pa.table({"id": [f"{n:04d}" for n in range(start, end)], "n": list(range(start, end))})


@pytest.fixture
def folder(tmp_path):
    """Four files with 25 rows each, in an order that their names say."""
    top = tmp_path / "members"
    names = ("b.parquet", "day=2/part-0.snappy.parquet", "day=10/x.parquet", "a.parquet")
    for name in names:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(sorted(names)):
        pq.write_table(ids(number * 25, number * 25 + 25), top / name, row_group_size=7)
    for name in (
        "_SUCCESS",
        ".hidden.parquet",
        "_old.parquet",
        "notes.txt",
        "_temporary/0.parquet",
    ):
        (top / name).parent.mkdir(exist_ok=True)
        (top / name).write_bytes(b"no Parquet at all")
    return top


def refused(path, *, skip=0):
    """The sentence with which it is, at the latest when its rows are read."""
    source = ParquetSource(path)
    with pytest.raises(ConfigurationError) as caught:
        describe_and_read(source, skip)
    return str(caught.value)


def describe_and_read(source, skip=0):
    source.describe()
    return list(source.rows(skip))


MOMENT = dt.datetime.fromisoformat("2025-01-02T03:04:05.600")
STRUCT = pa.struct([("x", pa.decimal128(10, 2)), ("t", pa.timestamp("ns"))])
VALUES = [
    (pa.array(["007", "", None]), None, ["007", "", None]),
    (pa.array(["a", None]).dictionary_encode(), None, ["a", None]),
    (pa.array([1, None], pa.int8()), "integer", [1, None]),
    (pa.array([2**63, None], pa.uint64()), None, ["9223372036854775808", None]),
    (pa.array([2**32 - 1], pa.uint32()), "integer", [2**32 - 1]),
    (pa.array([True, None]), "boolean", [True, None]),
    (
        pa.array([1.5, float("nan"), None, -float("inf")]),
        "number",
        [1.5, "NaN", None, "-Infinity"],
    ),
    (
        pa.array([Decimal("0E-9"), Decimal("-12.5"), None], pa.decimal128(38, 9)),
        None,
        ["0.000000000", "-12.500000000", None],
    ),
    (pa.array([Decimal("7" * 60)], pa.decimal256(70, 5)), None, ["7" * 60 + ".00000"]),
    (pa.array([MOMENT, None], pa.timestamp("us")), None, ["2025-01-02T03:04:05.600000", None]),
    (
        pa.array([MOMENT], pa.timestamp("ms", "America/New_York")),
        None,
        ["2025-01-02T03:04:05.600+00:00"],
    ),
    (pa.array([1], pa.timestamp("ns", "UTC")), None, ["1970-01-01T00:00:00.000000001+00:00"]),
    (pa.array([MOMENT.date(), None]), None, ["2025-01-02", None]),
    (pa.array([MOMENT.time()], pa.time64("us")), None, ["03:04:05.600000"]),
    (pa.array([[1, None], None, []]), None, ["[1,null]", None, "[]"]),
    (
        pa.array([{"x": Decimal("0.10"), "t": 1}, None], STRUCT),
        None,
        ['{"x":"0.10","t":"1970-01-01 00:00:00.000000001"}', None],
    ),
    (pa.array([[("k", "ж")]], pa.map_(pa.string(), pa.string())), None, ['[["k","ж"]]']),
    (pa.array([b"abc", b"\xff", None]), None, ["abc", "\\xff", None]),
    (pa.array([b"abc", b"\xff"]).view(pa.string()), None, ["abc", "\\xff"]),
    (pa.array([b"ab\0\xff", None], pa.binary(4)), None, ["616200ff", None]),
    (pa.nulls(2), None, [None, None]),
]


@pytest.mark.parametrize(
    ("array", "type_", "cells"), VALUES, ids=lambda v: str(getattr(v, "type", ""))
)
def test_each_value_is_exact(tmp_path, array, type_, cells):
    """Plain types stay, and all else is text that says everything."""
    pq.write_table(pa.table({"c": array}), tmp_path / "x.parquet")
    source = ParquetSource(tmp_path / "x.parquet")
    assert source.describe().types.get("c") == type_
    assert list(source.rows(0)) == [(cell,) for cell in cells]


def test_it_is_known_before_it_is_read(tmp_path):
    """Its columns, their types, and how many rows."""
    pq.write_table(ids(0, 30), tmp_path / "x.parquet", row_group_size=7)
    source = ParquetSource(tmp_path / "x.parquet")
    info = source.describe()
    assert (info.name, info.columns, info.total) == ("x.parquet", ("id", "n"), 30)
    assert (info.total_is_exact, dict(info.types)) == (True, {"n": "integer"})


def test_a_folder_is_all_its_files_in_order(folder):
    """Those of its folders too, but nothing whose name begins with _ or a point."""
    source = ParquetSource(folder)
    info = source.describe()
    assert (info.name, info.total) == ("members", 100)
    assert [row[1] for row in source.rows(0)] == list(range(100))


@pytest.mark.parametrize("skip", [*range(0, 101, 6), 7, 25, 32, 50, 99, 100, 1000])
def test_rows_begin_where_they_are_wanted(folder, skip):
    """In whatever file and row group that is."""
    assert [row[1] for row in ParquetSource(folder).rows(skip)] == list(range(skip, 100))


def test_what_is_skipped_is_hardly_read(tmp_path, monkeypatch):
    """Of a file, the row groups before it are not touched."""
    pq.write_table(ids(0, 100), tmp_path / "x.parquet", row_group_size=10)
    source = ParquetSource(tmp_path / "x.parquet")
    source.describe()
    wanted = []
    read = pq.ParquetFile.iter_batches

    def iter_batches(self, *args, **kwargs):
        wanted.extend(kwargs["row_groups"])
        return read(self, *args, **kwargs)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", iter_batches)
    assert len(list(source.rows(85))) == 15
    assert wanted == [8, 9]


def test_many_rows_come_in_batches(tmp_path):
    """None is lost where one batch ends and the next begins."""
    pq.write_table(ids(0, 20_001), tmp_path / "x.parquet", row_group_size=9_000)
    source = ParquetSource(tmp_path / "x.parquet")
    assert [row[1] for row in source.rows(0)] == list(range(20_001))
    assert [row[1] for row in source.rows(13_001)] == list(range(13_001, 20_001))


def test_the_fingerprint_is_of_the_content(folder, tmp_path):
    """The same for a copy, and another for another byte, another name, another file."""
    before = ParquetSource(folder).describe().fingerprint
    copy = tmp_path / "copy"
    folder.rename(copy)
    assert ParquetSource(copy).describe().fingerprint == before
    (copy / "_SUCCESS").write_bytes(b"other")
    assert ParquetSource(copy).describe().fingerprint == before
    (copy / "b.parquet").rename(copy / "c.parquet")
    renamed = ParquetSource(copy).describe().fingerprint
    pq.write_table(ids(0, 25), copy / "c.parquet", row_group_size=8)
    changed = ParquetSource(copy).describe().fingerprint
    (copy / "c.parquet").unlink()
    assert len({before, renamed, changed, ParquetSource(copy).describe().fingerprint}) == 4


def test_a_file_is_the_same_under_another_name(tmp_path):
    """Its fingerprint is of its content alone, as with other files."""
    path = tmp_path / "x.parquet"
    pq.write_table(ids(0, 3), path)
    before = ParquetSource(path).describe().fingerprint
    assert ParquetSource(path.rename(tmp_path / "y")).describe().fingerprint == before


@pytest.mark.parametrize(
    "other",
    [
        pa.table({"id": ["1"], "n": ["1"]}),
        pa.table({"id": ["1"]}),
        pa.table({"n": [1], "id": ["1"]}),
        pa.table({"id": ["1"], "m": [1]}),
    ],
)
def test_files_of_a_folder_must_be_alike(folder, other):
    """The one that differs from the first is named."""
    pq.write_table(other, folder / "day=2" / "z.parquet")
    assert refused(folder) == (
        "members/day=2/z.parquet has other columns or types than members/a.parquet"
    )


def test_files_may_differ_in_what_does_not_matter(folder):
    """Metadata and whether a column may be null."""
    schema = pa.schema(
        [pa.field("id", pa.string(), nullable=False), ("n", pa.int64())], metadata={"by": "hand"}
    )
    pq.write_table(pa.table({"id": ["z"], "n": [100]}, schema=schema), folder / "z.parquet")
    assert ParquetSource(folder).describe().total == 101


def damaged(path, how):
    pq.write_table(ids(0, 5000), path, compression="snappy")
    data = bytearray(path.read_bytes())
    if how == "cut":
        data = data[: len(data) // 2]
    elif how == "footer":
        data[-200:-8] = b"\xff" * 192
    elif how == "data":
        data[4:6000] = b"\xff" * 5996
    path.write_bytes(data)
    return "x.parquet cannot be read: its data is cut or damaged"


TROUBLES = {
    "missing": (lambda p: None, "x.parquet cannot be read: no such file or directory"),
    "empty": (lambda p: p.write_bytes(b""), "x.parquet is empty"),
    "CSV": (lambda p: p.write_bytes(b"id\n1\n"), "x.parquet is no Parquet file"),
    "one byte": (lambda p: p.write_bytes(b"P"), "x.parquet is no Parquet file"),
    "only a head": (
        lambda p: p.write_bytes(b"PAR1"),
        "x.parquet cannot be read: its data is cut or damaged",
    ),
    "folder": (lambda p: p.mkdir(), "x.parquet is a folder without *.parquet files"),
    "pipe": (lambda p: os.mkfifo(p), "x.parquet cannot be read: it is no regular file"),
    "no columns": (lambda p: pq.write_table(pa.table({}), p), "x.parquet has no columns"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_cannot_be_read_is_told_in_a_sentence(tmp_path, trouble):
    """And it names the file."""
    make, sentence = TROUBLES[trouble]
    make(tmp_path / "x.parquet")
    assert refused(tmp_path / "x.parquet") == sentence


@pytest.mark.parametrize("how", ["cut", "footer", "data"])
def test_damage_is_told_in_a_sentence(tmp_path, how):
    """Wherever it is, it is no exception of pyarrow's."""
    sentence = damaged(tmp_path / "x.parquet", how)
    assert refused(tmp_path / "x.parquet") == sentence


def test_any_damaged_byte_is_a_sentence_or_no_matter(tmp_path):
    """A few hundred of them, one after another."""
    path = tmp_path / "x.parquet"
    pq.write_table(ids(0, 20), path)
    data = path.read_bytes()
    for place in chain(range(4, len(data), 7), range(len(data) - 9, len(data))):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        try:
            describe_and_read(ParquetSource(path))
        except ConfigurationError as error:
            trouble = str(error)
            assert trouble.startswith("x.parquet ")


def test_a_file_of_a_folder_is_named_with_it(folder):
    """So that one finds the one of a thousand that is damaged."""
    (folder / "day=2" / "part-0.snappy.parquet").write_bytes(b"PAR1 and no more")
    assert refused(folder) == (
        "members/day=2/part-0.snappy.parquet cannot be read: its data is cut or damaged"
    )


def test_a_folder_that_links_to_itself_is_told(folder):
    """Rather than read without end."""
    (folder / "again").symlink_to(folder)
    assert "again cannot be read: it is a link to a folder above it" in refused(folder)


def test_a_change_while_it_is_read_is_told(tmp_path):
    """Since nobody could say then which rows were read."""
    path = tmp_path / "x.parquet"
    pq.write_table(ids(0, 10), path)
    source = ParquetSource(path)
    source.describe()
    rows = source.rows(0)
    assert next(rows)[1] == 0
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(ConfigurationError, match=r"x.parquet was changed while it was read"):
        list(rows)
    with pytest.raises(ConfigurationError, match=r"x.parquet was changed while it was read"):
        next(source.rows(0))


def test_a_reader_may_leave(tmp_path):
    """The file is closed then."""
    pq.write_table(ids(0, 10), tmp_path / "x.parquet")
    rows = ParquetSource(tmp_path / "x.parquet").rows(0)
    next(rows)
    rows.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_no_permission_is_told_in_a_sentence(tmp_path):
    """To a user who may not read the file."""
    path = tmp_path / "x.parquet"
    pq.write_table(ids(0, 10), path)
    path.chmod(0)
    for above in (tmp_path, *tmp_path.parents[:-2]):
        above.chmod(0o755)
    code = (
        "import os, sys; from altcraft_balance import ParquetSource as S\n"
        "source = S(sys.argv[1]); os.setuid(65534)\n"
        "try: source.describe()\nexcept ValueError as error: print(error)"
    )
    child = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.stdout == "x.parquet cannot be read: permission denied\n", child.stderr


def test_without_pyarrow_the_extra_is_named(monkeypatch):
    """The sentence is a command that one can copy."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ConfigurationError) as caught:
        ParquetSource("members.parquet")
    assert str(caught.value) == (
        "members.parquet needs the extra 'parquet': "
        "python -m pip install 'altcraft-balance[parquet]'"
    )
