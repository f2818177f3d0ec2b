"""One row for each row, in order, whatever comes of it."""

import asyncio

import pytest

from altcraft_balance import ByPhone, CurrencyEid, CurrencyIid, JsonLinesSource
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.csv_file import CsvSink, CsvSource
from tests.refresh.runs import Platform, envelope, from_file, points_of, refreshed, rows_of

OURS = (
    "member,total_balance,active_balance,currency,loyalty_program_id,status,error_kind,"
    "error_code,error_text,attempts,looked_up_at"
)


async def test_each_row_has_its_own_members_points_in_order(tmp_path):
    """1,500 rows are answered in some order and stand in the file's."""
    summary = await from_file(tmp_path, 1500, keep=["id"])
    rows = rows_of(tmp_path / "out.csv")
    assert [row["member"] for row in rows] == [f"m{number}@example.com" for number in range(1500)]
    assert all(row["total_balance"] == points_of(row["member"]) for row in rows)
    assert all(row["active_balance"] == f"-{row['total_balance']}" for row in rows)
    assert {row["status"] for row in rows} == {"found"}
    assert rows[7]["id"] == "0007"
    assert (summary.state, summary.rows, summary.total) == ("finished", 1500, 1500)


async def test_the_columns_are_the_promised_ones(tmp_path):
    """The header has the member, what is kept, and the answer, in this order."""
    await from_file(tmp_path, 1)
    head, row = (tmp_path / "out.csv").read_text().splitlines()
    assert head == OURS
    assert row.startswith("m0@example.com,0.25,-0.25,,123,found,,,,1,20")


async def test_errors_are_rows(tmp_path):
    """A member who is unknown, one whose lookup fails and a bad address have rows of their own."""
    platform = Platform()
    platform.replies["m1@example.com"] = envelope(404, "no such member")
    platform.replies["m2@example.com"] = envelope(440, "no account of m2@example.com")
    path = tmp_path / "in.csv"
    path.write_text("email\nm0@example.com\nm1@example.com\nm2@example.com\nnot-an-address\n")
    summary = await refreshed(
        CsvSource(path),
        CsvSink(tmp_path / "out.csv"),
        platform,
        settings={"not_a_member": {404}},
        errors_to=CsvSink(tmp_path / "errors.csv"),
    )
    rows = rows_of(tmp_path / "out.csv")
    assert [row["status"] for row in rows] == ["found", "not_a_member", "failed", "bad_input"]
    assert [row["error_kind"] for row in rows] == ["", "not_a_member", "api_error", "invalid_query"]
    assert [row["error_code"] for row in rows] == ["", "404", "440", ""]
    assert rows[2]["error_text"] == "no account of ***"
    assert "'@'" in rows[3]["error_text"]
    assert [row["attempts"] for row in rows] == ["1", "1", "1", "0"]
    assert (tmp_path / "errors.csv").read_text() == "email\nm2@example.com\nnot-an-address\n"
    assert dict(summary.kinds) == {"not_a_member": 1, "api_error": 1, "invalid_query": 1}
    assert not summary.is_within_max_failed


async def test_a_ragged_row_is_a_row(tmp_path):
    """Too few or too many cells make bad input, which goes to the errors as it was."""
    path = tmp_path / "in.csv"
    path.write_text("id,email\n1,a1@example.com\n2\n3,a3@example.com,x\n4,a4@example.com\n")
    await refreshed(
        CsvSource(path),
        CsvSink(tmp_path / "out.csv"),
        keep="all",
        errors_to=CsvSink(tmp_path / "errors.csv"),
    )
    rows = rows_of(tmp_path / "out.csv")
    assert [row["status"] for row in rows] == ["found", "bad_input", "bad_input", "found"]
    assert "1 cells where the header has 2" in rows[1]["error_text"]
    assert (tmp_path / "errors.csv").read_text() == "id,email\n2\n3,a3@example.com,x\n"


async def test_the_errors_are_the_input_of_another_run(tmp_path):
    """What failed is asked about again by the same settings, and nothing else is."""
    platform = Platform()
    platform.replies["m2@example.com"] = envelope(440, "not now")
    await from_file(tmp_path, 4, platform, errors_to=CsvSink(tmp_path / "errors.csv"), keep=["id"])
    again = Platform()
    await refreshed(
        CsvSource(tmp_path / "errors.csv"), CsvSink(tmp_path / "rest.csv"), again, keep=["id"]
    )
    assert again.members == ["m2@example.com"]
    (row,) = rows_of(tmp_path / "rest.csv")
    assert (row["id"], row["total_balance"]) == ("0002", "2.25")


