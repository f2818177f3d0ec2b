"""Row 18: the token stays home.

Whatever a server says of another place, by whichever of the five codes, to whichever host and
scheme, in a header or in a page: nobody else is asked for anything, not even connected to.
"""

import itertools

import pytest

from altcraft_balance.errors import RedirectRefused
from tests.hostile.behaviours import redirects
from tests.hostile.server import RawServer, turns
from tests.lanes import LANES
from tests.promises.hostile import PATIENT, TOKEN, client_of, outcome_of

CODES = (301, 302, 303, 307, 308)
PATH = "/api/v1.1/loyalty/account/balance"


def places(plain, secure, own):
    """Where a redirect may point: other ports, names, addresses, schemes, and home again."""
    return (
        plain.url + PATH,
        secure.url + PATH,
        f"http://localhost:{plain.port}{PATH}",
        f"https://localhost:{secure.port}{PATH}",
        f"http://127.1:{plain.port}{PATH}",
        f"http://user:{TOKEN}@{plain.host}/",
        f"//{plain.host}/",
        f"//{secure.host}/",
        own.url + PATH,
        own.url.replace("https", "http") + "/elsewhere",
        "/elsewhere",
        "?again",
        "",
    )


@pytest.mark.parametrize("auth", ["body", "header"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("lane", LANES)
async def test_nobody_else_is_asked(promise, lane, scheme, auth, authority):
    """Each redirect is one request, and final; the second hosts never see a connection."""
    stated = promise(18, f"the token stays home: {scheme}, token in the {auth}, over {lane}")
    context = authority.serving("127.0.0.1", "localhost")
    wrong, tried = [], 0
    async with (
        RawServer() as plain,
        RawServer(context=context) as secure,
        RawServer(context=context if scheme == "https" else None) as own,
    ):
        for code, place in itertools.product(CODES, places(plain, secure, own)):
            before = len(own.requests)
            own.script = redirects(code, place)
            settings = {"auth": auth, "ca_file": authority.file, "retry": PATIENT}
            async with client_of(lane, own.url, **settings) as client:
                error = await outcome_of(client)
                await turns(20)
            requests, tried = len(own.requests) - before, tried + 1
            if type(error) is not RedirectRefused or requests != 1:
                wrong.append(f"{code} to {place}: {error!r}, {requests} requests")
        strangers = len(plain.peers) + len(secure.peers)
        assert TOKEN.encode() in b"".join(own.requests)  # there was something to be told
    stated.came(
        tried=tried,
        failed=len(wrong) + strangers,
        figure=f"{strangers} connections to a second host",
        why="\n".join(wrong),
    )
