"""Rows come out in order, whatever order they came in, and few of them wait in memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from altcraft_balance.refresh.early import Early
from altcraft_balance.refresh.outputs import Asked


def row(number):
    return Asked(number, [f"m{number}", None, 7, True], [["1.50", "found"], [None, "failed"]])


def drained(early):
    """All that is due, with its cells and answers."""
    found = []
    while due := early.due():
        found += [(one.number, list(one.cells), one.answers) for one in due]
    return found


@given(st.permutations(range(40)), st.integers(1, 50), st.integers(1, 7))
def test_any_order_becomes_the_source_s(numbers, in_memory, at_once):
    """Each row comes out once, in order, with what it had, from memory or from the file."""
    early, found = Early(0, in_memory), []
    for start in range(0, 40, at_once):
        early.add([row(number) for number in numbers[start : start + at_once]])
        found += drained(early)
    early.close()
    assert found == [(n, list(row(n).cells), row(n).answers) for n in range(40)]
    assert len(early) == 0


def test_nothing_is_due_before_its_turn():
    """While one row is missing all later ones wait; it lets them go."""
    early = Early(5, in_memory=3)
    early.add(map(row, range(6, 5_000)))
    assert (early.due(), len(early)) == ([], 4_994)
    early.add([row(5)])
    assert [number for number, *_ in drained(early)] == list(range(5, 5_000))
    early.close()


def test_the_file_has_no_name(tmp_path, monkeypatch):
    """What waits on the disk is in no file that anybody could open."""
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    early = Early(0, in_memory=1)
    early.add(map(row, range(1, 20_000)))
    assert len(early) == 19_999
    assert list(tmp_path.iterdir()) == []
    early.close()
    early.close()


@pytest.mark.parametrize("statement", ["max_page_count = 1", "query_only = 1"])
def test_a_full_disk_is_told(statement):
    """The temporary file cannot take, or give, a row: an OSError with one sentence."""
    early = Early(0, in_memory=1)
    early.add(map(row, range(2, 10)))
    early._file.execute(f"PRAGMA {statement}")
    with pytest.raises(OSError, match=r"the temporary file cannot be written: .*; nothing is lost"):
        early.add(map(row, range(10, 10_000)))
    early.close()


def test_a_disk_that_fails_when_it_is_read_is_told():
    """SQLite's own errors do not come out of a reading, either."""
    early = Early(0, in_memory=1)
    early.add([row(2), row(1)])
    early.add([row(0)])
    assert [one.number for one in early.due()] == [0]
    early._file.execute("PRAGMA query_only = 1")
    with pytest.raises(OSError, match="the temporary file cannot be written"):
        drained(early)
    early.close()
