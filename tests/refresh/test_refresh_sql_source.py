"""The rows of a query: what they become, that they are read once, and what is refused."""

import asyncio

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.csv_file import CsvSink
from altcraft_balance.refresh.sql.sink import SqlSink
from altcraft_balance.refresh.sql.source import SqlSource
from tests.refresh.databases import sink, source, with_members
from tests.refresh.runs import Platform, refreshed, rows_of


async def read(database, query):
    """What the source says of itself, and its rows."""
    found = source(database, query)
    info = await found.describe()
    return info, [row async for row in found.rows(0)]


@pytest.mark.parametrize(
    "query",
    [
        "select id, email from members order by id;",
        "select id, email from members order by id ; ;\n",
        "-- a comment: with a colon\nselect id, email /* :x, 100 % */ from members order by id",
        "select id, email from members order by id -- the end",
        "with a as (select * from members) select id, email from a order by id",
        "select id, email from members where email like 'm%' and ':no' <> '\\:x' order by id",
        "select id, cast(email as text) as email from members order by id",
        'select id as "id", email as "email" from members order by id',
    ],
)
async def test_a_query_is_taken_as_it_is(database, query):
    """Colons, percent signs, quotes, comments and semicolons are the database's own."""
    with_members(database, 3)
    info, rows = await read(database, query)
    assert info.columns == ("id", "email")
    assert [list(row) for row in rows] == [[n, f"m{n}@example.com"] for n in range(3)]


@pytest.mark.server
async def test_casts_by_colons_are_no_parameters(postgres):
    """As everybody writes them there."""
    _, rows = await read(postgres, "select '1'::bigint as a, E'it''s :x' as b, '%s' as c")
    assert rows == [[1, "it's :x", "%s"]]


async def test_values_of_odd_types_become_text_or_numbers(database):
    """Whole numbers, numbers and booleans keep their types."""
    text = "cast('x' as text)"
    with_members(database, 0)
    info, rows = await read(
        database,
        f"select 9223372036854775807 as a, 0.5 * cast(1 as double precision) as b, {text} as c,"
        " null as d, -9223372036854775807 - 1 as e",
    )
    assert rows == [[9223372036854775807, 0.5, "x", None, -9223372036854775808]]
    assert info.types == {"a": "integer", "b": "number", "e": "integer"}


@pytest.mark.server
async def test_what_only_a_database_has_is_text(postgres):
    """Decimals as they are written, times in ISO 8601, JSON as JSON."""
    query = """select 1.50::numeric as a, true as b, date '2026-01-02' as c,
        timestamptz '2026-01-02 03:04:05+03' as d, '{"a": 1}'::jsonb as e, array[1, 2] as f,
        'abc'::bytea as g, '00000000-0000-0000-0000-000000000001'::uuid as h,
        interval '1 hour' as i, '10.0.0.1'::inet as j"""
    info, rows = await read(postgres, query)
    assert [str(cell) for cell in rows[0][:4]] == [
        "1.50",
        "True",
        "2026-01-02",
        "2026-01-02T00:04:05+00:00",
    ]
    assert rows[0][5:8] == ["[1,2]", "abc", "00000000-0000-0000-0000-000000000001"]
    assert all(isinstance(cell, str) for cell in [rows[0][0], *rows[0][2:]])
    assert info.types == {"b": "boolean"}


@pytest.mark.parametrize("rows", [0, 1, 999, 1_000, 1_001, 2_500])
async def test_all_rows_come_in_order(database, rows):
    """Their number is known before, and some may be skipped."""
    with_members(database, rows)
    found = source(database)
    assert (await found.describe()).total == rows
    assert [row[0] async for row in found.rows(0)] == list(range(rows))
    assert [row[0] async for row in found.rows(rows // 2)] == list(range(rows))[rows // 2 :]


async def test_no_rows_are_no_trouble(database, tmp_path):
    """The output has a header."""
    with_members(database, 0)
    summary = await refreshed(source(database), CsvSink(tmp_path / "out.csv"))
    assert (summary.state, summary.rows) == ("finished", 0)
    assert rows_of(tmp_path / "out.csv") == []


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "query is empty"),
        (" ; ", "query is empty"),
        ("select email from nowhere", "nowhere"),
        ("selec 1", "syntax error"),
        ("select 1; select 2", "multiple|one statement"),
        ("select email, email from members", "stands 2 times|twice|2 times"),
    ],
)
async def test_what_cannot_be_run_is_one_sentence(database, tmp_path, query, sentence):
    """It names the database, and nobody is asked about."""
    with_members(database, 2)
    platform = Platform()
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        await refreshed(source(database, query), CsvSink(tmp_path / "out.csv"), platform)
    assert "\n" not in str(caught.value)
    assert platform.asked == []
    assert list(tmp_path.glob("out*")) == []


