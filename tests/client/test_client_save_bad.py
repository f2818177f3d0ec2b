"""`save_bad` keeps unexpected replies: few, redacted, for their owner alone, off the loop."""

import asyncio
import errno
import functools
import json
import os
import stat
import threading
from collections import Counter
from datetime import UTC, datetime

import pytest

from altcraft_balance.client import BalanceClient
from altcraft_balance.codec.redacted import MAX_KEPT_BYTES
from altcraft_balance.codec.reply import read_reply
from altcraft_balance.codec.request import RequestEncoder
from altcraft_balance.errors import AltcraftBalanceError, ConfigurationError
from altcraft_balance.models import BalanceQuery, ByEmail
from altcraft_balance.sandbox import Sandbox
from altcraft_balance.secret import HiddenStr
from altcraft_balance.session import bad_replies
from altcraft_balance.settings import Limits, RetryPolicy
from tests.lanes import LANES, client_over

TOKEN = "canary-token-5f1e"
ADDRESS = "canary-member@example.com"
ME = BalanceQuery(ByEmail(ADDRESS))
NOTED = BalanceQuery(ByEmail(ADDRESS), extra={"note": "canary-note"})
ONCE = {"retry": RetryPolicy(max_attempts=1), "limits": Limits(concurrency=8, adaptive=False)}
WIRE = RequestEncoder(HiddenStr(TOKEN), loyalty_program_id=123).encode(ME)
NOW = datetime(2026, 1, 2, tzinfo=UTC)
HTML = {"Content-Type": "text/html"}
FILES = ["body.bin", "expected.json", "headers.json"]


def on_a_loop(test):
    """Run it on a real one: those of this folder's other tests know no threads and no sockets."""

    @functools.wraps(test)
    def run(*arguments, **named):
        return asyncio.run(test(*arguments, **named))

    return run


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "made" / "bad"


async def failures(sandbox, folder, queries=(ME,), *, lane="aiohttp", **settings):
    """The errors that these queries end with."""
    settings = {**ONCE, "token": TOKEN, "loyalty_program_id": 123, "save_bad": folder, **settings}
    errors = []
    async with client_over(lane, sandbox.url, **settings) as client:
        for query in queries:
            try:
                await client.get_balance(query)
            except AltcraftBalanceError as error:
                errors.append(error)
    return errors


def kept_in(folder):
    """What lies there: for each reply its files' contents, by name."""
    return [
        {file.name: file.read_bytes() for file in sorted(place.iterdir())}
        for place in sorted(folder.iterdir())
    ]


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("lane", LANES)
@on_a_loop
async def test_a_hostile_echo_is_kept_without_what_was_asked(lane, form, folder):
    """A page, an envelope of either kind, an HTTP error: none has the token or the member."""
    seen = []
    async with Sandbox() as sandbox:
        told = f"{TOKEN} {ADDRESS} canary-note canary-member%40example.com"
        bodies = [
            (200, f"<html>{told}</html>"),
            (200, json.dumps({"error": 0, "data": {"who": told}})),
            (200, f"<xml><error>0</error><data><who>{told}</who></data></xml>"),
            (200, told),
            (502, told),
        ]
        for status, body in bodies:
            sandbox.answer(
                None,
                status=status,
                body=body.encode(),
                headers={"Content-Type": f"text/{TOKEN}", "Set-Cookie": ADDRESS, "X-Me": ADDRESS},
                times=1,
            )
        errors = await failures(sandbox, folder, [NOTED] * 5, lane=lane, format=form, auth="both")
    assert [error.kind for error in errors] == ["unexpected_reply"] * 4 + ["http_status"]
    kept = kept_in(folder)
    assert [sorted(files) for files in kept] == [FILES] * 5
    for (_, body), files in zip(bodies, kept, strict=True):
        seen += files.values()
        assert files["body.bin"].decode() == body.replace(told, "*** *** *** ***")
        assert json.loads(files["headers.json"])["content-type"] == "text/***"
    assert b"canary" not in b"".join(seen).lower()


@on_a_loop
async def test_what_is_kept_is_a_sample(folder):
    """Laid into `tests/samples/replies` it is a test: the same reply gives the same error again."""
    async with Sandbox() as sandbox:
        sandbox.answer(ME, body=b"<html>bad</html>", headers=HTML, times=1)
        sandbox.answer(ME, body=b'{"error":0,"data":{"total_balance":1e999}}', times=1)
        sandbox.answer(ME, status=404, body=b"nothing here", times=1)
        await failures(sandbox, folder, [ME] * 3)
    places = sorted(folder.iterdir())
    assert len(places) == 3
    for place in places:
        expected = json.loads((place / "expected.json").read_text())
        headers = json.loads((place / "headers.json").read_text())
        ((status, wanted),) = expected.items()
        with pytest.raises(AltcraftBalanceError) as caught:
            read_reply(WIRE, int(status), headers, (place / "body.bin").read_bytes(), NOW)
        error = caught.value
        assert (type(error).__name__, error.transient) == (wanted["raises"], wanted["transient"])
        assert wanted["says"] in str(error)


@on_a_loop
async def test_answers_are_not_kept(folder):
    """A balance, an error in an envelope, a throttled answer: those are documented."""
    async with Sandbox() as sandbox:
        sandbox.answer(None, body=b'{"error":404,"error_text":"unknown"}', times=1)
        sandbox.answer(None, status=429, body=b"slow down", headers={"Retry-After": "0"}, times=1)
        await failures(sandbox, folder, [ME] * 3)
    assert kept_in(folder) == []


