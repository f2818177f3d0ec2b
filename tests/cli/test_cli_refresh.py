"""`refresh` makes a row of each row, in the formats that names say, and its exit code is true."""

import gzip
import json
import socket

import pytest

from altcraft_balance.models import ByEmail
from tests.cli.refreshing import address, assert_right, one_sentence, rows_of, write_members

BY = ("--by", "email")


@pytest.fixture
def members(tmp_path, monkeypatch):
    """Twenty members in the folder in which the command runs."""
    monkeypatch.chdir(tmp_path)
    return write_members(tmp_path / "members.csv", 20)


def test_a_file_is_refreshed(command, server, members, tmp_path):
    """Every member gets a row with the right balance, in order; the state says only that."""
    ended = command("refresh", "members.csv", *BY, "--out", "out.csv")
    assert ended.code == 0, ended.err
    assert_right(rows_of(tmp_path / "out.csv"), server, 20)
    assert "20 of 20" in ended.out
    assert "found 20" in ended.out
    assert (tmp_path / "out.csv").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".altcraft-balance",
        "members.csv",
        "out.csv",
    ]


def test_a_run_that_has_finished_sends_nothing(command, server, members):
    """The same command says when it was and how to ask anew, and exits 0."""
    command("refresh", "members.csv", *BY, "--out", "out.csv")
    asked = server.requests
    ended = command("refresh", "members.csv", *BY, "--out", "out.csv")
    assert (ended.code, server.requests) == (0, asked)
    assert ended.out.startswith("Nothing was sent: the run ")
    assert " has finished before, on 20" in ended.out
    assert "--fresh --overwrite" in ended.out
    assert ended.out.count("\n") == 1


def test_a_run_that_has_finished_needs_no_server(command, server, members):
    """No connection is opened when there is nothing to ask."""
    command("refresh", "members.csv", *BY, "--out", "out.csv", "--run-id", "one")
    connections = server.connections
    command("refresh", "members.csv", *BY, "--out", "out.csv", "--run-id", "one")
    assert server.connections == connections


def test_fresh_and_overwrite_ask_anew(command, server, members):
    """What the sentence names does what it says."""
    for _ in range(2):
        ended = command("refresh", "members.csv", *BY, "--out", "out.csv", "--fresh", "--overwrite")
        assert ended.code == 0, ended.err
    assert server.requests == 40


@pytest.mark.parametrize(
    ("name", "head", "line"),
    [
        ("m.tsv", "id\temail\n", "1\t{}\n"),
        ("m.jsonl", "", '{{"id": 1, "email": "{}"}}\n'),
        ("m.ndjson", "", '{{"id": 1, "email": "{}"}}\n'),
    ],
)
def test_text_formats_go_by_suffix(command, server, tmp_path, name, head, line):
    """The input's and the output's names say what they are."""
    path = write_members(tmp_path / name, 3, head=head, line=line)
    out = tmp_path / "out.jsonl"
    ended = command("refresh", str(path), *BY, "--out", str(out), "--keep", "id")
    assert ended.code == 0, ended.err
    rows = [json.loads(text) for text in out.read_text().splitlines()]
    assert [row["member"] for row in rows] == [address(n) for n in range(3)]
    assert {str(row["id"]) for row in rows} == {"1"}


def test_compressed_files_go_by_suffix(command, server, tmp_path):
    """.gz is unpacked and packed."""
    plain = write_members(tmp_path / "m.csv", 3).read_bytes()
    (tmp_path / "m.csv.gz").write_bytes(gzip.compress(plain))
    out = tmp_path / "out.tsv.gz"
    assert command("refresh", str(tmp_path / "m.csv.gz"), *BY, "--out", str(out)).code == 0
    lines = gzip.decompress(out.read_bytes()).decode().splitlines()
    assert lines[0].startswith("member\ttotal_balance\t")
    assert len(lines) == 4


