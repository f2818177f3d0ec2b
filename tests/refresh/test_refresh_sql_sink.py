"""The table of balances: what a row says after one night and after another."""

from decimal import Decimal

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.models import CurrencyEid
from altcraft_balance.refresh.files.csv_file import CsvSink, CsvSource
from altcraft_balance.settings import Limits
from tests.refresh.databases import balances, sink, source, timeless, with_members
from tests.refresh.runs import Platform, envelope, members_csv, points_of, refreshed, rows_of

ROWS = 12
ADDED = {"previous_active_balance", "changed_at", "tried_at"}
M3 = "m3@example.com"
_TWO = Limits(concurrency=2)


async def night(database, platform=None, *, rows=ROWS, **arguments):
    """One refresh of everybody."""
    settings = {"settings": {"not_a_member": {404}}, "max_failed": rows}
    return await refreshed(
        source(database), sink(database), platform or Platform(), **{**settings, **arguments}
    )


@pytest.fixture
def begun(database):
    """A database with members."""
    return with_members(database, ROWS)


async def test_the_table_is_made_with_right_types_and_a_key(begun):
    """Amounts are exact, times have a zone, and rows are found by member, program and currency."""
    await night(begun)
    row = balances(begun)[M3]
    assert row.keys() > ADDED
    assert (row["status"], row["currency"]) == ("found", "")
    if begun.kind == "sqlite":
        assert (row["total_balance"], row["active_balance"]) == ("3.25", "-3.25")
        return
    assert (row["total_balance"], row["active_balance"]) == (Decimal("3.25"), Decimal("-3.25"))
    assert row["looked_up_at"].tzinfo is not None
    types = {
        found["column_name"]: found["data_type"]
        for found in begun.fetch(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_name = 'balances'"
        )
    }
    assert types["total_balance"] == types["previous_active_balance"] == "numeric"
    assert types["looked_up_at"] == types["tried_at"] == "timestamp with time zone"
    assert types["loyalty_program_id"] == "bigint"
    (key,) = begun.fetch(
        "SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint WHERE contype = 'p'"
        " AND conrelid = 'balances'::regclass"
    )
    assert key["text"] == "PRIMARY KEY (member, loyalty_program_id, currency)"


async def test_a_night_in_which_everything_fails_leaves_all_balances(begun):
    """It says so, and when it was tried; nothing else in the whole table differs."""
    await night(begun)
    before = balances(begun)
    platform = Platform()
    platform.always = envelope(500, "Boom")
    summary = await night(begun, platform)
    assert summary.statuses["failed"] == ROWS
    after = balances(begun)
    for member, row in after.items():
        touched = {name for name in row if row[name] != before[member][name]}
        assert touched == {"status", "error_kind", "error_code", "error_text", "tried_at"}
        assert (row["status"], row["error_code"], row["error_text"]) == ("failed", 500, "Boom")
        assert row["tried_at"] > before[member]["looked_up_at"]
    await night(begun)
    again = balances(begun)
    for member, row in again.items():
        touched = {name for name in row if row[name] != before[member][name]}
        assert touched == {"looked_up_at", "tried_at"}, "the error goes with the next answer"
        assert row["tried_at"] == after[member]["tried_at"]


@pytest.mark.parametrize("text", ["3.25", "3.250", "3.2500"])
async def test_equal_amounts_change_the_time_alone(begun, text):
    """However they are written; SQLite has texts."""
    await night(begun)
    before = balances(begun)[M3]
    platform = Platform()
    platform.replies[M3] = envelope(0, total_balance=text, active_balance=f"-{text}")
    await night(begun, platform)
    after = balances(begun)[M3]
    assert {name for name in after if after[name] != before[name]} == {"looked_up_at"}
    assert str(after["total_balance"]) == "3.25"


async def test_other_amounts_keep_what_was_before(begun):
    """The active balance before, and when it changed; then it stays until the next change."""
    await night(begun)
    platform = Platform()
    platform.replies[M3] = envelope(0, total_balance="8", active_balance="7.5")
    await night(begun, platform)
    changed = balances(begun)[M3]
    assert str(changed["active_balance"]) == "7.5"
    assert str(changed["previous_active_balance"]) == "-3.25"
    assert changed["changed_at"] == changed["looked_up_at"]
    await night(begun, platform)
    same = balances(begun)[M3]
    assert {name for name in same if same[name] != changed[name]} == {"looked_up_at"}


