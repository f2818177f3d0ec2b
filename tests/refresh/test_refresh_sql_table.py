"""The table of balances: which names, types and keys it takes, said before anybody is asked."""

from decimal import Decimal

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.models import CurrencyEid
from altcraft_balance.refresh.files.csv_file import CsvSink, CsvSource
from altcraft_balance.refresh.previous import PreviousFile
from tests.refresh.databases import balances, sink, source, with_members
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


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("changed_at", "prefix is needed: the table would have the column 'changed_at' twice"),
        ("tried_at", "prefix is needed: .* 'tried_at' twice"),
        ("previous_active_balance", "prefix is needed: .* 'previous_active_balance' twice"),
        ("looked_up_at", "prefix is needed: .* 'looked_up_at' twice"),
        ("", "a column without a name"),
    ],
)
async def test_a_name_that_the_table_has_already_is_refused(database, tmp_path, name, sentence):
    """Nobody is asked, and nothing is made; with a prefix it is another name."""
    path, platform = tmp_path / "in.csv", Platform()
    path.write_text(f"email,{name}\nm1@example.com,7\n")
    sinks = [CsvSink(tmp_path / "out.csv"), sink(database)]
    with pytest.raises(ConfigurationError, match=sentence):
        await refreshed(CsvSource(path), sinks, platform, keep=[name])
    assert platform.asked == []
    assert "balances" not in database.tables()
    assert {found.name for found in tmp_path.iterdir()} <= {"in.csv", "night.db"}
    if name:
        await refreshed(CsvSource(path), sink(database), platform, keep=[name], prefix="p_")
        (row,) = database.fetch("SELECT * FROM balances")
        assert row[name] == "7"


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("email,Status", "prefix is needed: SQLite takes .*'Status' and 'status' for the same"),
        ("email,id,ID", "'id' and 'ID' for the same: leave one out of keep"),
        ("email,имя,Имя", None),
    ],
)
async def test_names_that_differ_in_case_alone(database, tmp_path, header, sentence):
    """They are two names in PostgreSQL; in SQLite one, if their letters are of ASCII."""
    path, platform = tmp_path / "in.csv", Platform()
    names = header.split(",")
    path.write_text(f"{header}\nm1@example.com{',7' * (len(names) - 1)}\n", encoding="utf-8")
    if sentence is None or database.kind == "postgresql":
        await refreshed(CsvSource(path), sink(database), platform, keep=names[1:])
        (row,) = database.fetch("SELECT * FROM balances")
        assert {row[name] for name in names[1:]} == {"7"}
        return
    with pytest.raises(ConfigurationError, match=sentence):
        await refreshed(CsvSource(path), sink(database), platform, keep=names[1:])
    assert platform.asked == []


@pytest.mark.parametrize("length", [31, 32])
async def test_names_of_postgres_have_63_bytes(database, tmp_path, length):
    """Not letters; SQLite has no such limit."""
    path, name = tmp_path / "in.csv", "ж" * length
    path.write_text(f"email,{name}\nm1@example.com,7\n", encoding="utf-8")
    if length == 31 or database.kind == "sqlite":
        await refreshed(CsvSource(path), sink(database), keep=[name])
        assert database.fetch("SELECT * FROM balances")[0][name] == "7"
        return
    with pytest.raises(ConfigurationError, match=r"more than 63 bytes.* in the source"):
        await refreshed(CsvSource(path), sink(database), keep=[name])
    with pytest.raises(ConfigurationError, match=r"more than 63 bytes.* a shorter prefix"):
        await refreshed(CsvSource(path), sink(database), prefix="p" * 60)


@pytest.mark.parametrize("name", ["previous_total_balance", "previous_active_balance"])
async def test_a_name_that_the_changes_have_already_is_refused(tmp_path, name):
    """Whatever the prefix is, since these have none; or it is the prefix that makes it."""
    path, before, platform = tmp_path / "in.csv", tmp_path / "before.csv", Platform()
    path.write_text(f"email,{name}\nm1@example.com,7\n")
    for arguments, way in (
        ({"keep": [name], "prefix": "p_"}, "rename it in the source"),
        ({"prefix": "previous_"}, "give another prefix"),
    ):
        prefix = arguments["prefix"]
        names = [prefix + one for one in ("member", "total_balance", "active_balance", "status")]
        before.write_text(",".join(names) + "\n")
        sinks = {
            "changes_to": CsvSink(tmp_path / "changes.csv"),
            "previous": PreviousFile(CsvSource(before), prefix=prefix),
        }
        with pytest.raises(ConfigurationError, match=f"changes_to .*twice: {way}"):
            await refreshed(
                CsvSource(path), CsvSink(tmp_path / "out.csv"), platform, **arguments, **sinks
            )
    assert platform.asked == []
    assert {found.name for found in tmp_path.iterdir()} == {"in.csv", "before.csv"}