def test_parquet_goes_by_suffix(command, server, tmp_path):
    """Parquet out, and in again; amounts have the scale that was asked for."""
    parquet = pytest.importorskip("pyarrow.parquet")
    path, out = write_members(tmp_path / "m.csv", 3), tmp_path / "out.parquet"
    server.set_balance(ByEmail(address(0)), total_balance="1.5")
    for n in (1, 2):
        server.set_balance(ByEmail(address(n)), total_balance="2")
    ended = command("refresh", str(path), *BY, "--out", str(out), "--amount-scale", "2")
    assert ended.code == 0, ended.err
    assert str(parquet.read_table(out)["total_balance"][0]) == "1.50"
    again = tmp_path / "again.csv"
    ended = command(
        "refresh", str(out), *BY, "--column", "member", "--out", str(again), "--prefix", "x_"
    )
    assert ended.code == 0, ended.err
    assert [row["x_member"] for row in rows_of(again)] == [address(n) for n in range(3)]


def test_columns_go_through(command, server, tmp_path):
    """--keep takes a list or several, or all; --prefix and --no-member shape our columns."""
    path = write_members(tmp_path / "m.csv", 1, head="id,name,email\n", line="7,Ann,{}\n")
    out = tmp_path / "out.csv"
    always = ("refresh", str(path), *BY, "--out", str(out), "--overwrite")
    assert command(*always, "--keep", "id,name", "--no-member", "--prefix", "our_").code == 0
    (row,) = rows_of(out)
    assert list(row)[:3] == ["id", "name", "our_total_balance"]
    assert command(*always, "--keep", "id", "--keep", "name").code == 0
    assert list(rows_of(out)[0])[:3] == ["member", "id", "name"]
    assert command(*always, "--keep", "all").code == 0
    assert list(rows_of(out)[0])[:4] == ["member", "id", "name", "email"]


def test_several_currencies_give_a_row_each(command, server, tmp_path):
    """--currency-eid may repeat; a single one is the client's own, as is the variable's."""
    path, out = write_members(tmp_path / "m.csv", 1), tmp_path / "out.csv"
    always = ("refresh", str(path), *BY, "--out", str(out), "--overwrite", "--fresh")
    both = ("--currency-eid", "stars", "--currency-eid", "starts")
    assert command(*always, *both).code == 0
    assert [row["currency"] for row in rows_of(out)] == ["stars", "starts"]
    assert command(*always, "--currency-eid", "starts").code == 0
    assert [row["currency"] for row in rows_of(out)] == ["starts"]
    assert command(*always, ALTCRAFT_POINTS_CURRENCY_EID="stars").code == 0
    assert [row["currency"] for row in rows_of(out)] == ["stars"]
    assert command(*always, *both).code == 0
    assert [row["currency"] for row in rows_of(out)] == ["stars", "starts"]


def test_a_row_may_name_its_program_and_currency(command, server, tmp_path):
    """With --program-column no --program is needed."""
    path = tmp_path / "m.csv"
    path.write_text("email,program,points\na@example.com,123,starts\n")
    out = tmp_path / "out.csv"
    columns = ("--program-column", "program", "--currency-column", "points")
    ended = command(
        "refresh", str(path), *BY, "--out", str(out), *columns, ALTCRAFT_LOYALTY_PROGRAM_ID=""
    )
    assert ended.code == 0, ended.err
    assert (rows_of(out)[0]["loyalty_program_id"], rows_of(out)[0]["currency"]) == ("123", "starts")


