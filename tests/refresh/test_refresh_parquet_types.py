"""Parquet to write: each value in its column's type, exactly, or refused."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.parquet_sink import ParquetSink
from altcraft_balance.refresh.port import Column
from tests.refresh.parquet_runs import ROW, written

pa = pytest.importorskip("pyarrow", reason="needs the extra 'parquet'")
pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra 'parquet'")


def one_column(path, kind, cells):
    sent = [[cell] for cell in cells]
    return pq.read_table(written(path, [sent], columns=(Column("c", kind),)))["c"].to_pylist()


def test_each_column_has_its_exact_type(tmp_path):
    """Amounts are decimals, times are in UTC, and the rest is what it was."""
    table = pq.read_table(written(tmp_path / "out.parquet", [[ROW, [None] * 6]]))
    assert table.schema.types == [
        pa.string(),
        pa.decimal128(38, 9),
        pa.timestamp("us", tz="UTC"),
        pa.int64(),
        pa.float64(),
        pa.bool_(),
    ]
    first, second = table.to_pylist()
    at = datetime(2025, 1, 2, 3, 4, 5, 678901, UTC)
    assert list(first.values()) == ["0012", Decimal("1000.00"), at, 7, 0.5, True]
    assert list(second.values()) == [None] * 6


@pytest.mark.parametrize(
    ("kind", "cells", "kept"),
    [
        ("text", ["a", 5, True, 1.5, None, ""], ["a", "5", "true", "1.5", None, ""]),
        ("text", ["\ud800x"], ["\\ud800x"]),
        ("integer", ["12", 3, 4.0, None, True], [12, 3, 4, None, 1]),
        ("number", ["1.5", 2, None], [1.5, 2.0, None]),
        ("boolean", ["true", False, "0", None], [True, False, False, None]),
        ("amount", ["1.5" + "0" * 60, "-0", "5."], [Decimal("1.5"), Decimal(0), Decimal(5)]),
        (
            "time",
            ["2025-01-02T03:04:05Z", "2025-01-02T03:04:05", "2025-01-02T06:04:05+03:00"],
            [datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)] * 3,
        ),
    ],
)
def test_cells_of_an_untyped_source_find_their_type(tmp_path, kind, cells, kept):
    """A column takes what can be told to be of its type, one by one if need be."""
    assert one_column(tmp_path / "out.parquet", kind, cells) == kept


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        ("integer", "x"),
        ("integer", 2**63),
        ("integer", 1.5),
        ("number", "x"),
        ("boolean", "maybe"),
        ("amount", "1.0000000001"),
        ("time", "yesterday"),
    ],
)
def test_nothing_is_rounded_or_left_out(tmp_path, kind, cell):
    """A value that its column cannot hold is refused with one sentence, which does not show it."""
    with pytest.raises(ConfigurationError, match=r"a value of column c is no .*") as caught:
        one_column(tmp_path / "out.parquet", kind, [cell])
    assert str(cell) not in str(caught.value)


def test_rows_of_any_length_fit(tmp_path):
    """A row that is too short ends in nulls, and one that is too long is cut."""
    rows = [["a"], ["b", "1", None, None, None, None, "more"], []]
    table = pq.read_table(written(tmp_path / "out.parquet", [rows]))
    assert table["member"].to_pylist() == ["a", "b", None]
    assert table["total"].to_pylist() == [None, Decimal(1), None]
    short = pq.read_table(written(tmp_path / "short.parquet", [[["a"], ["b"]]]))
    assert short["program"].to_pylist() == [None, None]


@pytest.mark.parametrize(
    ("scale", "amount", "fits"),
    [
        (9, "1000.00", True),
        (9, "-1000.000000001", True),
        (9, "1.0000000001", False),
        (9, "1.0000000010000", True),
        (9, "-" + "9" * 29 + ".999999999", True),
        (9, "9" * 30, False),
        (9, "0" * 50 + "1.5", True),
        (0, "5.0", True),
        (0, "5.1", False),
        (0, "9" * 38, True),
        (0, "9" * 39, False),
        (38, "0." + "1" * 38, True),
        (38, "-0.5", True),
        (38, "1", False),
        (37, "12", False),
        (37, "9.5", True),
    ],
)
def test_an_amount_is_refused_exactly_when_it_does_not_fit(tmp_path, scale, amount, fits):
    """What is not refused is kept to the last digit, and what is refused could not be."""
    sink = ParquetSink(tmp_path / "out.parquet", amount_scale=scale)
    assert (sink.refuses(amount) is None) == fits
    columns, path = (Column("c", "amount"),), tmp_path / "out.parquet"
    if fits:
        written(path, [[[amount]]], columns=columns, amount_scale=scale)
        assert pq.read_table(path)["c"].to_pylist() == [Decimal(amount)]
        return
    with pytest.raises(ConfigurationError):
        written(path, [[[amount]]], columns=columns, amount_scale=scale)


@pytest.mark.parametrize("scale", [-1, 39, 1.5, "9", True, None])
def test_a_bad_scale_is_told_at_once(tmp_path, scale):
    """One sentence says what it must be."""
    with pytest.raises(ConfigurationError, match="amount_scale must be a whole number from 0"):
        ParquetSink(tmp_path / "out.parquet", amount_scale=scale)
