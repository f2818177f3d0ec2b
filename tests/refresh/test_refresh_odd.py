"""What nobody planned: other states, other files, stops and cancels at any point."""

import asyncio
import os
import threading

import pytest

from altcraft_balance.errors import AuthenticationError, ConfigurationError
from altcraft_balance.refresh.files.csv_file import CsvSink, CsvSource
from tests.refresh.runs import (
    Platform,
    envelope,
    from_file,
    members_csv,
    refreshed,
    rows_of,
)
from tests.refresh.test_refresh_own import AsyncMembers, Members, Table

REFUSED = envelope(401, "token required")


async def broken_off(folder, rows, at, **arguments):
    """A run of `rows` members that meets a 401 at one of them."""
    platform = Platform()
    platform.replies[f"m{at}@example.com"] = REFUSED
    with pytest.raises(AuthenticationError):
        await from_file(folder, rows, platform, **arguments)
    return platform


# ── the input ────────────────────────────────────────────────────────────────────────────────


async def test_a_file_that_is_replaced_after_it_was_known_is_refused(tmp_path):
    """Its rows are counted in one file and never taken from another."""
    source = CsvSource(members_csv(tmp_path / "in.csv", 10))
    describe, platform = source.describe, Platform()

    def describe_and_replace():
        info = describe()
        members_csv(tmp_path / "new.csv", 3, head="email,id").rename(tmp_path / "in.csv")
        return info

    source.describe = describe_and_replace
    with pytest.raises(ConfigurationError, match="was replaced after it was read first"):
        await refreshed(source, CsvSink(tmp_path / "out.csv"), platform)
    assert platform.asked == []


async def test_what_can_be_read_only_once_is_refused(tmp_path):
    """A pipe in the place of a file would be empty when its rows are wanted."""
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(ConfigurationError, match="can be read only once"):
        await refreshed(CsvSource(tmp_path / "pipe.csv"), CsvSink(tmp_path / "out.csv"))


async def test_a_source_that_gives_fewer_rows_than_it_counted_does_not_finish(tmp_path):
    """A whole output has all rows."""

    class Fewer(Members):
        def rows(self, skip):
            yield from list(super().rows(skip))[:-1]

    with pytest.raises(ConfigurationError, match="given 9 rows where it had 10 before"):
        await refreshed(Fewer(10), CsvSink(tmp_path / "out.csv"))
    assert not (tmp_path / "out.csv").exists()


def test_a_header_that_looks_like_a_row_is_refused(tmp_path):
    """The first member is not taken for a name, and no sentence shows its address."""
    for first in ("id,ann@example.com", "1,+79990000000", "1,79990000000"):
        (tmp_path / "in.csv").write_text(f"{first}\n2,bob@example.com\n")
        with pytest.raises(ConfigurationError, match="first line looks like a row") as caught:
            CsvSource(tmp_path / "in.csv").describe()
        assert first.split(",")[1] not in str(caught.value)
    (tmp_path / "in.csv").write_text("email,2026-11-26,20261126\na@x.y,1,2\n")
    assert CsvSource(tmp_path / "in.csv").describe().columns[1:] == ("2026-11-26", "20261126")


# ── the output and the state ─────────────────────────────────────────────────────────────────


async def test_a_run_with_another_state_does_not_touch_the_output(tmp_path):
    """Two states of one run would cut each other's rows."""
    await broken_off(tmp_path, 2_000, 1_500, state=tmp_path / "a")
    grown = (tmp_path / "out.csv.partial").read_bytes()
    with pytest.raises(ConfigurationError, match="begun with a state that is not here"):
        await from_file(tmp_path, 2_000, state=tmp_path / "b")
    assert (tmp_path / "out.csv.partial").read_bytes() == grown
    await from_file(tmp_path, 2_000, state=tmp_path / "a")
    assert [row["member"] for row in rows_of(tmp_path / "out.csv")] == [
        f"m{number}@example.com" for number in range(2_000)
    ]


async def test_an_output_that_has_lost_rows_is_told(tmp_path):
    """A partial file that somebody removed cannot be gone on with; `fresh` begins anew."""
    await broken_off(tmp_path, 2_000, 1_500)
    (tmp_path / "out.csv.partial").unlink()
    with pytest.raises(ConfigurationError, match="put it back as it was, or begin anew"):
        await from_file(tmp_path, 2_000)
    assert (await from_file(tmp_path, 2_000, fresh=True)).statuses["found"] == 2_000


async def test_a_sink_without_tokens_goes_on(tmp_path):
    """A sink whose `sync` gives nothing is told that rows are there already."""

    class Begins(Table):
        def open(self, opening):
            if opening.token is None:
                self.rows.clear()

    table, platform = Begins(), Platform()
    platform.replies["m700@example.com"] = REFUSED
    with pytest.raises(AuthenticationError):
        await refreshed(Members(1_000), table, platform, state=tmp_path)
    await refreshed(Members(1_000), table, state=tmp_path)
    assert len(table.rows) == 1_000


