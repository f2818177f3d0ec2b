"""How a run ends early, and goes on."""

import asyncio
import json
from pathlib import Path

import pytest

from altcraft_balance import RefreshSummary
from altcraft_balance.errors import AuthenticationError, ConfigurationError
from altcraft_balance.refresh.files.csv_file import CsvSink, CsvSource
from altcraft_balance.settings import Limits, RetryPolicy
from altcraft_balance.transport.port import RawReply
from tests.refresh.runs import (
    Platform,
    envelope,
    from_file,
    members_csv,
    refreshed,
    rows_of,
)


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


async def test_a_refused_token_ends_it_and_it_goes_on(tmp_path):
    """What a 401 kept from being answered is asked again, and nothing else is."""
    platform = Platform()
    platform.replies["m700@example.com"] = envelope(401, "token required")
    with pytest.raises(AuthenticationError):
        await from_file(tmp_path, 1000, platform)
    assert "out.csv" not in left_in(tmp_path)
    asked = len(platform.asked)
    again = Platform()
    summary = await from_file(tmp_path, 1000, again)
    assert summary.state == "finished"
    assert summary.starts == 2
    assert summary.statuses["found"] == 1000
    assert asked + len(again.asked) <= 1000 + 1 + 8
    assert "m700@example.com" in again.members


async def test_the_same_error_for_the_first_200_stops_it(tmp_path):
    """A wrong program costs 200 answers and a few on the way, and leaves nothing behind."""
    platform = Platform()
    platform.always = envelope(400, "unknown program")
    summary = await from_file(tmp_path, 2000, platform)
    assert summary.state == "same_error"
    assert "400" in summary.reason
    assert len(platform.asked) < 250
    assert left_in(tmp_path) == ["in.csv"]


async def test_members_who_are_unknown_stop_nothing(tmp_path):
    """300 members who are not in the program are 300 answers, and no failure."""
    platform = Platform()
    platform.always = envelope(404, "unknown member")
    summary = await from_file(tmp_path, 300, platform, settings={"not_a_member": {404}})
    assert summary.state == "finished"
    assert summary.is_within_max_failed
    assert summary.statuses["not_a_member"] == 300


async def test_far_too_many_failures_stop_it(tmp_path):
    """Beyond a thousand, one in a hundred and ten times the limit it makes no sense to go on."""
    platform = Platform()
    failing = {f"m{number}@example.com" for number in range(5, 6000)}
    platform.replies = dict.fromkeys(failing, envelope(440, "no"))
    summary = await from_file(tmp_path, 6000, platform, max_failed="1%")
    assert summary.state == "too_many_failed"
    assert 1000 < summary.statuses["failed"] < 1700
    assert "max_failed" in summary.reason
    assert "out.csv.partial" in left_in(tmp_path)


async def test_within_max_failed(tmp_path):
    """A run with as many failures as are allowed is within the limit."""
    platform = Platform()
    platform.replies = {"m1@example.com": envelope(440, "no")}
    assert (await from_file(tmp_path, 10, platform, max_failed=1)).is_within_max_failed


async def test_it_is_stopped_and_goes_on(tmp_path):
    """Nothing is taken after `stop`, what is on the way is written, and no row is asked twice."""
    stop, platform = asyncio.Event(), Platform()

    async def stopping(source, sink, **arguments):
        return await refreshed(source, sink, platform, stop=stop, **arguments)

    send, source = platform.send, CsvSource(members_csv(tmp_path / "in.csv", 2000))

    async def send_and_stop(body, headers, **options):
        if len(platform.asked) == 700:
            stop.set()
        return await send(body, headers, **options)

    platform.send = send_and_stop
    summary = await stopping(source, CsvSink(tmp_path / "out.csv"))
    assert summary.state == "stopped"
    assert 700 < len(platform.asked) < 800
    asked = set(platform.members)
    again = Platform()
    summary = await refreshed(source, CsvSink(tmp_path / "out.csv"), again)
    assert summary.state == "finished"
    assert asked.isdisjoint(again.members)
    assert len(rows_of(tmp_path / "out.csv")) == 2000