async def test_several_currencies_make_a_row_each(tmp_path):
    """Each row of input has a row for each currency, next to each other."""
    platform = Platform()
    currencies = [CurrencyEid("stars"), CurrencyIid(7)]
    await from_file(tmp_path, 3, platform, currencies=currencies)
    rows = rows_of(tmp_path / "out.csv")
    assert [(row["member"][:2], row["currency"]) for row in rows] == [
        (f"m{number}", currency) for number in range(3) for currency in ("stars", "7")
    ]
    asked = {(f.get("points_currency_eid"), f.get("points_currency_iid")) for f in platform.asked}
    assert asked == {("stars", None), (None, 7)}


async def test_program_and_currency_come_from_columns(tmp_path):
    """A row's own program and currency are asked for; where they are empty, the client's."""
    path = tmp_path / "in.csv"
    path.write_text("email,program,stars\na1@x.y,7,coins\na2@x.y,,\na3@x.y,seven,\n")
    platform = Platform()
    await refreshed(
        CsvSource(path),
        CsvSink(tmp_path / "out.csv"),
        platform,
        settings={"currency": CurrencyEid("own")},
        program_column="program",
        currency_column="stars",
    )
    rows = rows_of(tmp_path / "out.csv")
    assert [row["loyalty_program_id"] for row in rows] == ["7", "123", ""]
    assert [row["currency"] for row in rows] == ["coins", "own", "own"]
    assert [row["status"] for row in rows] == ["found", "found", "bad_input"]
    asked = [(f["loyalty_program_id"], f["points_currency_eid"]) for f in platform.asked]
    assert asked == [(7, "coins"), (123, "own")]


async def test_without_the_member_and_with_a_prefix(tmp_path):
    """`with_member` and `prefix` decide about our columns alone."""
    await from_file(tmp_path, 1, keep=["id"], prefix="p_", with_member=False)
    head = (tmp_path / "out.csv").read_text().splitlines()[0]
    assert head.startswith("id,p_total_balance,p_active_balance")
    assert "member" not in head


async def test_names_that_clash_are_refused(tmp_path):
    """A kept column that is called like one of ours needs a prefix."""
    path = tmp_path / "in.csv"
    path.write_text("email,status\na@x.y,gold\n")
    with pytest.raises(ConfigurationError, match=r"prefix is needed: .* 'status' twice"):
        await refreshed(CsvSource(path), CsvSink(tmp_path / "out.csv"), keep="all")


@pytest.mark.parametrize(
    ("by", "value", "sent"),
    [
        ("phone", "+79990000000", {"matching": "phone", "phone": "+79990000000"}),
        (ByPhone, "+79990000000", {"matching": "phone", "phone": "+79990000000"}),
        ("profile_id", "00aa", {"matching": "profile_id", "profile_id": "00aa"}),
        ("custom:card", "007", {"field_name": "card", "field_value": "007"}),
        ("custom-int:card", "42", {"field_name": "card", "field_value": 42}),
    ],
)
async def test_a_member_is_found_in_each_way(tmp_path, by, value, sent):
    """Ids stay text, unless the field is said to hold whole numbers."""
    path, platform = tmp_path / "in.csv", Platform()
    path.write_text(f"card\n{value}\n")
    await refreshed(CsvSource(path), CsvSink(tmp_path / "out.csv"), platform, by=by)
    (asked,) = platform.asked
    assert sent.items() <= asked.items()


async def test_a_typed_source_may_hold_numbers(tmp_path):
    """A phone that is a number is sent as its digits, and a custom field as what it is."""
    path, platform = tmp_path / "in.jsonl", Platform()
    path.write_text('{"phone": 79990000000, "card": 42}\n')
    for by, column in (("phone", "phone"), ("custom:card", "card")):
        out = CsvSink(tmp_path / f"{column}.csv")
        await refreshed(JsonLinesSource(path), out, platform, by=by, column=column)
    assert platform.asked[0]["phone"] == "79990000000"
    assert platform.asked[1]["field_value"] == 42


async def test_a_callable_that_raises_makes_bad_input(tmp_path):
    """Whatever `by` raises, its row is bad input, and the run goes on."""

    def picky(value):
        if value.startswith("m1"):
            raise KeyError(value)
        return ByPhone("1")

    summary = await from_file(tmp_path, 3, by=picky, column="email")
    assert (summary.statuses["found"], summary.statuses["bad_input"]) == (2, 1)
    assert "m1@" not in rows_of(tmp_path / "out.csv")[1]["error_text"]


async def test_a_slow_member_stalls_nobody(tmp_path):
    """While one member is waited for, thousands are answered and committed behind it."""
    platform = Platform()
    platform.held["m0@example.com"] = asyncio.Event()

    def progress(summary):
        if summary.rows >= 2_999:
            platform.held["m0@example.com"].set()

    summary = await from_file(tmp_path, 3_000, platform, on_progress=progress)
    assert summary.statuses["found"] == 3_000
    rows = rows_of(tmp_path / "out.csv")
    assert [row["member"] for row in rows[:2]] == ["m0@example.com", "m1@example.com"]
    assert len(rows) == 3_000
