"""The table of balances: which names, types and keys it takes, said before anybody is asked."""

import pytest

from altcraft_balance.refresh.files.csv_file import CsvSink
from tests.refresh.databases import sink, source, with_members
from tests.refresh.runs import Platform, envelope, refreshed, rows_of


@pytest.fixture
def begun(database):
    """A database with members."""
    return with_members(database, 3)


async def test_the_amounts_before_are_as_the_table_has_them(begun, tmp_path):
    """A numeric keeps its zeros; SQLite's text is the shortest already."""
    platform, changes = Platform(), tmp_path / "changes.csv"
    platform.always = envelope(0, total_balance="0.00", active_balance="10.50")
    await refreshed(source(begun), sink(begun), platform)
    await refreshed(source(begun), sink(begun), Platform(), changes_to=CsvSink(changes))
    row = rows_of(changes)[0]
    found = row["previous_total_balance"], row["previous_active_balance"]
    assert found == (("0", "10.5") if begun.kind == "sqlite" else ("0.00", "10.50"))