def test_other_ways_of_csv_are_described(command, server, tmp_path):
    """Delimiter, encoding and no header: of the input and of the errors, which are an input."""
    path = tmp_path / "m.csv"
    path.write_bytes("1;a@example.com;Йия\n2;nobody;Щюж\n".encode("cp1251"))
    ways = ("--delimiter", ";", "--encoding", "cp1251", "--no-header", "--column", "2")
    out, bad, again = tmp_path / "out.csv", tmp_path / "bad.csv", tmp_path / "again.csv"
    ended = command(
        "refresh", str(path), *BY, *ways, "--out", str(out), "--errors-to", str(bad),
        "--keep", "3", "--max-failed", "50%",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert [row["3"] for row in rows_of(out)] == ["Йия", "Щюж"]
    assert bad.read_bytes() == "2;nobody;Щюж\n".encode("cp1251")
    ended = command("refresh", str(bad), *BY, *ways, "--out", str(again))
    assert ended.code == 3
    assert [row["status"] for row in rows_of(again)] == ["bad_input"]


def test_a_part_of_the_input_may_be_asked(command, server, members, tmp_path):
    """--limit takes the first rows, --sample some of them."""
    assert command("refresh", "members.csv", *BY, "--out", "a.csv", "--limit", "3").code == 0
    assert len(rows_of(tmp_path / "a.csv")) == 3
    assert command("refresh", "members.csv", *BY, "--out", "b.csv", "--sample", "0.5").code == 0
    assert 5 <= len(rows_of(tmp_path / "b.csv")) <= 15


def test_a_member_who_is_not_in_the_program_is_no_failure(command, server, members, tmp_path):
    """With --not-a-member it is an answer of its own."""
    server.remove(ByEmail(address(3)))
    ended = command("refresh", "members.csv", *BY, "--out", "a.csv", "--not-a-member", "404")
    assert ended.code == 0, ended.err
    assert rows_of(tmp_path / "a.csv")[3]["status"] == "not_a_member"


# ── exit codes ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("allowed", "code"), [("0", 3), ("1", 0), ("4%", 3), ("5%", 0)])
def test_max_failed_decides(command, server, members, allowed, code):
    """One of twenty fails: a count or a share says whether that is success."""
    server.remove(ByEmail(address(3)))
    ended = command("refresh", "members.csv", *BY, "--out", "out.csv", "--max-failed", allowed)
    assert ended.code == code
    assert ("Error: more failed than --max-failed allows" in ended.err) == (code == 3)


def test_a_wrong_token_is_77(command, server, members):
    """The first refusal ends it; the run is there for when the token is right."""
    ended = command("refresh", "members.csv", *BY, "--out", "o.csv", ALTCRAFT_TOKEN="wrong")
    assert one_sentence(ended, 77)
    ended = command("refresh", "members.csv", *BY, "--out", "o.csv", ALTCRAFT_TOKEN="sandbox-token")
    assert ended.code == 0, ended.err


def test_the_same_error_for_all_is_77(command, server, tmp_path):
    """A wrong program is noticed after 200 answers, and burns no night's quota."""
    path = write_members(tmp_path / "m.csv", 2_000)
    ended = command("refresh", str(path), *BY, "--out", str(tmp_path / "o"), "--program", "9",
                    "--output-format", "csv")  # fmt: skip
    assert ended.code == 77
    assert "the first 200 answers were all the same" in ended.err
    assert server.requests < 1_000


def test_far_too_many_failures_are_3(command, server, tmp_path):
    """It stops once the limit is far behind."""
    path = tmp_path / "m.csv"
    path.write_text("email\na@example.com\n" + "nobody\n" * 20 + "a@example.com\n" * 2_500)
    body = json.dumps({"error": 0, "error_text": ""}).encode()
    server.answer(None, body=body, headers={"Content-Type": "application/json"})
    out = tmp_path / "out.csv"
    ended = command("refresh", str(path), *BY, "--out", str(out), "--max-attempts", "1")
    assert ended.code == 3, ended.err
    assert "far more than --max-failed allows" in ended.err


@pytest.mark.parametrize("host", ["http://127.0.0.1:{port}", "https://127.0.0.1:{port}"])
def test_an_unreachable_server_is_69_at_once(command, server, members, tmp_path, host):
    """A closed port, with TLS or not: one sentence, and nothing is left behind."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = host.format(port=port)
    ended = command("refresh", "members.csv", *BY, "--out", "out.csv", "--base-url", url)
    assert one_sentence(ended, 69)
    assert [path.name for path in tmp_path.iterdir()] == ["members.csv"]


def test_finish_asks_nothing_more(command, server, members, tmp_path):
    """The rows that are left become not_asked, and nothing is sent."""
    ended = command("refresh", "members.csv", *BY, "--out", "o.csv", "--finish")
    assert (ended.code, server.requests) == (3, 0)
    assert {row["status"] for row in rows_of(tmp_path / "o.csv")} == {"not_asked"}


def test_no_by_is_one_sentence_without_a_terminal(command, server, members):
    """Nothing is guessed where nobody looks."""
    said = one_sentence(command("refresh", "members.csv", "--out", "o.csv"))
    assert said.startswith("--by must say how members are found: email, phone")


def test_a_changed_input_under_the_same_name_is_refused(command, server, members):
    """The sentence names the options."""
    always = ("refresh", "members.csv", *BY, "--run-id", "nightly", "--out")
    assert command(*always, "a.csv").code == 0
    write_members(members, 21)
    said = one_sentence(command(*always, "a.csv"))
    assert "another --run-id" in said
    assert said.endswith("with --fresh")
