"""A batch's outcomes, sorted: answered, again, hopeless; and what is fatal is raised."""

import pytest

from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import (
    AccessDenied,
    AuthenticationError,
    ClientClosed,
    InvalidQuery,
    NotAMember,
    RateLimited,
    TlsRefused,
)
from altcraft_balance.integrations.outcomes import again_after_s, sort_outcomes
from altcraft_balance.models import BalanceQuery, ByEmail, Failed
from altcraft_balance.settings import RetryPolicy
from altcraft_balance.testing import ScriptedTransport, answers, fails, refuses


def failed(error):
    return Failed(query=BalanceQuery(ByEmail("user@example.com")), index=0, error=error)


async def outcomes_of(transport, emails, **settings):
    told = {"token": "t", "loyalty_program_id": 1, "retry": RetryPolicy(max_attempts=1)}
    client = BalanceClient("https://altcraft.example", transport=transport, **told, **settings)
    async with client:
        return await client.get_balances(emails, by=ByEmail)


async def test_each_outcome_has_its_place():
    """By what asking again would bring."""
    script = ScriptedTransport(answers(1), refuses(404), fails(503), refuses(440))
    emails = [*(f"m{number}@example.com" for number in range(4)), "nobody"]
    came = sort_outcomes(await outcomes_of(script, emails, not_a_member=404))
    assert [one.index for one in came.answered] == [0, 1]
    assert [one.index for one in came.again] == [2]
    assert [one.index for one in came.hopeless] == [3, 4]
    assert isinstance(came.answered[1].error, NotAMember)
    assert isinstance(came.hopeless[1].error, InvalidQuery)


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("no", code=401, text="no"),
        AccessDenied("no", code=403, text="no"),
        TlsRefused("no"),
        ClientClosed("closed"),
    ],
    ids=lambda error: error.kind,
)
def test_what_every_event_would_meet_is_raised(error):
    """So that nothing is acknowledged."""
    with pytest.raises(type(error)):
        sort_outcomes([failed(error)])


def test_fatal_codes_are_the_clients():
    """Another client may live with a 403."""
    denied = failed(AccessDenied("no", code=403, text="no"))
    assert sort_outcomes([denied], fatal_codes={401}).hopeless == [denied]


@pytest.mark.parametrize(
    ("tries", "wish_s", "wait_s"),
    [(0, None, 30), (1, None, 60), (9, None, 900), (10**6, None, 900), (0, 120, 120)],
)
def test_the_wait_doubles_and_a_servers_wish_counts(tries, wish_s, wait_s):
    """Up to a cap, however often."""
    one = failed(RateLimited("busy", status=429, retry_after_s=wish_s))
    assert again_after_s(one, tries) == wait_s
