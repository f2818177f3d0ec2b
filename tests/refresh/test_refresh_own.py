"""Sources and sinks of one's own: ten lines each, plain or async."""

import asyncio
import threading

import pytest

from altcraft_balance import RowSink, SourceInfo
from altcraft_balance.errors import AuthenticationError, ConfigurationError
from altcraft_balance.refresh.port import BadRow
from tests.refresh.runs import Platform, envelope, refreshed


class Members:
    """So many members, plain."""

    def __init__(self, count):
        self.count, self.threads = count, set()

    def describe(self):
        self.threads.add(threading.current_thread())
        return SourceInfo(
            name="members", columns=("email",), fingerprint=f"{self.count}", total=self.count
        )

    def rows(self, skip):
        for number in range(skip, self.count):
            self.threads.add(threading.current_thread())
            yield [f"m{number}@example.com"]


class AsyncMembers(Members):
    """The same, async."""

    async def describe(self):
        return super().describe()

    async def rows(self, skip):
        for row in super().rows(skip):
            await asyncio.sleep(0)
            yield row


class Table(RowSink):
    """Rows by member; what is written is safe at once."""

    def __init__(self):
        self.rows, self.threads = {}, set()

    def write(self, rows):
        self.threads.add(threading.current_thread())
        self.rows.update((row[0], row) for row in rows)


class AsyncTable(Table):
    """The same, async."""

    async def write(self, rows):
        await asyncio.sleep(0)
        super().write(rows)


@pytest.mark.parametrize("source", [Members, AsyncMembers])
@pytest.mark.parametrize("sink", [Table, AsyncTable])
async def test_ten_lines_are_enough(source, sink):
    """Plain ones are called in one thread, async ones on the loop; all rows arrive."""
    members, table = source(1_200), sink()
    summary = await refreshed(members, table)
    assert (summary.state, len(table.rows)) == ("finished", 1_200)
    assert table.rows["m7@example.com"][1] == "7.25"
    for one, is_async in ((members, source is AsyncMembers), (table, sink is AsyncTable)):
        assert len(one.threads) == 1
        assert (threading.main_thread() in one.threads) is is_async


async def test_they_go_on_after_an_end_when_they_have_a_state(tmp_path):
    """A sink without a file goes on too, with a folder for its state: no row comes twice."""
    platform, table = Platform(), Table()
    platform.replies["m700@example.com"] = envelope(401, "token required")
    with pytest.raises(AuthenticationError):
        await refreshed(Members(1_000), table, platform, state=tmp_path)
    before, again = len(table.rows), Platform()
    summary = await refreshed(Members(1_000), table, again, state=tmp_path)
    assert (summary.state, summary.starts, len(table.rows)) == ("finished", 2, 1_000)
    assert before + len(again.asked) <= 1_000 + 8
    assert (await refreshed(Members(1_000), table, again, state=tmp_path)).state == (
        "finished_before"
    )


async def test_without_a_place_for_its_state_a_run_begins_anew():
    """No path and no state: nothing is kept, and nothing is asked of the disk."""
    platform = Platform()
    await refreshed(Members(10), Table(), platform)
    await refreshed(Members(10), Table(), platform)
    assert len(platform.asked) == 20


async def test_a_source_that_raises_ends_the_run_with_its_own_exception(tmp_path):
    """What was answered before is committed, and the run goes on from there."""

    class Breaks(Members):
        def rows(self, skip):
            yield from list(super().rows(skip))[: 600 - skip]
            raise KeyError("my own")

    platform, table = Platform(), Table()
    with pytest.raises(KeyError, match="my own"):
        await refreshed(Breaks(1_000), table, platform, state=tmp_path)
    assert 400 < len(platform.asked) == len(table.rows) <= 500
    await refreshed(Members(1_000), table, platform, state=tmp_path)
    assert len(platform.asked) == len(table.rows) == 1_000


async def test_a_sink_that_raises_ends_the_run_with_its_own_exception(tmp_path):
    """It is told at once, also while lookups would go on for long."""

    class Full(Table):
        def write(self, rows):
            raise ZeroDivisionError("my own")

    platform = Platform()
    with pytest.raises(ZeroDivisionError, match="my own"):
        await refreshed(Members(100_000), Full(), platform)
    assert len(platform.asked) < 2_000


async def test_a_bad_row_of_ones_own(tmp_path):
    """A source says which rows are bad, and why."""

    class Some(Members):
        def rows(self, skip):
            yield ["m1@example.com"]
            yield BadRow(["?"], "the row has a hole")

    table = Table()
    summary = await refreshed(Some(2), table)
    assert summary.statuses["bad_input"] == 1
    assert "the row has a hole" in table.rows["?"]


async def test_an_amount_that_a_sink_refuses_is_a_failed_row():
    """What does not fit exactly is never rounded."""

    class Whole(Table):
        def refuses(self, amount):
            return None if amount.endswith(".00") else "it has cents"

    table, platform = Whole(), Platform()
    platform.replies["m1@example.com"] = envelope(0, total_balance="1.00", active_balance="1.00")
    summary = await refreshed(Members(2), table, platform)
    assert (summary.statuses["found"], summary.statuses["failed"]) == (1, 1)
    row = table.rows["m0@example.com"]
    assert row[1:3] == [None, None]
    assert row[6:9] == ["amount_does_not_fit", None, "it has cents"]


async def test_chunks_end_at_the_same_rows_however_answers_come():
    """`sync` is called at multiples of `chunk_rows`, and once more at the end."""

    class Chunks(Table):
        chunk_rows = 300

        def __init__(self):
            super().__init__()
            self.marks = []

        def sync(self):
            self.marks.append(len(self.rows))
            return len(self.marks)

    sink = Chunks()
    await refreshed(Members(1_000), sink)
    assert sink.marks == [0, 300, 600, 900, 1_000]


async def test_an_empty_source_makes_an_empty_output():
    """No rows are no mistake."""
    table = Table()
    assert (await refreshed(Members(0), table)).state == "finished"
    assert table.rows == {}


@pytest.mark.parametrize("row", ["70001", b"70001", {"email": "a@x.y"}, 7])
async def test_a_row_that_is_no_list_is_refused(row):
    """A text in the place of a row would ask about its first character's member."""

    class Odd(Members):
        def rows(self, skip):
            yield row

    platform = Platform()
    with pytest.raises(ConfigurationError, match="rows that are lists or tuples of cells"):
        await refreshed(Odd(1), Table(), platform)
    assert platform.asked == []


async def test_a_row_of_another_length_is_bad_input():
    """Nothing is cut off, and nothing is made up."""

    class Odd(Members):
        def rows(self, skip):
            yield ("a@x.y", "b")
            yield ()

    table, platform = Table(), Platform()
    summary = await refreshed(Odd(2), table, platform)
    assert summary.statuses["bad_input"] == 2
    assert platform.asked == []


@pytest.mark.parametrize("source", [[("a@x.y",)], "members.csv"])
async def test_what_is_no_source_is_refused(source):
    """One sentence says what a source has."""
    with pytest.raises(ConfigurationError, match=r"must have describe\(\) and rows\(\)"):
        await refreshed(source, Table())


def test_columns_are_names():
    """One text is not a list of them."""
    with pytest.raises(ConfigurationError, match="must be the names"):
        SourceInfo(name="m", columns="email", fingerprint="f")
