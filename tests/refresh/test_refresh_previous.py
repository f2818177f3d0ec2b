"""An earlier output is looked up by member: exactly, and without an address on the disk."""

import gzip
import threading
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.csv_file import CsvSink, CsvSource
from altcraft_balance.refresh.files.file_source import Interrupted
from altcraft_balance.refresh.files.json_lines import JsonLinesSink, JsonLinesSource
from altcraft_balance.refresh.files.parquet_sink import ParquetSink
from altcraft_balance.refresh.files.parquet_source import ParquetSource
from altcraft_balance.refresh.port import SourceInfo
from altcraft_balance.refresh.previous import PreviousFile
from tests.refresh.runs import Platform, envelope, members_csv, points_of, refreshed

HEAD = "member,total_balance,active_balance,currency,loyalty_program_id,status\n"


class Rows:
    """A source in memory, which counts how often it is read."""

    def __init__(self, columns, rows):
        self.columns, self._rows = columns, rows

    def describe(self):
        return SourceInfo(name="last.csv", columns=self.columns, fingerprint="f")

    def rows(self, skip):
        return iter(self._rows[skip:])


COLUMNS = ("member", "total_balance", "active_balance", "currency", "loyalty_program_id", "status")


def built(source, **told):
    previous = PreviousFile(source, **told)
    previous.build()
    return previous


def of_rows(*rows, columns=COLUMNS, **told):
    return built(Rows(columns, rows), **told)


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "sink", "source"),
    [
        ("out.csv", CsvSink, CsvSource),
        ("out.csv.gz", CsvSink, CsvSource),
        ("out.jsonl.zst", JsonLinesSink, JsonLinesSource),
        ("out.parquet", ParquetSink, ParquetSource),
        ("out/", ParquetSink, ParquetSource),
    ],
)
@pytest.mark.may_block("it reads what was written, here")
async def test_what_a_run_wrote_is_found(tmp_path, name, sink, source):
    """In every format, with the currency and the program that it asked for."""
    path = f"{tmp_path}/{name}"
    platform = Platform()
    platform.replies["m2@example.com"] = envelope(5, "no such member")
    platform.replies["m3@example.com"] = envelope(500, "broken")
    await refreshed(
        CsvSource(members_csv(tmp_path / "in.csv", 600)), sink(path), platform,
        settings={"not_a_member": {5}}, max_failed=1, keep=["id"],
    )  # fmt: skip
    previous = built(source(path))
    keys = [(f"m{number}@example.com", 123, None) for number in range(600)]
    found = previous.lookup([*keys, ("m600@example.com", 123, None), (*keys[0][:1], 7, None)])
    assert found[2:4] == [(None, None), None]
    assert found[600:] == [None, None]
    for number in {*range(600)} - {2, 3}:
        total, active = map(Decimal, found[number])
        assert (total, -active) == (Decimal(points_of(str(number))),) * 2
    by_id = built(source(path), key="id")
    assert by_id.lookup([("0007", "123", "")]) == [found[7]]
    for one in (previous, by_id):
        one.close()


def test_cells_are_the_same_in_every_type():
    """A phone, a program and a currency may be numbers in one file and texts in another."""
    previous = of_rows([79001234567, "1.50", "0", "stars", 5, "found"])
    assert previous.lookup([("79001234567", "5", "stars")]) == [("1.50", "0")]
    assert previous.lookup([(79001234567, 5, "Stars")]) == [None]
    previous.close()


def test_columns_that_are_not_there_say_nothing():
    """Of a file that a user has cut down to what he needs."""
    columns = ("id", "b_total_balance", "b_active_balance", "b_status")
    previous = of_rows(["1", "2", "3", "found"], columns=columns, key="id", prefix="b_")
    assert previous.lookup([("1", 123, "stars"), ("2", None, None)]) == [("2", "3"), None]
    previous.close()


def test_the_last_answer_counts():
    """A row that failed says nothing; nor does it hide what an earlier one says."""
    previous = of_rows(
        ["a", "1", "1", None, 1, "found"],
        ["b", "1", "1", None, 1, "found"],
        ["a", "2", "2", None, 1, "found"],
        ["b", None, None, None, 1, "failed"],
        ["c", "3", "3", None, 1, "found"],
        ["c", None, None, None, 1, "not_a_member"],
        ["d", None, None, None, 1, "not_asked"],
        ["e", None, None, None, None, "bad_input"],
    )
    found = previous.lookup([(member, 1, None) for member in "abcde"])
    assert found == [("2", "2"), ("1", "1"), (None, None), None, None]
    previous.close()


def test_cells_do_not_run_into_each_other():
    """What ends one and begins the next belongs to either."""
    previous = of_rows(["a1", "1", "1", "2", 3, "found"])
    others = [("a", 13, "2"), ("a1", 32, ""), ("a1", "", "32"), ("", "a1", "32"), ("a13", "", "2")]
    assert previous.lookup(others) == [None] * 5
    assert previous.lookup([("a1", 3, "2")]) == [("1", "1")]
    previous.close()


@settings(max_examples=20)
@example({"\ud800": Decimal(1)})
@given(st.dictionaries(st.text(), st.decimals(allow_nan=False, allow_infinity=False)))
def test_whatever_a_key_is_it_is_found(amounts):
    """Any text, in any order, as often as it is asked."""
    rows = [[key, str(amount), "0", "", "", "found"] for key, amount in amounts.items()]
    previous = of_rows(*rows)
    keys = [(key, None, None) for key in amounts]
    expected = [(str(amount), "0") for amount in amounts.values()]
    assert previous.lookup([*keys, *reversed(keys)]) == [*expected, *reversed(expected)]
    previous.close()


