"""Who listens: one or several, none of whom breaks a lookup or another listener."""

import pytest

from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import ConfigurationError
from tests.session.fakes import URL, member, opened


async def test_several_hear_the_same(wire):
    """In the order in which they were given; a bad one spoils nothing for the next."""
    first, second = [], []

    def bad(event):
        raise ValueError

    async with opened(wire, on_event=[first.append, bad, second.append]) as client:
        await client.get_balance(member(0))
    assert first == second
    assert len(first) == 5


@pytest.mark.parametrize("given", ["progress", 3, [print, 3], {"a": 1}])
def test_what_cannot_listen_is_refused(given):
    """When the client is made."""
    with pytest.raises(ConfigurationError, match="on_event must be a callable"):
        BalanceClient(URL, token="t", on_event=given)


async def test_a_listener_may_give_headers(wire, caplog):
    """Its own, for each request; when it fails the request goes without."""

    class Carrier:
        def __call__(self, event):
            pass

        def headers(self, lookup):
            if lookup in {2, 4}:
                raise LookupError
            return {"X-Lookup": str(lookup)}

    async with opened(wire, on_event=[Carrier()]) as client:
        for number in range(4):
            await client.get_balance(member(number))
    assert [sent.headers.get("X-Lookup") for sent in wire.sent] == ["1", None, "3", None]
    assert len(caplog.records) == 1  # by the type of its exception, once