@on_a_loop
async def test_only_their_owner_can_read_them(folder):
    """Whatever the umask allows."""
    before = os.umask(0)
    try:
        async with Sandbox() as sandbox:
            sandbox.answer(ME, body=b"odd")
            await failures(sandbox, folder)
    finally:
        os.umask(before)
    paths = [folder, *folder.iterdir(), *folder.rglob("*.*")]
    modes = Counter((path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in paths)
    assert modes == {(True, 0o700): 2, (False, 0o600): 3}


@on_a_loop
async def test_a_folder_that_is_there_is_used(folder):
    """What lies in it stays, and another run's replies come after it."""
    async with Sandbox() as sandbox:
        sandbox.answer(ME, body=b"odd")
        await failures(sandbox, folder)
        before = kept_in(folder)
        await failures(sandbox, folder, [ME] * 2)
    assert kept_in(folder) == before * 3
    assert sorted(path.name for path in folder.iterdir()) == ["bad-001", "bad-002", "bad-003"]


@on_a_loop
async def test_no_more_are_kept_than_that(folder, monkeypatch):
    """So many of a kind, so many in all, whoever wrote them; each of at most 64 KiB."""
    monkeypatch.setattr(bad_replies, "_MOST", 5)
    monkeypatch.setattr(bad_replies, "_MOST_ALIKE", 3)
    async with Sandbox() as sandbox:
        sandbox.answer(ME, body=b"x" * 99999)
        errors = await failures(sandbox, folder, [ME] * 9, max_body_bytes=100000)
        assert len(errors) == 9
        assert [len(files["body.bin"]) for files in kept_in(folder)] == [MAX_KEPT_BYTES] * 3
        await failures(sandbox, folder, [ME] * 9, max_body_bytes=100000)
        await failures(sandbox, folder, [ME] * 9, max_body_bytes=100000)
        assert len(kept_in(folder)) == 5
        for status in range(510, 530):
            sandbox.answer(ME, status=status, body=b"odd", times=1)
        await failures(sandbox, folder / "other", [ME] * 20)
    assert len(kept_in(folder / "other")) == 5


@on_a_loop
async def test_a_full_disk_is_one_warning(folder, monkeypatch, caplog):
    """Every lookup has its own end, and nothing that is half written stays."""

    def full(path, _):
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(bad_replies, "write_private", full)
    async with Sandbox() as sandbox:
        sandbox.answer(ME, body=b"odd")
        errors = await failures(sandbox, folder, [ME] * 5)
    assert [error.kind for error in errors] == ["unexpected_reply"] * 5
    assert kept_in(folder) == []
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage() == (
        f"an unexpected reply could not be kept in {folder}, and no more will be: "
        "No space left on device"
    )


@on_a_loop
async def test_nothing_is_written_on_the_loop(folder, monkeypatch):
    """A disk that hangs holds nobody up: what is asked meanwhile is answered."""
    write, may_go_on, threads = bad_replies.write_private, threading.Event(), set()

    def slow(path, content):
        threads.add(threading.current_thread().name)
        assert may_go_on.wait(10)
        write(path, content)

    monkeypatch.setattr(bad_replies, "write_private", slow)
    settings = {**ONCE, "token": "sandbox-token", "loyalty_program_id": 123, "save_bad": folder}
    async with Sandbox() as sandbox, BalanceClient(sandbox.url, **settings) as client:
        sandbox.answer(ME, body=b"odd", times=1)
        with pytest.raises(AltcraftBalanceError):
            await client.get_balance(ME)
        await client.get_balance(ME)
        may_go_on.set()
    assert len(kept_in(folder)) == 1  # `aclose` has waited for it
    assert threads == {"altcraft-balance-save-bad_0"}


@on_a_loop
async def test_without_it_nothing_is_made():
    """No thread, no folder, nothing to look at a reply."""
    async with Sandbox() as sandbox:
        client = BalanceClient(sandbox.url, token=TOKEN, loyalty_program_id=123)
        assert client._session.bad_replies is None


@pytest.mark.parametrize("what", ["file", "below a file", "read-only", "nowhere"])
@on_a_loop
async def test_a_folder_that_cannot_be_is_said_at_once(what, tmp_path, monkeypatch):
    """One sentence, before anything is asked, and the client is closed."""
    path = tmp_path / "it"
    if what.endswith("file"):
        path.touch()
    why = f"{path} is a file"
    if what == "below a file":
        path = path / "bad"
        why = f"{path}: Not a directory"
    elif what == "read-only":
        monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
        why = f"{path}: Permission denied"
    elif what == "nowhere":
        path = "/proc/nowhere"
        why = f"{path}: No such file or directory"
    async with Sandbox() as sandbox:
        client = BalanceClient(sandbox.url, token=TOKEN, loyalty_program_id=123, save_bad=path)
        with pytest.raises(ConfigurationError) as caught:
            await client.open()
        assert sandbox.requests == 0
    assert str(caught.value) == f"save_bad must be a folder to write to: {why}"
    assert client.health().state == "closed"


@pytest.mark.parametrize("path", ["", 5, b"bad"])
def test_what_is_no_path_is_refused(path):
    """Before anything else."""
    with pytest.raises(ConfigurationError, match=r"^save_bad must be the path of a folder$"):
        BalanceClient("http://127.0.0.1:1", token=TOKEN, save_bad=path)