async def test_one_who_has_left_the_program_has_no_amounts(begun):
    """That is an answer: the balance goes, and it is kept what it was."""
    await night(begun)
    platform = Platform()
    platform.replies[M3] = envelope(404, "No such member")
    await night(begun, platform)
    row = balances(begun)[M3]
    assert (row["status"], row["total_balance"], row["active_balance"]) == (
        "not_a_member",
        None,
        None,
    )
    assert str(row["previous_active_balance"]) == "-3.25"
    assert row["error_code"] == 404


async def test_what_was_not_asked_touches_nothing(begun):
    """A run that is given up leaves those rows as they are."""
    await night(begun)
    before = balances(begun)
    summary = await night(begun, give_up=True)
    assert summary.statuses["not_asked"] == ROWS
    assert balances(begun) == before


async def test_an_answer_counts_whatever_the_clock_says(begun):
    """It was set back since: what is counted as found is in the table."""
    await night(begun)
    future = "2999-01-01T00:00:00.000+00:00"
    begun.do(f"UPDATE balances SET looked_up_at = '{future}' WHERE member = ?", M3)
    platform = Platform()
    platform.always = envelope(0, total_balance="1", active_balance="1")
    await night(begun, platform)
    after = balances(begun)[M3]
    assert str(after["total_balance"]) == "1"
    assert str(after["looked_up_at"]) < "2999"
    assert after["changed_at"] == after["looked_up_at"]


async def test_a_doubled_member_is_asked_once_and_written_once(database, tmp_path):
    """Files beside the table get both rows."""
    path = tmp_path / "in.csv"
    path.write_text("id,email\n1,m1@example.com\n2,m2@example.com\n1,m1@example.com\n")
    out, platform = tmp_path / "out.csv", Platform()
    await refreshed(CsvSource(path), [CsvSink(out), sink(database)], platform)
    assert platform.members == ["m1@example.com", "m2@example.com"]
    assert [row["total_balance"] for row in rows_of(out)] == ["1.25", "2.25", "1.25"]
    assert len(balances(database)) == 2


@pytest.mark.parametrize("fails", ["1", "2", ""])
async def test_a_key_of_two_members_is_written_once(database, tmp_path, fails):
    """The last answer counts, and one that failed beside it does not: the next night is equal."""
    path = tmp_path / "in.csv"
    path.write_text("id,email\n7,m1@example.com\n7,m2@example.com\n")
    platform = Platform()
    platform.replies[f"m{fails}@example.com"] = envelope(500, "Boom")
    arguments = {"settings": {"limits": _TWO}, "max_failed": 2}
    nights = []
    for name in ("first", "second"):
        arguments["run_id"] = name
        await refreshed(CsvSource(path), sink(database, key="id"), platform, **arguments)
        nights += database.fetch("SELECT * FROM balances")
    assert max(platform.members) == "m2@example.com"
    first, second = nights
    assert (first["status"], first["error_kind"], first["tried_at"]) == ("found", None, None)
    assert str(first["total_balance"]) == ("1.25" if fails == "2" else "2.25")
    assert first["previous_active_balance"] is None
    assert {name for name in first if first[name] != second[name]} == {"looked_up_at"}


async def test_a_row_for_each_currency_and_program(database, tmp_path):
    """All of them are keys of their own."""
    path = tmp_path / "in.csv"
    path.write_text("id,email,program\n1,m1@example.com,5\n1,m1@example.com,6\n1,m1@example.com,\n")
    await refreshed(
        CsvSource(path),
        sink(database, key="id"),
        program_column="program",
        currencies=[CurrencyEid("stars"), CurrencyEid("bonus")],
        keep=["program"],
    )
    rows = database.fetch("SELECT * FROM balances")
    assert {(row["loyalty_program_id"], row["currency"]) for row in rows} == {
        (program, currency) for program in (5, 6, 123) for currency in ("stars", "bonus")
    }
    assert {row["id"] for row in rows} == {"1"}


async def test_a_prefix_stands_before_our_columns_alone(begun):
    """As in files."""
    await night(begun, prefix="points_", keep=["id"])
    (row, *_) = begun.fetch("SELECT * FROM balances")
    names = {name for name in row if not name.startswith("points_")}
    assert names == {"id"}
    assert {f"points_{name}" for name in ADDED} < row.keys()