@pytest.mark.server
@pytest.mark.parametrize(
    "query",
    [
        "insert into members values (9, 'x') returning email",
        "with new as (delete from members returning email) select email from new",
        "update members set id = id + 10 returning email",
    ],
)
async def test_a_query_that_writes_is_refused(postgres, tmp_path, query):
    """PostgreSQL is told that it reads."""
    with_members(postgres, 2)
    with pytest.raises(ConfigurationError, match="must be one that reads"):
        await refreshed(source(postgres, query), CsvSink(tmp_path / "out.csv"))
    assert len(postgres.fetch("SELECT * FROM members WHERE id < 9")) == 2


@pytest.mark.server
async def test_a_column_called_like_a_trouble_is_no_outage(postgres, tmp_path):
    """What PostgreSQL has a code for is judged by that."""
    with pytest.raises(ConfigurationError, match="connection"):
        await refreshed(
            source(postgres, 'select "connection" from pg_class'), CsvSink(tmp_path / "o.csv")
        )


async def test_it_is_read_once(database, tmp_path):
    """The run, and the one that goes on, keep to what was there; the next one reads anew."""
    with_members(database, 40)
    platform, stop = Platform(), asyncio.Event()
    platform.held["m39@example.com"] = asyncio.Event()

    async def change():
        while len(platform.asked) < 9:  # noqa: ASYNC110 - a platform sets no event
            await asyncio.sleep(0.005)
        await asyncio.to_thread(database.do, "DELETE FROM members WHERE id < 30")
        await asyncio.to_thread(database.do, "INSERT INTO members VALUES (77, 'm77@example.com')")
        stop.set()

    changing = asyncio.create_task(change())
    arguments = {"run_id": "night", "grace_s": 0.2}
    out = tmp_path / "out.csv"
    summary = await refreshed(
        source(database), [CsvSink(out), sink(database)], platform, stop=stop, **arguments
    )
    await changing
    assert summary.state == "stopped"
    summary = await refreshed(source(database), [CsvSink(out), sink(database)], **arguments)
    assert summary.is_finished
    members = [f"m{number}@example.com" for number in range(40)]
    assert [row["member"] for row in rows_of(out)] == members
    summary = await refreshed(source(database), sink(database))
    assert summary.rows == 11


@pytest.mark.server
async def test_no_session_is_open_when_the_first_is_asked_about(postgres, tmp_path):
    """Nobody sits idle in a transaction through the night."""
    with_members(postgres, 30)
    seen = []

    class Looking(Platform):
        async def send(self, *arguments, **named):
            seen.append(await asyncio.to_thread(postgres.sessions))
            return await super().send(*arguments, **named)

    await refreshed(source(postgres), CsvSink(tmp_path / "out.csv"), Looking())
    assert len(seen) == 30
    assert seen == [[]] * 30


@pytest.mark.parametrize(
    "dsn",
    [
        "",
        "members",
        "sqlite://",
        "postgresql:/x",
        "nothing://x/y",
        "http://a:p4ssw0rd@b/c",
        5,
        None,
    ],
)
def test_what_is_no_dsn_is_refused(dsn):
    """Without saying what it was; an SQLite database in memory has no members."""
    if dsn == "sqlite://":
        SqlSource("select 1", dsn)
        return
    with pytest.raises(ConfigurationError) as caught:
        SqlSource("select 1", dsn)
    assert "p4ssw0rd" not in str(caught.value)


async def test_a_file_that_is_not_there_is_not_made(sqlite, tmp_path):
    """SQLite would."""
    with pytest.raises(ConfigurationError, match="there is no database"):
        await refreshed(source(sqlite), CsvSink(tmp_path / "out.csv"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.server
async def test_a_server_that_lets_nobody_in_is_away(postgres, tmp_path):
    """It may let us in later: that is no mistake in the settings."""
    with_members(postgres, 1)
    postgres.do("CREATE ROLE guest LOGIN CONNECTION LIMIT 0")
    dsn = postgres.dsn.replace("postgres@", "guest@")
    for away in (SqlSource("select email from members", dsn), source(postgres)):
        sinks = sink(postgres) if away.name.count("guest") else SqlSink("balances", dsn)
        with pytest.raises(ConnectionError, match="53300"):
            await refreshed(away, sinks)
    postgres.do("DROP ROLE guest")
