"""The table of states: which run it is, what is left of it, and what it never holds."""

import asyncio
import logging
import traceback

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.csv_file import CsvSink, CsvSource
from altcraft_balance.refresh.sql.sink import SqlSink
from altcraft_balance.refresh.sql.source import SqlSource
from altcraft_balance.secret import Secret
from tests.refresh.databases import QUERY, balances, sink, source, states, with_members
from tests.refresh.runs import Platform, envelope, members_csv, refreshed

ROWS = 30
PASSWORD = "pgp4ss-canary"


@pytest.fixture
def begun(database):
    """A database with members."""
    return with_members(database, ROWS)


async def stopped(asking, sinks, *, after=9, **arguments):
    """A run that was stopped when it had asked about some: who they were."""
    platform, stop = Platform(), asyncio.Event()
    platform.held["m20@example.com"] = asyncio.Event()

    async def end():
        while len(platform.asked) < after:  # noqa: ASYNC110 - a platform sets no event
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.05)
        stop.set()

    ending = asyncio.create_task(end())
    summary = await refreshed(asking, sinks, platform, stop=stop, grace_s=0.1, **arguments)
    await ending
    assert summary.state == "stopped"
    return platform.members


async def test_after_a_night_there_is_one_row_of_it(begun):
    """That it has ended: no block, and none of the rows that were read."""
    await refreshed(source(begun), sink(begun))
    assert [(row["kind"], row["number"]) for row in states(begun)] == [("end", 0)]


async def test_a_second_night_is_another_run(begun):
    """A query has other rows by then."""
    for _ in range(2):
        platform = Platform()
        summary = await refreshed(source(begun), sink(begun), platform)
        assert summary.state == "finished"
        assert len(platform.asked) == ROWS
    assert len(states(begun)) == 1


async def test_a_named_run_that_has_finished_does_nothing(begun):
    """Not even when it reads a query."""
    await refreshed(source(begun), sink(begun), run_id="night")
    platform = Platform()
    summary = await refreshed(source(begun), sink(begun), platform, run_id="night")
    assert summary.state == "finished_before"
    assert platform.asked == []


async def test_a_file_that_has_been_asked_about_is_finished(database, tmp_path):
    """The same file into the same table: nothing is to be done."""
    path = members_csv(tmp_path / "in.csv", 5)
    for state in ("finished", "finished_before"):
        summary = await refreshed(CsvSource(path), sink(database))
        assert summary.state == state


@pytest.mark.parametrize("changed", ["table", "key", "query", "previous"])
async def test_a_named_run_keeps_to_what_it_was(begun, tmp_path, changed):
    """Another table, key, query or way to compare is refused while it is unfinished."""
    await stopped(source(begun), sink(begun), run_id="night")
    asking, arguments = source(begun), {}
    sinks = sink(begun)
    if changed == "table":
        sinks = sink(begun, "others")
    elif changed == "key":
        sinks = sink(begun, key="id")
    elif changed == "query":
        asking = source(begun, f"{QUERY} DESC")
    else:
        arguments = {"changes_to": CsvSink(tmp_path / "c.csv")}
    platform = Platform()
    with pytest.raises(ConfigurationError, match="the unfinished run night was begun with other"):
        await refreshed(asking, sinks, platform, run_id="night", **arguments)
    assert platform.asked == []
    await refreshed(source(begun), sink(begun), run_id="night")
    assert len(balances(begun)) == ROWS


async def test_what_was_committed_is_not_asked_again(begun):
    """By the run that goes on."""
    before = await stopped(source(begun), sink(begun))
    committed = len(balances(begun))
    assert committed > 0
    platform = Platform()
    await refreshed(source(begun), sink(begun), platform)
    assert len(platform.asked) <= ROWS - committed
    assert set(before) | set(platform.members) == set(balances(begun))


async def test_a_run_that_was_given_up_goes_when_another_begins(begun):
    """Of the same table; what has finished, and other tables' runs stay."""
    await refreshed(source(begun), sink(begun), run_id="first")
    await stopped(source(begun), sink(begun), run_id="given-up")
    await stopped(source(begun), sink(begun, "others"), run_id="another")
    kinds = {(row["run_id"], row["kind"]) for row in states(begun)}
    assert {("given-up", "block"), ("given-up", "piece"), ("given-up", "rows")} < kinds
    await refreshed(source(begun), sink(begun), run_id="second")
    kinds = {(row["run_id"], row["kind"]) for row in states(begun)}
    assert {run_id for run_id, kind in kinds if kind == "end"} == {"first", "second"}
    assert {run_id for run_id, kind in kinds if kind != "end"} == {"another"}


async def test_commits_without_answers_leave_one_row(begun):
    """The last word on the run: none of the words before it."""
    state = await sink(begun).run_state("night")
    checkpoint, told = await state.checkpoint(), []
    checkpoint._flushed = lambda: told.append(1)
    for number in range(4):
        await checkpoint.commit({"n": number}, [], 0)
    assert [row["kind"] for row in states(begun)].count("block") == 1
    assert len(told) == 4  # the sink need not keep what is committed
    await state.let_go()


async def test_a_run_that_was_given_up_goes_with_the_second_commit(begun):
    """The first one only says what the run is, which may still be a mistake."""
    for run_id in ("given-up", "night"):
        state = await sink(begun).run_state(run_id)
        checkpoint = await state.checkpoint()
        await checkpoint.commit({}, [], 0)
        if run_id == "night":
            assert {row["run_id"] for row in states(begun)} == {"given-up", "night"}
        await checkpoint.commit({}, [], 0)
        await state.let_go()
    assert {row["run_id"] for row in states(begun)} == {"night"}