@pytest.mark.parametrize("waits_for", ["the rate", "a slot", "a repeat"])
async def test_what_waits_when_it_is_stopped_is_not_asked(tmp_path, waits_for):
    """Only what is on the wire is waited for; the rest is asked when the run goes on."""
    stop, platform = asyncio.Event(), Platform()
    settings = {"limits": Limits(concurrency=2, rate_per_s=50 if waits_for == "the rate" else None)}
    if waits_for == "a repeat":
        platform.always = RawReply(503, {}, b"")
        settings["retry"] = RetryPolicy(base_s=20)
    send = platform.send

    async def send_and_stop(body, headers, **options):
        if len(platform.asked) == 5:
            stop.set()
            await asyncio.sleep(0.05)
        return await send(body, headers, **options)

    platform.send = send_and_stop
    began = asyncio.get_running_loop().time()
    summary = await from_file(tmp_path, 2000, platform, stop=stop, grace_s=30, settings=settings)
    assert asyncio.get_running_loop().time() - began < 10
    assert summary.state == "stopped"
    assert len(platform.asked) <= 5 + 2
    assert summary.requests == len(platform.asked)
    # A failure that would have been repeated is no answer.
    summary = await from_file(tmp_path, 2000)
    assert (summary.state, summary.statuses["found"]) == ("finished", 2000)


async def test_what_does_not_end_within_the_grace_is_cut_off(tmp_path):
    """A member who is waited for cannot keep a run that was stopped, and is asked again."""
    stop, platform = asyncio.Event(), Platform()
    platform.held["m3@example.com"] = asyncio.Event()
    summary = await from_file(
        tmp_path,
        20,
        platform,
        stop=stop,
        grace_s=0,
        on_progress=lambda summary: stop.set() if summary.rows == 19 else None,
    )
    assert (summary.state, summary.rows) == ("stopped", 19)
    again = Platform()
    await from_file(tmp_path, 20, again)
    assert again.members == ["m3@example.com"]


async def test_a_finished_run_says_so_and_sends_nothing(tmp_path):
    """The same call again does nothing, and gives the same summary."""
    first = await from_file(tmp_path, 10)
    platform = Platform()
    second = await from_file(tmp_path, 10, platform)
    assert second.state == "finished_before"
    assert second.is_finished
    assert platform.asked == []
    assert second.statuses == first.statuses
    fresh = Platform()
    await refreshed(
        CsvSource(tmp_path / "in.csv"),
        CsvSink(tmp_path / "out.csv", overwrite=True),
        fresh,
        fresh=True,
    )
    assert len(fresh.asked) == 10


async def test_the_rest_may_be_given_up(tmp_path):
    """What was not asked becomes rows that say so, and the errors have them."""
    platform = Platform()
    platform.replies["m700@example.com"] = envelope(401, "token required")
    errors = CsvSink(tmp_path / "errors.csv")
    with pytest.raises(AuthenticationError):
        await from_file(tmp_path, 1000, platform, errors_to=errors)
    summary = await from_file(tmp_path, 1000, platform, give_up=True, errors_to=errors)
    rows = rows_of(tmp_path / "out.csv")
    unasked = [row["member"] for row in rows if row["status"] == "not_asked"]
    assert len(rows) == 1000
    assert summary.statuses["not_asked"] == len(unasked) >= 290
    assert [row["email"] for row in rows_of(tmp_path / "errors.csv")] == unasked


@pytest.mark.parametrize("named", [True, False])
async def test_another_input_is_not_gone_on_with(tmp_path, named):
    """Changed rows under the same name, or for the same output, are refused with the reason."""
    platform = Platform()
    platform.replies["m5@example.com"] = envelope(401, "token required")
    arguments = {"run_id": "night"} if named else {}
    with pytest.raises(AuthenticationError):
        await from_file(tmp_path, 600, platform, **arguments)
    with pytest.raises(
        ConfigurationError, match="has changed" if named else "belongs to the unfin"
    ):
        await from_file(tmp_path, 601, **arguments)
    summary = await from_file(tmp_path, 601, fresh=True, **arguments)
    assert summary.statuses["found"] == 601


