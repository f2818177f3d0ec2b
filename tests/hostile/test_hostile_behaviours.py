"""Whatever a server does, who asks gets his own balance or one of our errors, never another's."""

import pytest
from aiohttp.helpers import DEBUG

from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.models import Balance
from altcraft_balance.settings import Timeouts
from tests.hostile import behaviours
from tests.hostile.authority import Authority
from tests.hostile.behaviours import BALANCE, SMUGGLED
from tests.hostile.replies import reply
from tests.hostile.server import RawServer, turns
from tests.lanes import LANES
from tests.promises.hostile import PATIENT, client_of, outcome_of

WHOLE = reply(BALANCE)
SCRIPTS = {
    "a stray before the question": behaviours.stray_before_the_question,
    "a stray behind the answer": behaviours.stray_behind_the_answer,
    "a late 408": behaviours.late_408,
    "an early reply": behaviours.early_reply,
    "a byte at a time": behaviours.drips(WHOLE),
    "a half-close": behaviours.answers(end="half_close"),
    "a reset behind the answer": behaviours.answers(end="abort"),
    **{name: behaviours.answers(whole) for name, whole in SMUGGLED.items()},
}
#: Read in one way only, so that the connection may be used again. aiohttp's parser is lenient,
#: except in development mode.
KEPT = {
    "direct": {"chunks twice"},
    "aiohttp": {"chunks twice"} | (set() if DEBUG else {"a folded length"}),
}


async def three_outcomes(lane, server, **settings):
    """What three lookups came to, the connection free for strays between them."""
    outcomes = []
    settings = {"retry": PATIENT, "timeouts": Timeouts(attempt_s=0.5, deadline_s=0.5), **settings}
    async with client_of(lane, server.url, **settings) as client:
        for _ in range(3):
            outcomes.append(await outcome_of(client))
            await turns(20)
    return outcomes


def is_right(outcome):
    """Their own balance, or an error of ours."""
    if isinstance(outcome, Balance):
        return str(outcome.total_balance) == "1200.50"
    return isinstance(outcome, AltcraftBalanceError)


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("lane", LANES)
async def test_nobody_gets_anothers_balance(lane, name):
    """Whatever is sent, in whatever framing."""
    async with RawServer(SCRIPTS[name]) as server:
        outcomes = await three_outcomes(lane, server)
    assert all(map(is_right, outcomes)), outcomes


@pytest.mark.parametrize("name", SMUGGLED)
@pytest.mark.parametrize("lane", LANES)
async def test_a_smuggled_reply_leaves_no_connection_for_the_next(lane, name):
    """What two readers may read differently is refused, or its connection is not used again."""
    async with RawServer(SCRIPTS[name]) as server:
        await three_outcomes(lane, server)
        shared = [peer for peer in server.peers if len(peer.requests) > 1]
    assert bool(shared) == (name in KEPT[lane])


@pytest.mark.parametrize("name", ["a late 408", "an early reply", "a byte at a time"])
@pytest.mark.parametrize("lane", LANES)
async def test_under_tls_it_is_the_same(lane, name, tmp_path):
    """The same behaviours through the same server's TLS."""
    authority = Authority(tmp_path)
    async with RawServer(SCRIPTS[name], context=authority.serving()) as server:
        outcomes = await three_outcomes(lane, server, ca_file=authority.file)
    assert all(map(is_right, outcomes)), outcomes
    assert server.requests or name == "an early reply"


@pytest.mark.parametrize("lane", LANES)
async def test_a_handshake_that_never_comes_ends_in_time(lane):
    """Silence on the TLS port is a timeout, and nothing was told."""
    async with RawServer(behaviours.silent) as server:
        server.url = f"https://{server.host}"
        settings = {"timeouts": Timeouts(connect_s=0.1, attempt_s=0.1, deadline_s=0.2)}
        async with client_of(lane, server.url, **settings) as client:
            error = await outcome_of(client)
        assert isinstance(error, AltcraftBalanceError)
        assert error.transient or error.kind == "deadline_exceeded"
        assert server.requests == []
