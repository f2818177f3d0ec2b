"""CSV, TSV and JSON lines: what is read is what stands there, and what is written is read alike."""

import csv
import gzip
import stat

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.csv_file import CsvSink, CsvSource
from altcraft_balance.refresh.files.json_lines import JsonLinesSink, JsonLinesSource
from altcraft_balance.refresh.port import BadRow, Column, Opening

COLUMNS = (Column("id"), Column("name"), Column("n", "integer"), Column("b", "boolean"))
AWKWARD = ['a "quoted" one', "two\nlines", "a,comma", "тире — и ещё", "", "=1+1", " blank "]


def read(source, skip=0):
    source.describe()
    return list(source.rows(skip))


def written(sink, rows, *, columns=COLUMNS):
    sink.open(Opening(run_id="night", columns=columns))
    sink.write(rows)
    sink.sync()
    sink.finish()
    sink.close()
    return sink.path


# ── CSV ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.csv.zst"])
def test_awkward_texts_come_back(tmp_path, name):
    """Quotes, line feeds, commas and every script survive, packed or not."""
    if name.endswith("zst"):
        pytest.importorskip("backports.zstd", reason="needs the extra 'zstd'")
    rows = [[str(number), text, number, True] for number, text in enumerate(AWKWARD)]
    path = written(CsvSink(tmp_path / name), rows)
    back = read(CsvSource(path))
    assert back == [[id_, text, str(number), "true"] for id_, text, number, _ in rows]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_ids_stay_text(tmp_path):
    """Nothing is taken for a number."""
    (tmp_path / "in.csv").write_text("id,n\n0000000001,1e3\n")
    assert read(CsvSource(tmp_path / "in.csv")) == [["0000000001", "1e3"]]


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    """UTF-8 with and without a mark has the same columns."""
    (tmp_path / "in.csv").write_bytes(b"\xef\xbb\xbfid,email\r\n1,a@x.y\r\n")
    info = CsvSource(tmp_path / "in.csv").describe()
    assert (info.columns, info.total, info.total_is_exact) == (("id", "email"), 1, True)


def test_other_encodings_and_delimiters_are_told(tmp_path):
    """A file from an old office suite is read when its manner is given."""
    (tmp_path / "in.csv").write_bytes("код;имя\n1;Анна\n".encode("cp1251"))
    source = CsvSource(tmp_path / "in.csv", delimiter=";", encoding="cp1251")
    assert source.describe().columns == ("код", "имя")
    assert list(source.rows(0)) == [["1", "Анна"]]


def test_a_file_without_a_header(tmp_path):
    """Columns are called by their places, from 1."""
    (tmp_path / "in.csv").write_text("1,a@x.y\n2,b@x.y\n")
    source = CsvSource(tmp_path / "in.csv", header=False)
    info = source.describe()
    assert (info.columns, info.total) == (("1", "2"), 2)
    assert list(source.rows(1)) == [["2", "b@x.y"]]


def test_multi_line_cells_are_one_row(tmp_path):
    """Rows are counted, not lines, and skipped as rows."""
    (tmp_path / "in.csv").write_text('id,t\n1,"a\nb\n\nc"\n\n2,d\n')
    source = CsvSource(tmp_path / "in.csv")
    assert source.describe().total == 2
    assert list(source.rows(1)) == [["2", "d"]]


def test_a_header_with_another_delimiter_is_refused(tmp_path):
    """The sentence names the setting; who has said that it is a comma is believed."""
    (tmp_path / "in.csv").write_text("id;email\n1;a@x.y\n")
    with pytest.raises(ConfigurationError, match=r"delimiter must be given for in\.csv"):
        CsvSource(tmp_path / "in.csv").describe()
    assert CsvSource(tmp_path / "in.csv", delimiter=",").describe().columns == ("id;email",)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "in.csv is empty"),
        (
            b"id,email\n1,\xff\n",
            r"encoding must be given .* utf-8 \(byte 0xff in line 2\)",
        ),
        (b'id,email\n1,"a@x.y\n2,b@x.y\n', "is no CSV in line"),
        (b'id,email\n1,"a"x\n', "is no CSV in line 2"),
    ],
)
def test_what_is_no_csv_is_refused_before_anything_is_asked(tmp_path, content, sentence):
    """A file is read as a whole before its first row is used."""
    (tmp_path / "in.csv").write_bytes(content)
    with pytest.raises(ConfigurationError, match=sentence):
        CsvSource(tmp_path / "in.csv").describe()