async def test_other_settings_are_not_gone_on_with(tmp_path):
    """A setting that changes what the rows hold is named; rate and slots may change."""
    platform = Platform()
    platform.replies["m5@example.com"] = envelope(401, "token required")
    with pytest.raises(AuthenticationError):
        await from_file(tmp_path, 600, platform, run_id="night")
    with pytest.raises(ConfigurationError, match=r"other settings \(keep\)"):
        await from_file(tmp_path, 600, run_id="night", keep=["id"])
    summary = await from_file(
        tmp_path, 600, run_id="night", settings={"max_body_bytes": 1000, "format": "json"}
    )
    assert summary.state == "finished"


async def test_an_output_that_exists_is_not_touched(tmp_path):
    """Without `overwrite` it is refused before anything is asked, and nothing is left."""
    (tmp_path / "out.csv").write_text("precious")
    platform = Platform()
    with pytest.raises(ConfigurationError, match="exists"):
        await from_file(tmp_path, 10, platform)
    assert platform.asked == []
    assert left_in(tmp_path) == ["in.csv", "out.csv"]
    assert (tmp_path / "out.csv").read_text() == "precious"


async def test_overwriting_comes_at_the_end(tmp_path):
    """Until the new output is whole, the old one is there."""
    out, platform, seen = tmp_path / "out.csv", Platform(), set()
    out.write_text("old")
    send = platform.send

    async def look_and_send(body, headers, **options):
        seen.add(out.read_text())
        return await send(body, headers, **options)

    platform.send = look_and_send
    source = CsvSource(members_csv(tmp_path / "in.csv", 600))
    await refreshed(source, CsvSink(out, overwrite=True), platform)
    assert seen == {"old"}
    assert len(rows_of(out)) == 600


async def test_a_summary_travels_as_json(tmp_path):
    """`as_dict` is JSON, and `from_dict` takes it back whole."""
    summary = await from_file(tmp_path, 10)
    again = RefreshSummary.from_dict(json.loads(json.dumps(summary.as_dict())))
    assert again == summary
    assert "t0p-s3cret-canary" not in json.dumps(summary.as_dict())
    with pytest.raises(ValueError, match="not what RefreshSummary"):
        RefreshSummary.from_dict({})


async def test_no_output_may_be_the_input(tmp_path):
    """A run that would replace its own input, or write one file twice, is refused at once."""
    path = members_csv(tmp_path / "in.csv", 3)
    out = CsvSink(tmp_path / "out.csv")
    with pytest.raises(ConfigurationError, match="is the input"):
        await refreshed(CsvSource(path), CsvSink(path, overwrite=True))
    with pytest.raises(ConfigurationError, match="the same file"):
        await refreshed(CsvSource(path), out, errors_to=CsvSink(tmp_path / "out.csv"))
    with pytest.raises(ConfigurationError, match="no folder"):
        await refreshed(CsvSource(path), CsvSink(Path(tmp_path / "nowhere" / "out.csv")))
    assert left_in(tmp_path) == ["in.csv"]


async def test_fresh_forgets_the_run_whose_output_it_takes(tmp_path):
    """An unfinished run that cannot go on any more is not left lying about."""
    platform = Platform()
    platform.replies["m5@example.com"] = envelope(401, "token required")
    with pytest.raises(AuthenticationError):
        await from_file(tmp_path, 600, platform)
    summary = await from_file(tmp_path, 601, fresh=True)
    assert left_in(tmp_path / ".altcraft-balance") == [summary.run_id]


async def test_a_finished_run_is_judged_again(tmp_path):
    """The same call says again that too much failed, and one that allows more does not."""
    platform = Platform()
    platform.replies = {"m1@example.com": envelope(440, "no")}
    assert not (await from_file(tmp_path, 10, platform)).is_within_max_failed
    assert not (await from_file(tmp_path, 10)).is_within_max_failed
    assert (await from_file(tmp_path, 10, max_failed=1)).is_within_max_failed


async def test_a_listener_that_raises_ends_nothing(tmp_path, caplog):
    """It is logged once, however often it is called."""
    calls = []
    platform = Platform()
    platform.held["m0@example.com"] = asyncio.Event()

    def raises(summary):
        calls.append(summary)
        if len(calls) == 2:
            platform.held["m0@example.com"].set()
        raise KeyError("mine")

    assert (await from_file(tmp_path, 3, platform, on_progress=raises)).state == "finished"
    assert [record.getMessage() for record in caplog.records] == [
        "the on_progress listener raised KeyError; further errors of it are not logged"
    ]
