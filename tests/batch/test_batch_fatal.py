"""What ends a run, and what ends one item only."""

from collections import deque

import pytest

from altcraft_balance.errors import ConnectionFailed, RedirectRefused, TlsRefused
from altcraft_balance.models import Found
from altcraft_balance.transport.port import SendFailed
from tests.session.fakes import Slow, api, http, members, now, ok, opened, throttled


async def run(wire, reply, **settings):
    """How a run of 50 ended in which the third request is answered with `reply`."""
    wire.answer = lambda sent: Slow(1, reply if sent.number == 2 else ok())
    outcomes = []
    settings = {"concurrency": 2, "max_attempts": 1, **settings}
    async with (
        opened(wire, **settings) as client,
        client.stream_balances(members(50)) as stream,
    ):
        try:
            async for outcome in stream:
                outcomes.append(outcome)
        except Exception as error:
            return outcomes, error
    return outcomes, None


@pytest.mark.parametrize(
    ("reply", "settings"),
    [
        (api(401), {}),
        (api(402), {}),
        (api(403), {}),
        (api(401, status=401), {}),
        (api(403, status=403), {}),
        (api(440), {"fatal_codes": {440}}),
        (api(400), {"fatal_codes": 400}),
        (http(401), {}),
        (http(402), {}),
        (http(404), {}),
        (http(407), {}),
        (http(301), {}),
        (http(302), {}),
        (http(303), {}),
        (http(307), {}),
        (http(308), {}),
        (http(304), {}),
        (SendFailed(TlsRefused("who are you")), {}),
        (throttled(901), {}),
        (throttled(86_400), {}),
    ],
    ids=str,
)
async def test_what_every_other_lookup_would_meet_too_ends_the_run(wire, reply, settings):
    """One request meets it, and those in flight beside it are the last."""
    outcomes, error = await run(wire, reply, **settings)
    assert error is not None
    assert [o.error for o in outcomes if hasattr(o, "error")] == [error]
    assert len(wire.sent) == 4
    assert error.unsent == ()


@pytest.mark.parametrize(
    ("reply", "settings"),
    [
        (http(403), {}),
        (http(400), {}),
        (http(410), {}),
        (http(500), {}),
        (http(503), {}),
        (http(200), {}),
        (api(400), {}),
        (api(404), {}),
        (api(404, status=404), {}),
        (api(440), {}),
        (api(500), {}),
        (api(401), {"fatal_codes": {402}}),
        (api(401), {"fatal_codes": ()}),
        (api(401), {"not_a_member": {401}}),
        (api(403), {"not_a_member": 403}),
        (api(440), {"not_a_member": {440}, "fatal_codes": {440}}),
        (SendFailed(ConnectionFailed("nobody listens")), {}),
    ],
    ids=str,
)
async def test_what_concerns_one_member_or_one_moment_ends_nothing(wire, reply, settings):
    """It is one item's failure."""
    outcomes, error = await run(wire, reply, **settings)
    assert error is None
    assert len(outcomes) == 50
    assert len([o for o in outcomes if hasattr(o, "error")]) == 1


async def test_a_redirect_is_named_as_what_it_is(wire):
    """So that the reader of the log knows what to correct."""
    _, error = await run(wire, http(308, location="https://elsewhere.example"))
    assert isinstance(error, RedirectRefused)
    assert "correct base_url" in str(error)


async def test_a_pause_of_15_minutes_is_sat_out(wire):
    """And one that is longer ends the run at once, with its length and all that was not asked."""
    wire.script.extend([throttled(900), *[ok()] * 50])
    async with opened(wire, concurrency=1) as client:
        outcomes = await client.get_balances(members(3))
        assert all(isinstance(outcome, Found) for outcome in outcomes)
        assert 900 <= now() < 901
        wire.script = deque([throttled(86_400)])
        outcomes = await client.get_balances(members(100))
    assert now() < 902
    assert {outcome.error.retry_after_s for outcome in outcomes} == {86_400}
    assert sum(outcome.requests for outcome in outcomes) == 1
