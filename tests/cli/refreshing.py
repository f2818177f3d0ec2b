"""Files of members, and what a refresh has made of them."""

import csv
import json
from pathlib import Path


def write_members(path: Path, members: int, *, head: str = "email\n", line: str = "{}\n") -> Path:
    """A file with so many members."""
    lines = [line.format(address(number)) for number in range(members)]
    path.write_text(head + "".join(lines), encoding="utf-8")
    return path


def address(number: int) -> str:
    return f"member{number}@example.com"


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def assert_right(rows: list[dict[str, str]], sandbox, members: int) -> None:
    """One row for each member, in order, each with the right balance."""
    from altcraft_balance.models import ByEmail

    assert [row["member"] for row in rows] == [address(number) for number in range(members)]
    for row in rows:
        truth = sandbox.balance_of(ByEmail(row["member"]), loyalty_program_id=123)
        assert row["status"] == "found"
        assert float(row["total_balance"]) == float(truth.total_balance)


def one_sentence(ended, code: int = 2) -> str:
    """The only line on stderr."""
    assert (ended.code, ended.out) == (code, ""), ended.out + ended.err
    assert ended.err.startswith("Error: "), ended.err
    assert ended.err.count("\n") == 1, ended.err
    assert "@example.com" not in ended.err
    assert "sandbox-token" not in ended.err
    return ended.err.removeprefix("Error: ").rstrip()


def json_lines(text: str) -> list[dict]:
    """The JSON objects in the lines of `text`."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]
