"""One request, and a short way to read what came back for it."""

import json
from datetime import UTC, datetime

import pytest

from altcraft_balance.codec.reply import read_reply
from altcraft_balance.codec.request import RequestEncoder
from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.models import BalanceQuery, ByEmail, CurrencyEid
from altcraft_balance.secret import HiddenStr

TOKEN = "abc123def456"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def wire():
    """The request of the platform's reference page."""
    encoder = RequestEncoder(
        HiddenStr(TOKEN), loyalty_program_id=123, currency=CurrencyEid("starts")
    )
    return encoder.encode(BalanceQuery(ByEmail("user@example.com")))


@pytest.fixture(scope="session")
def read(wire):
    """`read_reply` with what a test does not care about filled in."""

    def read(body, status=200, headers=None, *, to=wire, **further):
        return read_reply(to, status, headers or {}, body, looked_up_at=NOON, **further)

    return read


@pytest.fixture(scope="session")
def outcome(read):
    """What came of a reply, as a value that compares: the balance, or the error's fields."""

    def outcome(body, status=200, headers=None, **further):
        try:
            return read(body, status, headers, **further)
        except AltcraftBalanceError as error:
            return type(error), str(error), vars(error)

    return outcome


@pytest.fixture(scope="session")
def failure(read):
    """The error that a reply gives."""

    def failure(body, status=200, headers=None, **further):
        with pytest.raises(AltcraftBalanceError) as caught:
            read(body, status, headers, **further)
        return caught.value

    return failure


@pytest.fixture(scope="session")
def in_json():
    """A JSON reply with these amounts, given as JSON source."""

    def body(total, active='"1"'):
        return (
            f'{{"error":0,"data":{{"total_balance":{total},"active_balance":{active}}}}}'.encode()
        )

    return body


@pytest.fixture(scope="session")
def in_json_text(in_json):
    """A JSON reply with this text as its amount."""
    return lambda text: in_json(json.dumps(text))


@pytest.fixture(scope="session")
def in_xml():
    """An XML reply with these amounts, given as XML source."""

    def body(total, active="1"):
        return (
            f"<xml><error>0</error><data><total_balance>{total}</total_balance>"
            f"<active_balance>{active}</active_balance></data></xml>"
        ).encode()

    return body