async def _refused(database, rows, sentence, **arguments):
    """A night of `rows` is, before anybody is asked."""
    platform = Platform()
    with pytest.raises(ConfigurationError, match=sentence):
        await refreshed(rows, sink(database, **arguments), platform)
    assert platform.asked == []


@pytest.mark.server
async def test_a_key_of_another_type_is_refused(postgres, tmp_path):
    """The ids of a file are text, those of a database may be numbers."""
    with_members(postgres, 2)
    path = tmp_path / "in.csv"
    path.write_text("id,email\n0,m0@example.com\n")
    await refreshed(source(postgres), sink(postgres, key="id"))
    sentence = "'id' of the table balances is BIGINT, and what comes there is text"
    await _refused(postgres, CsvSource(path), sentence, key="id")
    postgres.do("ALTER TABLE balances ALTER COLUMN id TYPE varchar(40)")
    await refreshed(CsvSource(path), sink(postgres, key="id"))
    sentence = (
        r"'id' of the table balances is VARCHAR\(40\), and what comes there is a whole number"
    )
    await _refused(postgres, source(postgres), sentence, key="id")
    postgres.do("ALTER TABLE balances ALTER COLUMN id TYPE int USING id::int")
    await refreshed(source(postgres), sink(postgres, key="id"))
    postgres.do("ALTER TABLE balances ALTER COLUMN currency TYPE int USING 0")
    await _refused(postgres, source(postgres), "'currency' of the table .* is text", key="id")


@pytest.mark.server
async def test_a_query_without_rows_has_keys_of_any_type(postgres):
    """There is nobody whose key it could be."""
    with_members(postgres, 2)
    await refreshed(source(postgres), sink(postgres, key="id"))
    none = "SELECT id, email FROM members WHERE id > 5"
    summary = await refreshed(source(postgres, none), sink(postgres, key="id"))
    assert (summary.is_finished, summary.rows) == (True, 0)


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        ("shop text NOT NULL", "'shop' of the table balances is NOT NULL, and nothing comes there"),
        ("shop text", None),
        ("shop text NOT NULL DEFAULT 'x'", None),
        ("shop text NOT NULL GENERATED ALWAYS AS ('x') STORED", None),
        ("shop {number}", None),
    ],
)
async def test_a_column_that_nobody_fills_is_refused(begun, column, sentence):
    """If it must be filled; one that fills itself is no matter."""
    numbers = {
        "sqlite": "INTEGER PRIMARY KEY NOT NULL",
        "postgresql": "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    }
    column = column.format(number=numbers[begun.kind])
    amount, time = ("text", "text") if begun.kind == "sqlite" else ("numeric", "timestamptz")
    begun.do(
        f"CREATE TABLE balances ({column}, member text, loyalty_program_id bigint, currency text,"
        f" total_balance {amount}, active_balance {amount}, previous_active_balance {amount},"
        f" looked_up_at {time}, changed_at {time}, tried_at {time}, status text NOT NULL,"
        " error_kind text, error_code bigint, error_text text,"
        " UNIQUE (member, loyalty_program_id, currency))"
    )
    if sentence is not None:
        await _refused(begun, source(begun), sentence)
        return
    await refreshed(source(begun), sink(begun))
    assert len(begun.fetch("SELECT * FROM balances")) == 3


@pytest.mark.server
async def test_a_column_of_ours_that_may_be_empty_must_allow_it(postgres):
    """Whoever made the table has only seen good nights."""
    with_members(postgres, 2)
    await refreshed(source(postgres), sink(postgres))
    for name in ("status", "total_balance"):
        postgres.do(f"ALTER TABLE balances ALTER COLUMN {name} SET NOT NULL")
    await _refused(postgres, source(postgres), "'total_balance' of the table .* must allow NULL")
    postgres.do("ALTER TABLE balances ALTER COLUMN total_balance DROP NOT NULL")
    platform = Platform()
    platform.always = envelope(500, "Boom")
    summary = await refreshed(source(postgres), sink(postgres), platform, max_failed=2)
    assert summary.statuses["failed"] == 2


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("12345678901234567890123456789012345.10", "12345678901234567890123456789012345.1"),
        ("0.000000000000000000000000000000001", "0.000000000000000000000000000000001"),
        ("-0.00", "0"),
        ("100", "100"),
        ("7.10", "7.1"),
    ],
)
async def test_no_digit_is_lost(database, given, kept):
    """However many there are; in SQLite equal amounts are equal texts."""
    with_members(database, 1)
    platform = Platform()
    platform.replies["m0@example.com"] = envelope(0, total_balance=given, active_balance="1")
    await refreshed(source(database), sink(database), platform)
    (row,) = balances(database).values()
    assert Decimal(row["total_balance"]) == Decimal(given)
    if database.kind == "sqlite":
        assert row["total_balance"] == kept
