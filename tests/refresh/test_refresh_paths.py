"""Nothing that is read, written or kept may lie where an output appears, or grows."""

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.csv_file import CsvSink, CsvSource
from altcraft_balance.refresh.files.parquet_sink import ParquetSink
from altcraft_balance.refresh.previous import PreviousFile
from tests.refresh.runs import members_csv, refreshed


@pytest.mark.parametrize(
    ("of", "name", "sentence"),
    [
        ("input", "out/in.csv", "the input is inside .*/out, which sink replaces as a whole"),
        ("errors_to", "out/errors.csv", "errors_to is inside .*/out, which sink replaces"),
        ("errors_to", "out.partial/errors.csv", "errors_to is where .*/out grows"),
        ("errors_to", "out.lock", "errors_to is where .*/out grows: name another place"),
        ("state", "out/state", "state is inside .*/out, which sink replaces as a whole"),
        ("previous", "out/old.csv", "previous is inside .*/out, which sink replaces"),
        ("previous", "out", "out is previous, or inside it: name another output"),
    ],
)
async def test_nothing_lies_in_an_output_that_replaces_a_folder(tmp_path, of, name, sentence):
    """It would be gone with the folder, after the run had finished."""
    pytest.importorskip("pyarrow", reason="needs the extra 'parquet'")
    for folder in ("out", "out.partial"):
        (tmp_path / folder).mkdir()
    path = members_csv(tmp_path / (name if of == "input" else "in.csv"), 3)
    there, others = CsvSink(tmp_path / name), {}
    if of == "errors_to":
        others = {"errors_to": there}
    elif of == "state":
        others = {"state": tmp_path / name}
    elif of == "previous":
        previous = PreviousFile(CsvSource(tmp_path / name))
        others = {"previous": previous, "changes_to": CsvSink(tmp_path / "changes.csv")}
    with pytest.raises(ConfigurationError, match=sentence):
        await refreshed(CsvSource(path), ParquetSink(f"{tmp_path}/out/", overwrite=True), **others)
    assert path.exists()


@pytest.mark.parametrize("name", ["b.csv.partial", "b.csv.lock", "b.csv.partial.whole"])
async def test_an_output_is_not_where_another_grows(tmp_path, name):
    """It would be that one's, or gone."""
    path, errors = members_csv(tmp_path / "in.csv", 3), CsvSink(tmp_path / name)
    with pytest.raises(ConfigurationError, match=r"errors_to is where .*/b\.csv grows"):
        await refreshed(CsvSource(path), CsvSink(tmp_path / "b.csv"), errors_to=errors)


async def test_two_sinks_are_not_one_in_the_other(tmp_path):
    """The one that replaces a folder would remove the other."""
    pytest.importorskip("pyarrow", reason="needs the extra 'parquet'")
    (tmp_path / "out").mkdir()
    sinks = [CsvSink(tmp_path / "out" / "b.csv"), ParquetSink(f"{tmp_path}/out/", overwrite=True)]
    with pytest.raises(ConfigurationError, match=r"sink is inside .*/out, which sink 2 replaces"):
        await refreshed(CsvSource(members_csv(tmp_path / "in.csv", 3)), sinks)
