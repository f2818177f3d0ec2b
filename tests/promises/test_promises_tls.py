"""Row 21: TLS is enforced.

A server that cannot prove who it is, or that speaks what is too old or no TLS at all, is refused
each time, is not asked again, and has been told nothing.
"""

import datetime as dt
import ssl
import warnings
from contextlib import suppress

import pytest

from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import ConfigurationError, TlsRefused
from altcraft_balance.models import Balance
from tests.hostile.behaviours import answers, plain_text
from tests.hostile.server import RawServer
from tests.lanes import LANES
from tests.promises.hostile import PATIENT, TOKEN, client_of, outcome_of


def self_signed(authority, stranger):
    return stranger.serving()


def expired(authority, stranger):
    now = dt.datetime.now(dt.UTC)
    return authority.serving(
        not_before=now - dt.timedelta(days=9), not_after=now - dt.timedelta(days=1)
    )


def not_yet_valid(authority, stranger):
    now = dt.datetime.now(dt.UTC)
    return authority.serving(
        not_before=now + dt.timedelta(days=1), not_after=now + dt.timedelta(days=9)
    )


def wrong_host(authority, stranger):
    return authority.serving("other.test", "127.0.0.2")


def tls_1_1(authority, stranger):
    context = authority.serving()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def no_tls(authority, stranger):
    return None


CASES = (self_signed, expired, not_yet_valid, wrong_host, tls_1_1, no_tls)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("lane", LANES)
async def test_who_cannot_prove_himself_is_refused(promise, size, lane, case, authority, stranger):
    """Refused, asked once, told nothing."""
    name = case.__name__.replace("_", " ")
    stated = promise(21, f"TLS is enforced: {name}, over {lane}")
    tries, wrong = size(5, 200), []
    context = case(authority, stranger)
    script = plain_text if context is None else answers()
    async with RawServer(script, context=context) as server:
        url = f"https://{server.host}"
        for _ in range(tries):
            before = len(server.peers)
            async with client_of(lane, url, ca_file=authority.file, retry=PATIENT) as client:
                error = await outcome_of(client)
            connections = len(server.peers) - before
            if type(error) is not TlsRefused or error.transient or connections != 1:
                wrong.append(f"{error!r}, {connections} connections")
        received = b"".join(peer.received for peer in server.peers)
        told = len(server.requests) + received.count(TOKEN.encode())
    stated.came(
        tried=tries,
        failed=len(wrong) + told,
        figure=f"100 % refused, {told} told" if not wrong else f"{len(wrong)} not refused",
        why="\n".join(wrong),
    )


def test_plain_http_goes_to_this_machine_alone(promise):
    """Without a word of the user's."""
    stated = promise(21, "TLS is enforced: no plain http to others")
    hosts, let = ("altcraft.example", "10.0.0.1", "127.0.0.1.example", "localhost.example"), []
    for host in hosts:
        with suppress(ConfigurationError):
            let.append(BalanceClient(f"http://{host}", token=TOKEN, loyalty_program_id=1))
    stated.came(tried=len(hosts), failed=len(let), figure="100 % refused")


@pytest.mark.parametrize("lane", LANES)
async def test_the_same_server_with_a_good_certificate_is_asked(lane, authority):
    """Else the refusals above would prove nothing."""
    async with RawServer(context=authority.serving()) as server:
        server.script = answers()
        async with client_of(lane, server.url, ca_file=authority.file) as client:
            assert type(await outcome_of(client)) is Balance
        assert TOKEN.encode() in server.requests[0]
