"""Row 19: neither a secret nor a member's address leaks, whatever the other side does.

Canaries are looked for, in every spelling, in all that a client shows: values, errors with their
chains and frames, events, warnings and every log at DEBUG.
"""

import asyncio
import gc
import logging
import pickle
import warnings
from urllib.parse import quote

import pytest

from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.models import (
    BalanceQuery,
    ByCustomField,
    ByEmail,
    ByPhone,
    ByProfileId,
    RawMatching,
)
from altcraft_balance.sandbox import FAULTS, Sandbox
from altcraft_balance.secret import Secret
from altcraft_balance.settings import Limits, RetryPolicy, Timeouts
from tests.canaries import CANARIES, CARD, EMAIL, MATCHINGS, PHONE, PROFILE, TOKEN, Watch, hits
from tests.lanes import LANES, client_over
from tests.promises.echoes import ECHOES, echoing

pytestmark = pytest.mark.slow
#: Where each run has something to show, but for the logs, which are asyncio's here.
SHOWN = [
    *(f"error {face}" for face in ("repr", "str", "format", "pickle", "chain", "fields", "frames")),
    *(f"{what} {face}" for what in ("event", "outcome") for face in ("repr", "str", "asdict")),
    *(f"client {face}" for face in ("repr", "str", "asdict")),
    *("cancel frames", "log asyncio"),
]


@pytest.fixture
def watch(caplog):
    """A watch, and every logger at DEBUG."""
    caplog.set_level(logging.DEBUG)
    for name in ("asyncio", "aiohttp", "altcraft_balance"):
        caplog.set_level(logging.DEBUG, logger=name)
    yield Watch()
    caplog.clear()  # thousands of lines


@pytest.fixture
async def talkative(watch, caplog):
    """A loop in debug mode that has a word on each step; what it says is looked at."""
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0
    loop.set_exception_handler(lambda _, told: watch.look("loop", repr(told)))
    yield
    loop.set_debug(False)


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("lane", LANES)
async def test_a_server_that_repeats_all_it_is_told_reveals_nothing(
    promise, size, watch, talkative, caplog, lane, form
):
    """In each place of a reply, and past each fault; in calls, in a batch, and when cancelled."""
    if size("small", "full") == "small" and (lane == "direct") == (form == "json"):
        pytest.skip("at the full size")
    stated = promise(19, f"no secret, no address leaks: {lane}, {form}")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for name in size(list(ECHOES), quick=list(ECHOES)[::9]):
            async with echoing(name) as url:
                await ask_all(watch, lane, url, form)
        for name in FAULTS:
            async with Sandbox(token=TOKEN, faults={name: 1}, retry_after_s=0) as sandbox:
                await ask_all(watch, lane, sandbox.url, form)
        gc.collect()
        await asyncio.sleep(0)
    watch.look("warning", *(str(one.message) for one in warned))
    for record in caplog.records:
        place = f"log {record.name.partition('.')[0]}"
        watch.look(place, record.getMessage(), repr(record.args))
    unseen = [place for place in SHOWN if not watch.seen[place]]
    assert not unseen
    stated.came(
        tried=watch.seen.total(),
        failed=len(watch.found),
        figure=f"{len(ECHOES)} echoes, {len(FAULTS)} faults",
        why="\n".join(watch.found[:20]),
    )


async def ask_all(watch, lane, url, form):
    """All ways to ask that server, each looked at."""
    client = client_over(
        lane,
        url,
        token=TOKEN,
        format=form,
        auth="both",
        loyalty_program_id=123,
        fatal_codes=(),
        retry=RetryPolicy(max_attempts=2, base_s=0.001, cap_s=0.002),
        timeouts=Timeouts(attempt_s=0.05, deadline_s=0.2),
        limits=Limits(concurrency=4, adaptive=False),
        on_event=lambda event: watch.look_at("event", event),
    )
    async with client:
        for matching in MATCHINGS:
            await look_at_call(watch, client.get_balance(matching))
        for outcome in await client.get_balances(MATCHINGS, item_deadline_s=0.2):
            watch.look_at("outcome", outcome)
            if hasattr(outcome, "error"):
                watch.look_at("error", outcome.error)
        call = asyncio.create_task(client.get_balance(MATCHINGS[0]))
        await asyncio.sleep(0.001)
        call.cancel()
        await look_at_call(watch, call)
        watch.look_at("client", client, client.stats(), client.health(), client._session.settings)


async def look_at_call(watch, call):
    try:
        watch.look_at("balance", await call)
    except AltcraftBalanceError as error:
        watch.look_at("error", error)
    except asyncio.CancelledError as cancel:
        watch.look_at("cancel", cancel)


