"""Neither the token nor a member's address is in anything that is shown."""

import asyncio
import copy
import json
import logging
import pickle
import traceback
from contextlib import suppress
from urllib.parse import quote

import pytest

from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import AltcraftBalanceError, ConfigurationError, DeadlineExceeded
from altcraft_balance.models import (
    BalanceQuery,
    ByCustomField,
    ByEmail,
    ByPhone,
    ByProfileId,
    RawMatching,
)
from altcraft_balance.session.session import Session
from tests.session.fakes import (
    TOKEN,
    URL,
    Slow,
    Wire,
    api,
    broken,
    http,
    make_client,
    ok,
    opened,
    settle,
)

WHO = "canary-member"
MATCHINGS = [
    ByEmail(f"{WHO}@example.com"),
    ByPhone(f"+7 900 {WHO}"),
    ByProfileId(WHO),
    ByCustomField("card", WHO),
    RawMatching({"matching": "email_profile", "email": f"{WHO}@example.com"}),
    BalanceQuery(ByEmail(f"{WHO}@example.com"), extra={"note": f"{WHO} too"}, tag=f"{WHO} tag"),
]


def echo(sent):
    """What a talkative server says: all that it was told, in several spellings."""
    told = [str(value) for value in json.loads(sent.body).values()]
    told += [*map(quote, told), *map(str.upper, told), *sent.headers.values()]
    return f"refused: {sent.body.decode()} {' '.join(told)}"


def faces(value):
    """All the ways in which a value shows itself."""
    yield repr(value)
    yield str(value)
    yield f"{value}"
    if isinstance(value, BaseException):
        # The unsent queries are data for the caller; everything else is for showing.
        shown = copy.copy(value)
        shown.unsent = ()
        yield repr(pickle.dumps(shown))
        yield repr(vars(shown))
        yield "".join(traceback.format_exception(value))
        for chained in (value.__cause__, value.__context__):
            if chained is not None:
                yield from faces(chained)
        if isinstance(value, DeadlineExceeded) and value.last_error is not None:
            yield from faces(value.last_error)


def assert_silent(*values):
    for value in values:
        for face in faces(value):
            assert TOKEN.lower() not in face.lower(), face
            assert WHO not in face.lower(), face


@pytest.mark.parametrize("auth", ["body", "header", "both"])
@pytest.mark.parametrize("code", [400, 401, 403, 440, 429, 500])
async def test_a_server_that_echoes_everything_reveals_nothing(caplog, auth, code):
    """Events, log records, asyncio's own ones, errors: none holds token or address."""
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    events, wire = [], Wire()
    wire.answer = lambda sent: api(code, echo(sent), content_type=echo(sent))
    outcomes = []
    async with opened(
        wire, auth=auth, on_event=events.append, fatal_codes=(), max_attempts=2, deadline_s=1
    ) as client:
        for matching in MATCHINGS:
            await asyncio.sleep(60)  # until the gate is open again
            with pytest.raises(AltcraftBalanceError) as caught:
                await client.get_balance(matching)
            assert_silent(caught.value, client, client.stats(), client.health())
        await asyncio.sleep(60)
        outcomes = await client.get_balances(MATCHINGS, item_deadline_s=600)
    for outcome in outcomes:
        error = getattr(outcome.error, "last_error", outcome.error)
        assert "refused" in error.text
        assert_silent(outcome, outcome.error)
    assert_silent(*events)
    assert len(events) > 20
    assert_silent(*(record.getMessage() for record in caplog.records))


@pytest.mark.parametrize("reply", [http(500), http(302), broken(), Slow(99), ok(total="x")])
async def test_troubles_without_an_envelope_reveal_nothing(reply):
    """Whatever goes wrong on the way."""
    events, wire = [], Wire()
    wire.answer = lambda _: reply
    async with opened(wire, on_event=events.append, max_attempts=2) as client:
        for matching in MATCHINGS:
            with pytest.raises(AltcraftBalanceError) as caught:
                await client.get_balance(matching)
            assert_silent(caught.value)
    assert_silent(*events)


async def test_the_error_that_ends_a_stream_shows_no_address(wire):
    """`unsent` holds queries, which are data; how they look is another matter."""
    wire.hold()
    client = make_client(wire, concurrency=1)
    await client.open()
    error = None

    async def slowly():  # so that it is read ahead
        for matching in MATCHINGS:
            await asyncio.sleep(0)
            yield matching

    async with client.stream_balances(slowly()) as stream:
        await settle()
        closing = asyncio.create_task(client.aclose(grace_s=0))
        try:
            async for _ in stream:
                pass
        except AltcraftBalanceError as caught:
            error = caught
        await closing
    assert len(error.unsent) >= 3
    assert_silent(error)
    assert WHO not in repr(vars(error))
    assert pickle.loads(pickle.dumps(error)).unsent == error.unsent


BAD_SETTINGS = [
    {"base_url": "ftp://altcraft.example"},
    {"base_url": "http://altcraft.example"},
    {"format": "yaml"},
    {"transport": "carrier pigeon"},
    {"token": f"{TOKEN} {TOKEN}"},
    {"fatal_codes": "401"},
    {"proxy": f"http://user:{TOKEN}@ [bad"},
]


@pytest.mark.parametrize("bad", BAD_SETTINGS, ids=str)
@pytest.mark.parametrize("how", ["constructor", "environment"])
def test_a_wrong_setting_shows_the_token_in_no_frame(monkeypatch, bad, how):
    """Tracebacks with local variables are what error trackers send away."""
    given = {"base_url": URL, "token": TOKEN, "proxy": f"http://user:{TOKEN}@proxy:1", **bad}
    if how == "environment":
        monkeypatch.setenv("ALTCRAFT_BASE_URL", URL)

        def make():
            return BalanceClient.from_env(**given)

    else:

        def make():
            return BalanceClient(**given)

    with pytest.raises(ConfigurationError) as caught:
        make()
    # The first two frames are this test's.
    for frame, _ in traceback.walk_tb(caught.value.__traceback__.tb_next.tb_next):
        for value in frame.f_locals.values():
            with suppress(AttributeError):  # attrs: of a value that is only half made
                assert_silent(repr(value))


async def test_a_client_shows_neither_token_nor_headers(wire):
    """Its `repr`, its session's settings, its state."""
    client = make_client(wire, headers={"X-Team": TOKEN}, auth="both")
    assert repr(client) == f"<BalanceClient {URL} new>"
    assert_silent(client, client._session.settings)
    async with client:
        assert "open" in repr(client)
    assert "closed" in repr(client)


async def test_a_cancelled_lookup_shows_nothing_in_its_frames():
    """The request is on the wire then, with all it carries."""
    wire = Wire()
    wire.hold()
    client = make_client(wire)
    await client.open()
    call = asyncio.create_task(client.get_balance(MATCHINGS[0]))
    await settle()
    call.cancel()
    try:
        await call
    except asyncio.CancelledError as error:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [frame for frame in shown.stack if "/altcraft_balance/" in frame.filename]
    assert {frame.name for frame in ours} >= {"get_balance", "run", "_exchange"}
    for frame in ours:
        assert_silent(str(frame.locals))
    await client.aclose()
    assert isinstance(client._session, Session)
