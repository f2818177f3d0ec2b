"""The table of balances: which names, types and keys it takes, said before anybody is asked."""

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.models import CurrencyEid
from altcraft_balance.refresh.files.csv_file import CsvSink, CsvSource
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


async def test_a_currency_that_is_too_long_is_bad_input(database, tmp_path):
    """It is not asked about, and its row ends no run; one of 100 letters beside it is kept."""
    path, longest = tmp_path / "in.csv", "ж" * 100
    rows = f"m1@example.com,{longest}\nm2@example.com,{longest}x\nm3@example.com,{'xyz' * 2_000}\n"
    path.write_text(f"email,currency\n{rows}", encoding="utf-8")
    platform = Platform()
    arguments = {"currency_column": "currency", "max_failed": 2}
    target = sink(database)
    summary = await refreshed(CsvSource(path), target, platform, **arguments)
    assert (summary.is_finished, summary.statuses["bad_input"]) == (True, 2)
    assert platform.members == ["m1@example.com"]
    (row,) = database.fetch("SELECT * FROM balances")
    assert (row["member"], row["currency"]) == ("m1@example.com", longest)


@pytest.mark.server
async def test_the_longest_key_goes_into_the_index(postgres, tmp_path):
    """What cannot be compressed as well: a key of letters of four bytes each."""
    letters = [chr(0x1F300 + 37 * number % 701) for number in range(600)]
    key, currency = "".join(letters[:500]), "".join(letters[500:])
    path = tmp_path / "in.csv"
    path.write_text(f"id,email,currency\n{key},m1@example.com,{currency}\n", encoding="utf-8")
    arguments = {"currency_column": "currency"}
    await refreshed(CsvSource(path), sink(postgres, key="id"), **arguments)
    (row,) = postgres.fetch("SELECT * FROM balances")
    assert (row["id"], row["currency"]) == (key, currency)


@pytest.mark.parametrize("how", ["currencies", "currency"])
async def test_a_currency_of_all_rows_that_is_too_long_is_refused(begun, how):
    """Whoever gives it; a file takes it."""
    currency, platform = CurrencyEid("x" * 101), Platform()
    arguments = (
        {"currencies": [currency]} if how == "currencies" else {"settings": {"currency": currency}}
    )
    with pytest.raises(ConfigurationError, match="more than 100 characters: a table"):
        await refreshed(source(begun), sink(begun), platform, **arguments)
    assert platform.asked == []
    assert "balances" not in begun.tables()