URL, IN_URL = "https://altcraft.example", quote(TOKEN, safe="")
ASKED = ByEmail(EMAIL)
#: What is refused where it is made, and does not say what it was made of.
REFUSED = {
    "email": lambda: ByEmail(EMAIL + "\n"),
    "no email": lambda: ByEmail(TOKEN),
    "phone": lambda: ByPhone(" " + PHONE),
    "profile": lambda: ByProfileId(PROFILE + "\0"),
    "custom": lambda: ByCustomField("card", CARD + "\0"),
    "raw": lambda: RawMatching({"matching": "x", "email": EMAIL + "\0"}),
    "raw token": lambda: RawMatching({"matching": "x", "token": TOKEN}),
    "query": lambda: BalanceQuery(EMAIL),
    "extra": lambda: BalanceQuery(ASKED, extra={"note": CARD + "\0"}),
    "extra's name": lambda: BalanceQuery(ASKED, extra={CARD: CARD}),
    "misspelt": lambda: BalanceQuery(ASKED, tagg=EMAIL),
    "secret": lambda: Secret(TOKEN + " x"),
    "secret's pickle": lambda: pickle.dumps(Secret(TOKEN)),
    "token": lambda: BalanceClient(URL, token=TOKEN + "\n"),
    "url": lambda: BalanceClient(f"https://user:{IN_URL}@altcraft.example", token=TOKEN),
    "url's query": lambda: BalanceClient(f"{URL}/?token={IN_URL}", token=TOKEN),
    "our header": lambda: BalanceClient(URL, token=TOKEN, headers={"Authorization": TOKEN}),
    "header": lambda: BalanceClient(URL, token=TOKEN, headers={"X-Key": TOKEN + "\n"}),
    "proxy": lambda: BalanceClient(URL, token=TOKEN, proxy=f"ftp://user:{IN_URL}@proxy"),
    "client's pickle": lambda: pickle.dumps(BalanceClient(URL, token=TOKEN)),
}


async def test_what_is_refused_is_not_shown(promise, watch):
    """Not in the sentence, and not in a frame that is ours; nor what a call or stream refuses."""
    stated = promise(19, "no secret, no address leaks: what is refused")
    for name, make in REFUSED.items():
        with pytest.raises((ValueError, TypeError)) as caught:
            make()
        watch.look_at(name, caught.value)
        assert watch.seen[f"{name} frames"], name
    async with BalanceClient("http://127.0.0.1:9", token=TOKEN, loyalty_program_id=1) as client:
        await look_at_call(watch, client.get_balance(EMAIL))
        for by in (ByEmail, None):
            async with client.stream_balances([EMAIL + "\n", CARD], by=by) as outcomes:
                async for outcome in outcomes:
                    watch.look_at("outcome", outcome)
                    watch.look_at("outcome's error", outcome.error)
    stated.came(
        tried=watch.seen.total(),
        failed=len(watch.found),
        figure=f"{len(REFUSED) + 5} refusals",
        why="\n".join(watch.found[:20]),
    )


# ── the watch itself ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", CANARIES)
def test_a_canary_is_found_in_every_spelling(name):
    """Also where one spelling lies in another."""
    import base64
    import html
    import json

    value = CANARIES[name]
    lines = [
        value.upper(),
        quote(value),
        quote(value, safe="").lower(),
        html.escape(value),
        json.dumps({"told": value}),
        json.dumps(repr([value])),
        repr({"locals": repr({"body": value.encode()})}),
        *(base64.b64encode(b"x" * n + value.encode() + b"!").decode() for n in range(4)),
        base64.urlsafe_b64encode(value.encode()).decode(),
    ]
    for line in lines:
        assert [hit.partition(":")[0] for hit in hits(f"... {line} ...")] == [name], line
        assert hits(f"... {line} ...".encode())
    assert not hits("nothing of " + value[: len(value) // 2])


def test_a_canary_is_found_in_a_frame_of_ours(watch, monkeypatch):
    """And in a chained error, in a note, and in what hangs on an error."""
    monkeypatch.setattr("tests.canaries._TESTS", "/nowhere")
    try:
        told = [TOKEN]
        raise ValueError(len(told)) from RuntimeError(EMAIL)
    except ValueError as error:
        error.add_note(CARD)
        error.last_error = KeyError(PHONE)
        watch.look_at("error", error)
    names = {hit.split(": ")[1] for hit in watch.found}
    assert names == {"token", "email", "card", "phone"}
    assert any(hit.startswith("error frames: token") for hit in watch.found)
