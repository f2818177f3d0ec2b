"""Row 24: fatal stays fatal.

What no repeat can mend is asked once, however many attempts the settings allow. In a run, an
answer that says the same of every member ends it: no further request is written once that answer
has been read.
"""

import itertools
import json

import pytest

from altcraft_balance.errors import (
    AccessDenied,
    AltcraftBalanceError,
    AuthenticationError,
    HttpStatusError,
    RedirectRefused,
    TariffLimitReached,
    TlsRefused,
)
from altcraft_balance.models import ByEmail
from altcraft_balance.settings import Limits
from tests.hostile.authority import Authority
from tests.hostile.behaviours import BALANCE, answers, plain_text, redirects
from tests.hostile.replies import reply
from tests.hostile.server import RawServer
from tests.lanes import LANES
from tests.promises.hostile import PATIENT, client_of, outcome_of

STATUSES = ("200 OK", "400 Bad Request", "429 Slow", "500 Oops", "503 Busy")
REDIRECTS = (300, 301, 302, 303, 305, 307, 308)
CODES = (400, 401, 402, 403, 404)
FAR = 2_000  # members behind the one whose answer should have ended the run
LONG_S = 10  # a run that does not end by itself


def envelope(code):
    return json.dumps({"error": code, "error_text": "no"}).encode()


def xml_envelope(code):
    return f"<xml><error>{code}</error><error_text>no</error_text></xml>".encode()


def fatal_replies():
    """Whole replies that end a lookup, by name."""
    for code, status in itertools.product(CODES, STATUSES):
        yield f"code {code}, HTTP {status}", reply(envelope(code), status=status)
        yield f"code {code} in XML, HTTP {status}", reply(xml_envelope(code), status=status)
    for status in CODES:
        yield f"HTTP {status}, a page", reply(b"<html>no</html>", status=f"{status} No")
        yield f"HTTP {status}, empty", reply(b"", status=f"{status} No")
    yield "code 440", reply(envelope(440))
    yield "too large", reply(bytes(65_537))
    yield "a DOCTYPE", reply(b"<!DOCTYPE xml []><xml><error>0</error></xml>")
    yield "no data", reply(envelope(0))
    yield "a key twice", reply(BALANCE.replace(b'"error":0', b'"error":0,"error":0'))
    yield "no amount", reply(BALANCE.replace(b'"1000"', b'"NaN"'))


@pytest.mark.parametrize("lane", LANES)
async def test_what_is_fatal_is_asked_once(promise, lane):
    """One request and an error that is not transient, at whatever HTTP status it came."""
    stated = promise(24, f"fatal stays fatal, over {lane}")
    wrong, tried = [], 0
    for name, whole in fatal_replies():
        async with RawServer(answers(whole)) as server:
            tried += 1
            wrong += await asked_more_than_once(name, lane, server)
    stated.came(tried=tried, failed=len(wrong), figure="one request each", why="\n".join(wrong))


@pytest.mark.parametrize("lane", LANES)
async def test_a_redirect_and_tls_are_asked_once(promise, lane, tmp_path):
    """They are known before there is an envelope."""
    stated = promise(24, f"fatal stays fatal: redirects and TLS, over {lane}")
    wrong, context = [], Authority(tmp_path).serving()
    for status in REDIRECTS:
        async with RawServer(redirects(status, "/elsewhere")) as server:
            wrong += await asked_more_than_once(f"HTTP {status}", lane, server)
    async with RawServer(answers(), context=context) as server:
        wrong += await asked_more_than_once("a stranger's certificate", lane, server, requests=0)
    async with RawServer(plain_text) as server:
        server.url = f"https://{server.host}"
        wrong += await asked_more_than_once("no TLS", lane, server, requests=0)
    tried = len(REDIRECTS) + 2
    stated.came(tried=tried, failed=len(wrong), figure="one connection each", why="\n".join(wrong))


