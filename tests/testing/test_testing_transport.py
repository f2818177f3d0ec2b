"""A transport in memory: the test writes the replies and reads what was asked."""

import asyncio
from decimal import Decimal

import pytest

from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import AccessDenied, ConnectionFailed, HttpStatusError, TlsRefused
from altcraft_balance.models import ByEmail
from altcraft_balance.settings import RetryPolicy
from altcraft_balance.testing import ScriptedTransport, answers, fails, refuses

MEMBER = ByEmail("user@example.com")


def client_over(transport, **settings):
    told = {"token": "t0ken", "loyalty_program_id": 1, "retry": RetryPolicy(base_s=0), **settings}
    return BalanceClient("https://altcraft.example", transport=transport, **told)


async def test_replies_come_in_order():
    """Through the real codec and the real session."""
    transport = ScriptedTransport(answers("120.50", 100), answers(Decimal("7.0")), refuses(403))
    async with client_over(transport) as client:
        first = await client.get_balance(MEMBER)
        second = await client.get_balance(MEMBER)
        with pytest.raises(AccessDenied):
            await client.get_balance(MEMBER)
    assert (first.total_balance, first.active_balance) == (Decimal("120.50"), 100)
    assert str(second.active_balance) == "7.0"
    assert transport.left == 0


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("auth", ["body", "header"])
async def test_what_was_asked_can_be_read(form, auth):
    """Field by field, but for the token."""
    transport = ScriptedTransport(otherwise=answers(1))
    async with client_over(transport, format=form, auth=auth) as client:
        await client.get_balance(MEMBER)
        await client.get_balance(MEMBER)
    [sent, _] = transport.sent
    assert sent.fields["email"] == "user@example.com"
    assert str(sent.fields["loyalty_program_id"]) == "1"
    assert "t0ken" not in repr(sent)


@pytest.mark.parametrize("trouble", [fails(), fails(503), refuses(500), fails(after_s=0.001)])
async def test_trouble_is_met_as_in_earnest(trouble):
    """It is asked again."""
    transport = ScriptedTransport(trouble, answers(1))
    async with client_over(transport) as client:
        assert (await client.get_balance(MEMBER)).total_balance == 1
        assert client.stats().requests == 2


@pytest.mark.parametrize(
    ("trouble", "error"),
    [(fails(404), HttpStatusError), (fails(TlsRefused("no")), TlsRefused)],
)
async def test_what_is_final_is_final(trouble, error):
    """It is not."""
    async with client_over(ScriptedTransport(trouble)) as client:
        with pytest.raises(error):
            await client.get_balance(MEMBER)


async def test_a_late_reply_is_a_timeout():
    """As on the wire."""
    from altcraft_balance.errors import AttemptTimeout
    from altcraft_balance.settings import Timeouts

    transport = ScriptedTransport(answers(1, after_s=5))
    settings = {"timeouts": Timeouts(attempt_s=0.01), "retry": RetryPolicy(max_attempts=1)}
    async with client_over(transport, **settings) as client:
        with pytest.raises(AttemptTimeout):
            await client.get_balance(MEMBER)


async def test_a_request_too_many_fails_the_test():
    """And says which."""
    async with client_over(ScriptedTransport()) as client:
        with pytest.raises(AssertionError, match="no reply for request 1"):
            await client.get_balance(MEMBER)


async def test_a_batch_is_served_as_well():
    """One reply for each, in whatever order they are sent."""
    transport = ScriptedTransport(*map(answers, range(50)))
    async with client_over(transport) as client:
        outcomes = await client.get_balances([f"m{n}@example.com" for n in range(50)], by=ByEmail)
    assert sorted(int(one.balance.total_balance) for one in outcomes) == list(range(50))
    assert isinstance(asyncio.get_running_loop(), asyncio.AbstractEventLoop)
    assert isinstance(ConnectionFailed(""), Exception)