def test_many_rows_and_many_keys():
    """More than a block, and more than one statement takes."""
    rows = [[f"m{n}", f"{n}", "0", None, 1, "found"] for n in range(25_000)]
    previous = of_rows(*rows)
    keys = [(f"m{n}", 1, None) for n in range(24_999, -1, -7)]
    assert previous.lookup(keys) == [(key[0][1:], "0") for key in keys]
    assert previous.lookup([]) == []
    previous.close()
    previous.close()


@pytest.mark.parametrize("missing", ["member", "total_balance", "active_balance", "status"])
def test_a_column_that_is_missing_is_told(tmp_path, missing):
    """In one sentence, before any row is read."""
    path = written(tmp_path / "last.csv", HEAD.replace(missing, "other", 1))
    with pytest.raises(ConfigurationError) as caught:
        PreviousFile(CsvSource(path)).describe()
    assert str(caught.value) == (
        f"last.csv is no output of an earlier run to compare with: it has no column {missing!r}"
    )


def test_a_column_that_is_there_twice_is_told():
    """Nobody knows which one is meant."""
    with pytest.raises(ConfigurationError, match=r"last.csv has the column 'member' twice"):
        of_rows(columns=(*COLUMNS, "member"))


@pytest.mark.parametrize("amount", ["", "1,5", "NaN", "Infinity", "a@example.com"])
def test_an_amount_that_is_no_number_is_told(amount):
    """With its row, and without what stands there."""
    with pytest.raises(ConfigurationError) as caught:
        of_rows(["a", "1", "1", "", "", "found"], ["b", "1", amount, "", "", "found"])
    assert str(caught.value) == "last.csv has an amount that is no number in row 2"


def test_rows_that_are_none_are_left_out(tmp_path):
    """As a run itself would leave them out."""
    path = written(tmp_path / "last.csv", f"{HEAD}a,1,1,,,found\nb,1\nc,2,2,,,found\n")
    previous = built(CsvSource(path))
    assert previous.lookup([(member, None, None) for member in "abc"]) == [
        ("1", "1"), None, ("2", "2"),
    ]  # fmt: skip
    previous.close()


def test_another_file_has_another_fingerprint(tmp_path):
    """So that a run goes on only with what it began to compare with."""
    path, prints = tmp_path / "last.csv", set()
    for text in (f"{HEAD}a,1,1,,,found\n", f"{HEAD}a,2,1,,,found\n"):
        previous = PreviousFile(CsvSource(written(path, text)))
        previous.describe()
        prints |= {previous.fingerprint}
    assert len(prints - {""}) == 2


def test_what_is_read_may_be_interrupted(tmp_path):
    """From another thread, in the middle of a file that takes minutes."""
    path = tmp_path / "last.csv.gz"
    rows = "".join(f"m{number}@example.com,1,1,,,found\n" for number in range(50_000))
    path.write_bytes(gzip.compress((HEAD + rows).encode(), 1))
    previous = PreviousFile(CsvSource(path))
    previous.describe()
    read, begun = CsvSource.read, threading.Event()

    def interrupted(source, file, columns):
        for number, cells in enumerate(read(source, file, columns)):
            if number == 10:
                begun.set()
                stopping.join()
            yield cells

    def stop():
        begun.wait()
        previous.interrupt()

    stopping = threading.Thread(target=stop)
    stopping.start()
    previous._source.read = interrupted.__get__(previous._source)
    with pytest.raises(Interrupted):
        previous.build()
    with pytest.raises(Interrupted):
        previous.build()
    previous.close()


def test_a_source_that_cannot_be_interrupted_is_left_between_blocks():
    """Of whatever makes rows."""
    previous = PreviousFile(Rows(COLUMNS, [["a", "1", "1", None, 1, "found"]]))
    previous.interrupt()
    with pytest.raises(Interrupted):
        previous.build()
    previous.close()


def test_no_address_lies_on_the_disk(tmp_path, monkeypatch):
    """The file has no name, and what is in it is no address, nor a hash that others could make."""
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    previous = of_rows(["canary@example.com", "1", "1", "", "", "found"])
    other = of_rows(["canary@example.com", "1", "1", "", "", "found"])
    assert list(tmp_path.iterdir()) == []
    kept = [list(one._file.execute("SELECT * FROM rows")) for one in (previous, other)]
    assert b"canary" not in repr(kept).encode()
    assert kept[0] != kept[1]
    assert "canary" not in repr(vars(previous))
    for one in (previous, other):
        one.close()


@pytest.mark.parametrize("statement", ["max_page_count = 1", "query_only = 1"])
def test_a_full_disk_is_told(monkeypatch, statement):
    """One sentence, which speaks of the temporary file."""
    from altcraft_balance.refresh import previous as module

    made = module._made

    def full():
        file = made()
        file.execute(f"PRAGMA {statement}")
        return file

    monkeypatch.setattr(module, "_made", full)
    rows = [[f"m{n}", "1", "0", None, 1, "found"] for n in range(1_000)]
    previous = PreviousFile(Rows(COLUMNS, rows))
    with pytest.raises(OSError, match=r"the temporary file cannot be written: .*; nothing is lost"):
        previous.build()
    previous.close()
