"""Row 1, cut by cut: no part of a reply that nobody asked for leads its rest in as an answer.

On real sockets. Behind an answer, or while the connection is idle, comes the first part of another
reply, with or without blank lines before it, cut wherever chance will; under TLS its record is cut.
The rest follows as soon as something is asked on that connection.
"""

import random
import select

import pytest

from altcraft_balance.models import Balance
from altcraft_balance.settings import Limits
from tests.hostile.behaviours import BALANCE, FOREIGN
from tests.hostile.replies import chunked, head, reply
from tests.hostile.server import RawServer, turns
from tests.lanes import LANES
from tests.promises.hostile import PATIENT, client_of, outcome_of

ANSWERS = [reply(BALANCE), head("Transfer-Encoding: chunked") + chunked(BALANCE)]
STRAYS = [reply(FOREIGN), b"\r\n" + reply(FOREIGN), head(status="100 Continue") + reply(FOREIGN)]


def leads_in(rng, sent):
    """A script: half of its answers are followed by the part of a stray; `sent` counts those."""

    async def script(peer):
        seal = getattr(peer, "sealed", bytes)
        send = getattr(peer, "send_sealed", peer.send)
        rest = b""
        while await peer.request() is not None:
            if rest:
                send(rest)
                await turns()
            answer = seal(rng.choice(ANSWERS))
            if later := rng.random() < 0.5:
                send(answer)
                await turns(rng.randrange(20))
            # What comes when something is asked cannot be told from the answer by anybody.
            goes = rng.random() < 0.5 and not (later and is_asked(peer))
            stray = seal(rng.choice(STRAYS)) if goes else b""
            cut = min(len(stray), rng.choice((rng.randrange(1, 4), rng.randrange(1, 150))))
            send(stray[:cut] if later else answer + stray[:cut])
            rest = stray[cut:]
            sent.extend([1] if goes else [])
        peer.close()

    return script


def is_asked(peer):
    """Whether the next request lies in the server's buffer."""
    poll = select.poll()
    poll.register(peer.sock, select.POLLIN)
    return bool(poll.poll(0))


@pytest.mark.parametrize("wire", ["plain", "tls"])
@pytest.mark.parametrize("lane", LANES)
async def test_no_part_of_a_stray_leads_its_rest_in(promise, size, authority, lane, wire):
    """Each lookup has its own balance, and connections are used again where nothing came."""
    stated = promise(1, f"no stray reply, cut anywhere, is an answer: {lane}, {wire}")
    lookups, wrong, sent = size(300, 40_000, quick=60), [], []
    context = authority.serving() if wire == "tls" else None
    settings = {"retry": PATIENT, "limits": Limits(adaptive=False)}
    async with (
        RawServer(leads_in(random.Random(lane + wire), sent), context=context) as server,
        client_of(lane, server.url, ca_file=authority.file, **settings) as client,
    ):
        for number in range(lookups):
            outcome = await outcome_of(client)
            if not (isinstance(outcome, Balance) and str(outcome.total_balance) == "1200.50"):
                wrong.append(f"{number}: {outcome!r}")
            await turns(random.Random(number).choice((0, 0, 5, 40)))
        used = len(server.peers)
    stated.came(
        tried=lookups,
        failed=len(wrong),
        figure=f"{len(sent):,} strays, {used:,} connections",
        why="\n".join(wrong[:5]),
    )
    assert len(sent) > lookups / 4
    assert used < 0.7 * lookups