@pytest.mark.parametrize("name", ["in.csv.gz", "in.csv.zst"])
def test_packed_data_that_is_cut_is_refused(tmp_path, name):
    """Half a file never passes for a whole one."""
    if name.endswith("zst"):
        zstd = pytest.importorskip("backports.zstd", reason="needs the extra 'zstd'")
        packed = zstd.compress(b"id,email\n" + b"1,a@x.y\n" * 5000)
    else:
        packed = gzip.compress(b"id,email\n" + b"1,a@x.y\n" * 5000)
    (tmp_path / name).write_bytes(packed[: len(packed) // 2])
    with pytest.raises(ConfigurationError, match="cut or damaged"):
        CsvSource(tmp_path / name).describe()
    (tmp_path / name).write_bytes(b"not packed at all")
    with pytest.raises(ConfigurationError, match="cut or damaged"):
        CsvSource(tmp_path / name).describe()


def test_zstd_names_its_extra(tmp_path, monkeypatch):
    """Without the package, asking for zstd says what to install."""
    for name in ("compression.zstd", "backports.zstd", "backports"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    (tmp_path / "in.csv.zst").write_bytes(b"x")
    with pytest.raises(ConfigurationError, match="altcraft-balance\\[zstd\\]"):
        CsvSource(tmp_path / "in.csv.zst").describe()
    with pytest.raises(ConfigurationError, match="altcraft-balance\\[zstd\\]"):
        CsvSink(tmp_path / "out.csv.zst")


def test_what_cannot_be_read_is_said(tmp_path):
    """A missing file and a folder are sentences, not tracebacks."""
    with pytest.raises(ConfigurationError, match=r"in\.csv cannot be read: no such file"):
        CsvSource(tmp_path / "in.csv").describe()
    with pytest.raises(ConfigurationError, match="cannot be read: is a directory"):
        CsvSource(tmp_path).describe()


def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path):
    """Rows of two versions of a file never make one output."""
    path = tmp_path / "in.csv"
    path.write_text("id\n" + "1\n" * 10)
    source = CsvSource(path)
    source.describe()
    rows = source.rows(0)
    next(rows)
    with path.open("a") as file:
        file.write("2\n")
    with pytest.raises(ConfigurationError, match="was changed while it was read"):
        list(rows)


def test_the_fingerprint_is_of_content_and_manner(tmp_path):
    """The same rows have the same fingerprint wherever they lie; another manner, another one."""
    for name in ("a.csv", "b.csv", "c.csv"):
        (tmp_path / name).write_text("id\n1\n" if name < "c" else "id\n2\n")
    of = {
        name: CsvSource(tmp_path / name).describe().fingerprint
        for name in ("a.csv", "b.csv", "c.csv")
    }
    assert of["a.csv"] == of["b.csv"] != of["c.csv"]
    headless = CsvSource(tmp_path / "a.csv", header=False).describe()
    assert headless.fingerprint != of["a.csv"]


@pytest.mark.parametrize("value", ["", ";;", '"', "\n", None.__class__])
def test_a_delimiter_is_one_character(tmp_path, value):
    """What cannot separate cells is refused where it is given."""
    with pytest.raises(ConfigurationError, match="delimiter must be one character"):
        CsvSource(tmp_path / "in.csv", delimiter=value)


@pytest.mark.parametrize("value", ["utf-99", "base64", 7, "rot13"])
def test_an_encoding_is_one_of_text(tmp_path, value):
    """An encoding that Python lacks, or that is none of text, is refused where it is given."""
    with pytest.raises(ConfigurationError, match="is not known"):
        CsvSource(tmp_path / "in.csv", encoding=value)


def test_a_sink_writes_what_csv_reads(tmp_path):
    """Tabs, an encoding and no header, as they are asked for."""
    sink = CsvSink(tmp_path / "out.tsv", delimiter="\t", encoding="cp1251", header=False)
    path = written(sink, [["1", "Анна\t☺", None, None]])
    with path.open(encoding="cp1251", newline="") as file:
        assert list(csv.reader(file, delimiter="\t")) == [["1", "Анна\t\\u263a", "", ""]]


# ── JSON lines ───────────────────────────────────────────────────────────────────────────────


def test_json_lines_keep_types(tmp_path):
    """Texts, numbers, booleans and nulls are what they are; a missing key is null."""
    path = tmp_path / "in.jsonl"
    path.write_text('{"id":"007","n":7}\n\n{"id":"008","b":true,"tags":["x"]}\n')
    source = JsonLinesSource(path)
    assert source.describe().columns == ("id", "n", "b", "tags")
    assert list(source.rows(0)) == [["007", 7, None, None], ["008", None, True, '["x"]']]


def test_a_line_that_is_no_object_is_a_bad_row(tmp_path):
    """It costs its own row and no other, and its text is kept."""
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"id":"1"}\n{"id":\n[1]\n{"id":"2"}\n')
    rows = read(JsonLinesSource(path))
    assert [type(row) is BadRow for row in rows] == [False, True, True, False]
    assert rows[1].cells == ['{"id":']
    assert rows[1].why == "the line is not JSON"


@pytest.mark.parametrize(("text", "sentence"), [("", "is empty"), ("1\n2\n", "no JSON object")])
def test_a_file_without_an_object_is_refused(tmp_path, text, sentence):
    """A file that has nothing to ask about is a mistake."""
    (tmp_path / "in.jsonl").write_text(text)
    with pytest.raises(ConfigurationError, match=sentence):
        JsonLinesSource(tmp_path / "in.jsonl").describe()


def test_json_lines_are_written_as_they_are_read(tmp_path):
    """What one run writes, another reads with its types."""
    rows = [["007", text, 7, False] for text in AWKWARD]
    path = written(JsonLinesSink(tmp_path / "out.jsonl.gz"), rows)
    assert read(JsonLinesSource(path)) == rows


# ── growing ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz"])
def test_what_was_not_durable_is_cut_off(tmp_path, name):
    """A sink that is taken up again has what its token stands for, and the rest once."""
    first = CsvSink(tmp_path / name)
    first.open(Opening(run_id="night", columns=COLUMNS))
    first.write([["1", "a", 1, None]])
    token = first.sync()
    first.write([["2", "b", 2, None]])
    first.sync()
    first.close()
    again = CsvSink(tmp_path / name)
    again.open(Opening(run_id="night", columns=COLUMNS, token=token))
    again.write([["3", "c", 3, None]])
    again.sync()
    again.finish()
    again.close()
    assert [row[0] for row in read(CsvSource(tmp_path / name))] == ["1", "3"]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_partial_file_that_is_too_short_is_noticed(tmp_path):
    """A disk that lost what it had confirmed does not make a file with a hole."""
    sink = CsvSink(tmp_path / "out.csv")
    sink.open(Opening(run_id="night", columns=COLUMNS))
    sink.sync()
    sink.close()
    again = CsvSink(tmp_path / "out.csv")
    with pytest.raises(ConfigurationError, match="bytes where 1,000 were written"):
        again.open(Opening(run_id="night", columns=COLUMNS, token=1000))
    again.close()


def test_json_keeps_every_digit_and_every_shape(tmp_path):
    """Long numbers, many decimals, lists and objects go through JSON lines as they are."""
    lines = (
        b'{"id":12345678901234567890123,"x":0.12345678901234567890,"d":{"a":[1.5,"b"]},"n":7}\n'
        b'{"id":1e300,"x":1.5,"d":null,"n":-9223372036854775808}\n'
    )
    (tmp_path / "in.jsonl").write_bytes(lines)
    source = JsonLinesSource(tmp_path / "in.jsonl")
    columns = tuple(map(Column, source.describe().columns))
    path = written(JsonLinesSink(tmp_path / "out.jsonl"), list(source.rows(0)), columns=columns)
    assert path.read_bytes() == lines
    rows = list(source.rows(0))
    path = written(CsvSink(tmp_path / "out.csv"), rows, columns=columns)
    assert path.read_text().splitlines()[1].startswith("12345678901234567890123,0.1234567890123456")


def test_a_line_that_is_no_json_stays_a_line(tmp_path):
    """What could not be read is written as it was, for another run to read."""
    (tmp_path / "in.jsonl").write_bytes(b'{"id":1}\n{"id":\n')
    bad = read(JsonLinesSource(tmp_path / "in.jsonl"))[1]
    path = written(JsonLinesSink(tmp_path / "out.jsonl"), [bad.cells], columns=(Column("id"),))
    assert path.read_bytes() == b'{"id":\n'


def test_a_link_stays_one(tmp_path):
    """An output that is a symbolic link is replaced where it leads to."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "b.csv").write_text("old")
    (tmp_path / "out.csv").symlink_to(tmp_path / "real" / "b.csv")
    written(CsvSink(tmp_path / "out.csv", overwrite=True), [["1", "a", 1, None]])
    assert (tmp_path / "out.csv").is_symlink()
    assert (tmp_path / "real" / "b.csv").read_text().startswith("id,name")


def test_gzip_data_under_another_name_is_told(tmp_path):
    """The sentence says what it is and what to do."""
    (tmp_path / "in.csv").write_bytes(gzip.compress(b"id\n1\n"))
    with pytest.raises(ConfigurationError, match=r"is gzip data: give it a name that ends in \.gz"):
        CsvSource(tmp_path / "in.csv").describe()