async def test_several_sinks_are_equal(begun, tmp_path):
    """A table, a CSV file and a Parquet file have the same rows."""
    pq = pytest.importorskip("pyarrow.parquet")
    from altcraft_balance.refresh.files.parquet_sink import ParquetSink

    sinks = [CsvSink(tmp_path / "a.csv"), sink(begun), ParquetSink(tmp_path / "a.parquet")]
    await refreshed(source(begun), sinks, keep=["id"])
    text = {row["member"]: row for row in rows_of(tmp_path / "a.csv")}
    parquet = {row["member"]: row for row in pq.read_table(tmp_path / "a.parquet").to_pylist()}
    table = balances(begun)
    assert len(text) == ROWS
    assert text.keys() == parquet.keys() == table.keys()
    for member, row in table.items():
        for name in ("total_balance", "active_balance", "id", "status"):
            assert str(row[name]) == text[member][name]
            assert (
                Decimal(parquet[member][name]) == Decimal(str(row[name]))
                if ("balance" in name)
                else str(parquet[member][name]) == str(row[name])
            )


async def test_changes_are_what_differs_from_the_table(begun, tmp_path):
    """On the first night everything; then those whose amounts are others, and no others."""
    platform = Platform()
    changes = tmp_path / "1.csv"
    await night(begun, platform, changes_to=CsvSink(changes))
    assert len(rows_of(changes)) == ROWS
    platform.replies[M3] = envelope(0, total_balance="3.2500", active_balance="-3.25")
    platform.replies["m4@example.com"] = envelope(0, total_balance="9", active_balance="8.50")
    platform.replies["m5@example.com"] = envelope(500, "Boom")
    platform.replies["m6@example.com"] = envelope(404, "gone")
    changes = tmp_path / "2.csv"
    await night(begun, platform, changes_to=CsvSink(changes))
    rows = {row["member"]: row for row in rows_of(changes)}
    assert rows.keys() == {"m4@example.com", "m6@example.com"}
    row = rows["m4@example.com"]
    assert (row["previous_total_balance"], row["previous_active_balance"]) == ("4.25", "-4.25")
    assert rows["m6@example.com"]["total_balance"] == ""


async def test_three_percent_of_two_thousand(database, tmp_path):
    """The changes hold exactly those 60, and all others keep their times of change."""
    with_members(database, 2_000)
    await night(database, rows=2_000)
    before = balances(database)
    platform = Platform()
    changed = {f"m{number}@example.com" for number in range(0, 2_000, 2_000 // 60) if number}
    changed = set(sorted(changed)[:60])
    for member in changed:
        platform.replies[member] = envelope(0, total_balance="0.5", active_balance="0")
    await night(database, platform, rows=2_000, changes_to=CsvSink(tmp_path / "c.csv"))
    assert {row["member"] for row in rows_of(tmp_path / "c.csv")} == changed
    for member, row in balances(database).items():
        assert (row["changed_at"] != before[member]["changed_at"]) == (member in changed)


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("CREATE TABLE balances (member text)", "has no column"),
        ("{copy}", "has no unique key of member, loyalty_program_id, currency"),
    ],
)
async def test_a_table_that_cannot_be_used_is_refused(begun, statement, sentence):
    """In one sentence, before anybody is asked about."""
    await night(begun)
    copy = "CREATE TABLE copied AS SELECT * FROM balances"
    begun.do(copy)
    begun.do("DROP TABLE balances")
    rename = "ALTER TABLE copied RENAME TO balances"
    begun.do(statement.format(copy=rename))
    platform = Platform()
    with pytest.raises(ConfigurationError, match=sentence):
        await night(begun, platform)
    assert platform.asked == []


@pytest.mark.server
async def test_a_schema_is_named_before_a_dot(postgres, tmp_path):
    """The state lies there as well; a schema that is not there is said."""
    rows = CsvSource(members_csv(tmp_path / "in.csv", 3))
    with pytest.raises(ConfigurationError, match="schema"):
        await refreshed(rows, sink(postgres, "loyalty.balances"))
    postgres.do("CREATE SCHEMA loyalty")
    await refreshed(rows, sink(postgres, "loyalty.balances"))
    assert len(balances(postgres, "loyalty.balances")) == 3
    assert postgres.tables() == set()