@pytest.mark.parametrize("name", ["in.csv", "a/../in.csv", "link.csv"])
async def test_the_input_is_never_an_output(tmp_path, name):
    """Whatever way leads there."""
    path = members_csv(tmp_path / "in.csv", 3)
    (tmp_path / "a").mkdir()
    (tmp_path / "link.csv").symlink_to(path)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="is the input"):
        await refreshed(CsvSource(path), CsvSink(tmp_path / name, overwrite=True))
    partial = members_csv(tmp_path / "out.csv.partial", 3)
    with pytest.raises(ConfigurationError, match=r"the input is where .*/out\.csv grows"):
        await refreshed(CsvSource(partial), CsvSink(tmp_path / "out.csv"), fresh=True)
    assert path.read_bytes() == partial.read_bytes() == before


async def test_what_is_no_file_is_not_replaced(tmp_path):
    """A pipe stays a pipe."""
    os.mkfifo(tmp_path / "out.csv")
    source = CsvSource(members_csv(tmp_path / "in.csv", 3))
    with pytest.raises(ConfigurationError, match="it is no file"):
        await refreshed(source, CsvSink(tmp_path / "out.csv", overwrite=True))
    assert (tmp_path / "out.csv").is_fifo()


async def test_what_says_that_a_run_has_finished_may_be_of_another_version(tmp_path):
    """One sentence, and `fresh` forgets it."""
    summary = await from_file(tmp_path, 3)
    (tmp_path / ".altcraft-balance" / summary.run_id / "finished.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="of another version, or damaged"):
        await from_file(tmp_path, 3)


# ── what was answered ────────────────────────────────────────────────────────────────────────


async def test_a_run_that_has_found_members_is_not_stopped_by_one_error(tmp_path):
    """Who goes on with thousands of answers asks for the right thing."""
    await broken_off(tmp_path, 1_000, 500)
    platform = Platform()
    platform.always = envelope(440, "these have no account")
    summary = await from_file(tmp_path, 1_000, platform, max_failed="100%")
    assert summary.state == "finished"
    assert summary.statuses["failed"] > 200


async def test_rows_that_nobody_asked_about_show_their_own_program(tmp_path):
    """What stands beside a row is the row's, asked about or not."""
    (tmp_path / "in.csv").write_text("email,program,stars\nbad,888,gold\nalso bad,x,\n")
    await refreshed(
        CsvSource(tmp_path / "in.csv"),
        CsvSink(tmp_path / "out.csv"),
        program_column="program",
        currency_column="stars",
    )
    rows = rows_of(tmp_path / "out.csv")
    assert [(row["loyalty_program_id"], row["currency"]) for row in rows] == [
        ("888", "gold"),
        ("", ""),
    ]


# ── cancels and stops ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_cancel_while_a_block_is_written_is_a_cancel(is_async):
    """It waits for that block, begins no other, and nothing is called after the end."""
    entered, let_go, calls = asyncio.Event(), threading.Event(), []
    loop = asyncio.get_running_loop()

    class Slow(Table):
        def write(self, rows):
            loop.call_soon_threadsafe(entered.set)
            let_go.wait(10)
            calls.append("write")

        def close(self):
            calls.append("close")

    class AsyncSlow(Slow):
        async def write(self, rows):
            entered.set()
            await asyncio.to_thread(let_go.wait, 10)
            calls.append("write")

    sink = AsyncSlow() if is_async else Slow()
    run = asyncio.create_task(refreshed(Members(5_000), sink))
    await entered.wait()
    run.cancel()
    for _ in range(100):  # turns of the loop, not time: a busy machine has few in a while
        await asyncio.sleep(0)
    let_go.set()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert calls == ["write", "close"]


@pytest.mark.parametrize("before", [True, False])
async def test_a_stop_before_the_first_row_is_one(tmp_path, before):
    """A source that waits for its first row does not hold up a run that was stopped."""
    stop = asyncio.Event()

    class Waits(AsyncMembers):
        async def rows(self, skip):
            stop.set()
            await asyncio.Event().wait()
            yield ["never"]

    if before:
        stop.set()
    async with asyncio.timeout(10):
        summary = await refreshed(Waits(3), Table(), stop=stop, grace_s=0, state=tmp_path / "s")
    assert summary.state == "stopped"
    if before:
        assert not (tmp_path / "s").exists()


async def test_a_run_that_cannot_read_leaves_nothing_behind():
    """No timer goes on after a source that raises where its rows are wanted."""

    class Raises(Members):
        def rows(self, skip):
            raise KeyError("my own")

    with pytest.raises(KeyError):
        await refreshed(Raises(3), Table())
    loop = asyncio.get_running_loop()
    assert not [handle for handle in loop._scheduled if not handle.cancelled()]


async def test_plain_rows_are_asked_for_in_the_thread():
    """A source may bind what it opens to the thread in which it is read."""

    class Bound(Members):
        def rows(self, skip):
            self.threads.add(threading.current_thread())
            return iter([["m1@example.com"]])

    source = Bound(1)
    await refreshed(source, Table())
    assert threading.main_thread() not in source.threads


@pytest.mark.parametrize("part", [{"limit": 2}, {"sample": 0.5}])
async def test_a_part_of_an_async_source(part):
    """`limit` and `sample` take async sources, too."""
    assert (await refreshed(AsyncMembers(4), Table(), **part)).rows == 2


async def test_a_coroutine_that_nobody_awaits_is_told():
    """A plain method that gives a coroutine would write nothing."""

    class Wrapped(Table):
        def write(self, rows):
            return self.later(rows)

        async def later(self, rows):
            super().write(rows)

    with pytest.raises(TypeError, match="async def"):
        await refreshed(Members(3), Wrapped())