async def asked_more_than_once(name, lane, server, requests=1):
    """What was wrong, if anything."""
    async with client_of(lane, server.url, retry=PATIENT) as client:
        outcome = await outcome_of(client)
    counts = len(server.requests), len(server.peers)
    is_final = isinstance(outcome, AltcraftBalanceError) and not outcome.transient
    if is_final and counts == (requests, 1):
        return []
    return [f"{name}: {outcome!r}, {counts} requests and connections"]


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("slots", [1, 8, 64])
async def test_a_401_ends_a_run_within_the_requests_in_flight(promise, size, lane, slots):
    """Of a million members, no more is sent behind the first 401 than was on the way already."""
    stated = promise(24, f"a 401 ends a run of 1M, {slots} in flight, over {lane}")
    wrong, most, runs = [], 0, size(5, 100)
    for run in range(runs):
        good = 37 * run % 500
        error, late, taken = await run_until(reply(envelope(401)), lane, slots, good)
        most = max(most, late)
        # What was taken and not sent is what workers and the reading ahead hold.
        if type(error) is not AuthenticationError or late > slots - 1 or taken > good + 20 * slots:
            wrong.append(f"after {good}: {error!r}, {late} further requests, {taken} taken")
    stated.came(
        tried=runs, failed=len(wrong), figure=f"at most {most} more requests", why="\n".join(wrong)
    )


#: What ends a run as well, by name: the reply, and the error.
ENDS = {
    "code 402": (reply(envelope(402)), TariffLimitReached),
    "code 403": (reply(envelope(403)), AccessDenied),
    **{
        f"HTTP {status}, a page": (
            reply(b"<html>no</html>", status=f"{status} No"),
            HttpStatusError,
        )
        for status in (401, 402, 404, 407)
    },
    "a redirect": (reply(b"", "Location: /elsewhere", status="302 Found"), RedirectRefused),
}


@pytest.mark.parametrize("lane", LANES)
async def test_whatever_all_would_meet_ends_a_run(promise, lane):
    """Each within the requests in flight; and TLS that is refused, before anything is sent."""
    stated = promise(24, f"what all would meet ends a run, over {lane}")
    wrong = []
    for name, (last, kind) in ENDS.items():
        error, late, _ = await run_until(last, lane, 8, 20)
        if type(error) is not kind or late > 7:
            wrong.append(f"{name}: {error!r}, {late} further requests")
    async with RawServer(plain_text) as server:
        settings = {"retry": PATIENT, "limits": Limits(concurrency=8)}
        async with client_of(lane, f"https://{server.host}", **settings) as client:
            error = await end_of_run(client, (f"m{n}@example.com" for n in range(99)), FAR)
            wrong += [] if type(error) is TlsRefused else [f"no TLS: {error!r}"]
    stated.came(
        tried=len(ENDS) + 1, failed=len(wrong), figure="each by its own error", why="\n".join(wrong)
    )


async def run_until(last, lane, slots, good):
    """What ended a run when `last` came after `good` balances, those behind it, and all taken."""
    seen = taken = 0

    async def script(peer):
        nonlocal seen
        while await peer.request() is not None:
            seen += 1
            await peer.send_all(reply(BALANCE) if seen <= good else last)

    def members():
        nonlocal taken
        for taken in range(1, 1_000_001):
            yield f"member-{taken}@example.com"

    async with RawServer(script) as server:
        settings = {"retry": PATIENT, "limits": Limits(concurrency=slots)}
        async with client_of(lane, server.url, **settings) as client:
            error = await end_of_run(client, members(), good + FAR)
            return error, seen - good - 1, taken


async def end_of_run(client, members, far):
    """What ended the run; None if it comes that far."""
    try:
        async with client.stream_balances(members, by=ByEmail, run_deadline_s=LONG_S) as outcomes:
            async for outcome in outcomes:
                if outcome.index > far:
                    break
    except AltcraftBalanceError as error:
        return error
    return None