@pytest.mark.server
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("total_balance TYPE numeric(12, 2)", "'total_balance'.*without limits"),
        ("previous_active_balance TYPE double precision", "'previous_active_balance'.*numeric"),
        ("looked_up_at TYPE timestamp", "'looked_up_at'.*with time zone"),
    ],
)
async def test_a_table_that_would_round_is_refused(postgres, change, sentence):
    """No number of anybody's is another one in the table."""
    with_members(postgres, ROWS)
    await night(postgres)
    postgres.do(f"ALTER TABLE balances ALTER COLUMN {change}")
    with pytest.raises(ConfigurationError, match=sentence):
        await night(postgres)


@pytest.mark.parametrize("name", ["Select", "über_münzen", "order", "_1"])
async def test_odd_names_are_names(begun, name):
    """They are quoted where they must be."""
    await refreshed(source(begun), sink(begun, name))
    assert len(balances(begun, f'"{name}"')) == ROWS


@pytest.mark.parametrize(
    "name", ["", "a b", "a.b.c", 'a"b', "a;drop table x", "1a", "a" * 64, "a.", "%s"]
)
async def test_what_is_no_name_is_refused(sqlite, name):
    """With an example."""
    with pytest.raises(ConfigurationError, match="such as balances"):
        sink(sqlite, name)


@pytest.mark.parametrize(
    "member", ["a\0b@example.com", "ж" * 499, "😀" * 500, "'; --", '"', "%s :x"]
)
async def test_members_of_all_kinds(database, tmp_path, member):
    """NUL is no letter of PostgreSQL's, so it is none in SQLite; the rest is as it was given."""
    path = tmp_path / "in.csv"
    quoted = member.replace('"', '""')
    path.write_text(f'member\n"{quoted}"\n', encoding="utf-8")
    platform = Platform()
    await refreshed(CsvSource(path), sink(database), platform, by="custom:name")
    rows = database.fetch("SELECT * FROM balances")
    assert [row["member"] for row in rows] == [member.replace("\0", "\ufffd")]


async def test_a_key_that_is_too_long_is_bad_input(database, tmp_path):
    """It is not asked about, and the others are."""
    path = tmp_path / "in.csv"
    path.write_text(f"member\n{'x' * 501}\ny\n", encoding="utf-8")
    platform = Platform()
    summary = await refreshed(CsvSource(path), sink(database), platform, by="custom:name")
    assert summary.statuses["bad_input"] == 1
    assert [row["member"] for row in database.fetch("SELECT member FROM balances")] == ["y"]


@pytest.mark.parametrize("code", [2**31, 2**63 - 1, 2**63, 10**30, -(2**63)])
async def test_an_error_code_of_any_size_ends_no_run(database, tmp_path, code):
    """A server may say anything."""
    platform = Platform()
    platform.replies["m1@example.com"] = envelope(code, "Odd \0 text")
    rows = CsvSource(members_csv(tmp_path / "in.csv", 3))
    summary = await refreshed(rows, sink(database), platform, max_failed=3)
    assert summary.is_finished
    assert len(balances(database)) == 3


@pytest.mark.parametrize("program", ["9223372036854775807", "9223372036854775808", "-1"])
async def test_a_program_of_any_size_ends_no_run(database, tmp_path, program):
    """What is no program is bad input."""
    path = tmp_path / "in.csv"
    path.write_text(f"email,program\nm1@example.com,{program}\nm2@example.com,5\n")
    summary = await refreshed(
        CsvSource(path), sink(database), program_column="program", max_failed=2
    )
    assert summary.is_finished
    assert balances(database)["m2@example.com"]["loyalty_program_id"] == 5


@pytest.mark.parametrize("amount", ["1" + "0" * 20, "0." + "0" * 12 + "1", "-0", "1E+5", "0.10"])
async def test_amounts_are_exact(database, tmp_path, amount):
    """Of any size."""
    platform = Platform()
    platform.always = envelope(0, total_balance=amount, active_balance=amount)
    rows = CsvSource(members_csv(tmp_path / "in.csv", 1))
    await refreshed(rows, sink(database), platform)
    (row,) = database.fetch("SELECT * FROM balances")
    assert Decimal(str(row["total_balance"])) == Decimal(amount)


async def test_two_nights_that_are_the_same_leave_the_same_table(begun):
    """But for the times."""
    await night(begun)
    before = balances(begun)
    await night(begun)
    assert timeless(balances(begun)) == timeless(before)
    assert all(points_of(m) == str(row["total_balance"]) for m, row in before.items())