async def test_a_fresh_run_forgets_the_unfinished_one(begun):
    """And asks everybody."""
    await stopped(source(begun), sink(begun))
    platform = Platform()
    await refreshed(source(begun), sink(begun), platform, fresh=True)
    assert len(platform.asked) == ROWS


async def test_nothing_is_left_of_a_run_in_vain(database):
    """Everybody got the same error: the next run need not know of it."""
    with_members(database, 400)
    platform = Platform()
    platform.always = envelope(400, "no")
    summary = await refreshed(source(database), sink(database), platform, max_failed=400)
    assert summary.state == "same_error"
    assert states(database) == []


async def test_a_folder_for_the_state_is_refused(begun, tmp_path):
    """It has its place."""
    with pytest.raises(ConfigurationError, match="state cannot be given"):
        await refreshed(source(begun), sink(begun), state=tmp_path)


async def test_two_tables_at_once_are_refused(begun):
    """The state lies in one."""
    with pytest.raises(ConfigurationError, match="one database"):
        await refreshed(source(begun), [sink(begun), sink(begun, "others")])


# ── what it never holds, and nobody says ─────────────────────────────────────────────────────────


def held_in_states(database):
    """All that the table of states holds but for the rows that were read."""
    rows = database.fetch("SELECT * FROM altcraft_balance_state")
    return b"".join(
        str({k: v for k, v in row.items() if k not in ("content", "known")}).encode()
        + bytes(row["known"] or b"")
        + (b"" if row["kind"] == "piece" else bytes(row["content"]))
        for row in rows
    )


async def test_no_address_is_in_the_table_of_states(begun):
    """But in what was read of the members, which goes with the run."""
    await stopped(source(begun), sink(begun))
    held = held_in_states(begun)
    assert b"looked_up_at" in held or b"found" in held
    assert b"example.com" not in held
    await refreshed(source(begun), sink(begun))
    assert b"example.com" not in held_in_states(begun)


async def test_no_address_and_no_password_is_logged_or_said(begun, caplog, tmp_path):
    """Every logger at DEBUG, in a whole night, and in what a summary or a name shows."""
    caplog.set_level(logging.DEBUG)
    for name in ("sqlalchemy", "sqlalchemy.engine", "sqlalchemy.pool", "asyncpg", "aiosqlite"):
        caplog.set_level(logging.DEBUG, logger=name)
    dsn = begun.dsn.replace("postgres@", f"postgres:{PASSWORD}@")
    asking, into = SqlSource(QUERY, dsn), SqlSink("balances", dsn)
    shown = [repr(asking), repr(into), str(vars(asking)), str(vars(into)), asking.name, into.name]
    for _ in range(2):
        changes = CsvSink(tmp_path / "changes.csv", overwrite=True)
        summary = await refreshed(SqlSource(QUERY, dsn), into, changes_to=changes)
        shown.append(repr(summary) + str(summary.as_dict()))
    shown.append(str(begun.fetch("SELECT * FROM altcraft_balance_state")))
    for text in (*shown, caplog.text):
        assert "example.com" not in text
        assert PASSWORD not in text


@pytest.mark.parametrize(
    "breach",
    ["CHECK (length(member) < 3)", "CHECK (status <> 'found')"],
)
async def test_no_address_is_in_an_error(begun, caplog, breach):
    """The database refuses a row, and would say which; nor in a traceback with its locals."""
    caplog.set_level(logging.DEBUG)
    if begun.kind == "sqlite":
        await refreshed(source(begun), sink(begun), run_id="first")
        condition = "length(NEW.member) >= 3" if "length" in breach else "NEW.status = 'found'"
        for when in ("INSERT", "UPDATE"):
            begun.do(
                f"CREATE TRIGGER refuses_{when} BEFORE {when} ON balances WHEN {condition}"
                " BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
    else:
        await refreshed(source(begun), sink(begun), run_id="first")
        begun.do("DELETE FROM balances")
        begun.do(f"ALTER TABLE balances ADD CONSTRAINT refuses {breach}")
    dsn = Secret(begun.dsn.replace("postgres@", f"postgres:{PASSWORD}@"))
    with pytest.raises(ConfigurationError) as caught:
        await refreshed(SqlSource(QUERY, dsn), SqlSink("balances", dsn))
    whole = "".join(
        traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    )
    # The platform's own frames know whom they were asked about; ours do not show it.
    said = [str(caught.value), repr(caught.value), caplog.text, whole]
    for text in said:
        assert PASSWORD not in text
        assert "example.com" not in text.replace("altcraft.example", "")
    assert "\n" not in str(caught.value)


@pytest.mark.server
async def test_a_wrong_password_is_not_said(postgres):
    """Nor is one that cannot be tried."""
    for dsn in (
        f"postgresql://nobody:{PASSWORD}@127.0.0.1:1/x",
        postgres.dsn.replace("postgres@", f"stranger:{PASSWORD}@"),
    ):
        dsn = Secret(dsn)
        with pytest.raises((ConfigurationError, ConnectionError)) as caught:
            await refreshed(SqlSource(QUERY, dsn), SqlSink("balances", dsn))
        assert caught.value.__context__ is None
        whole = "".join(
            traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
        )
        assert PASSWORD not in whole
