"""The client's face: what its arguments mean, and where they may come from."""

import inspect

import pytest

from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import ConfigurationError, InvalidQuery
from altcraft_balance.models import (
    Balance,
    BalanceQuery,
    ByEmail,
    CurrencyEid,
    CurrencyIid,
)
from altcraft_balance.secret import Secret
from altcraft_balance.settings import ClientSettings, Limits, RetryPolicy
from altcraft_balance.transport.aiohttp import AiohttpTransport
from tests.session.fakes import TOKEN, URL, make_client, member, ok, opened


async def test_a_balance_is_what_the_platform_said(wire):
    """Exact amounts, the program and the currency that were asked for, and the time."""
    wire.script.append(ok(total="1000.10", active="-0.50"))
    async with opened(wire, currency=CurrencyEid("stars")) as client:
        balance = await client.get_balance(member(0))
    assert isinstance(balance, Balance)
    assert (str(balance.total_balance), str(balance.active_balance)) == ("1000.10", "-0.50")
    assert (balance.loyalty_program_id, balance.currency) == (123, CurrencyEid("stars"))
    assert balance.looked_up_at.utcoffset().total_seconds() == 0


@pytest.mark.parametrize(
    "query", [ByEmail("a@b.c"), BalanceQuery(ByEmail("a@b.c"))], ids=["matching", "query"]
)
async def test_a_matching_and_a_query_are_asked_alike(wire, query):
    """A matching is a query with all else from the client."""
    async with opened(wire) as client:
        await client.get_balance(query)
    assert wire.emails == ["a@b.c"]


async def test_a_query_overrides_what_the_client_has(wire):
    """Program and currency of the query win."""
    query = BalanceQuery(member(0), loyalty_program_id=9, currency=CurrencyIid(7))
    async with opened(wire, currency=CurrencyEid("stars")) as client:
        balance = await client.get_balance(query)
    assert (balance.loyalty_program_id, balance.currency) == (9, CurrencyIid(7))
    assert b'"loyalty_program_id":9' in wire.sent[0].body
    assert b"stars" not in wire.sent[0].body


@pytest.mark.parametrize("query", ["a@b.c", 42, None, {"email": "a@b.c"}])
async def test_what_is_no_query_is_refused_with_a_sentence(wire, query):
    """A plain text above all."""
    async with opened(wire) as client:
        with pytest.raises(InvalidQuery, match=r"ByEmail\(\.\.\.\)") as caught:
            await client.get_balance(query)
        assert client.stats().lookups == 0
    assert "a@b.c" not in str(caught.value)


async def test_a_lookup_without_a_program_sends_nothing(wire):
    """Neither the client nor the query has one."""
    async with opened(wire, loyalty_program_id=None) as client:
        with pytest.raises(InvalidQuery, match="no loyalty_program_id"):
            await client.get_balance(member(0))
        assert client.stats().failed == {"invalid_query": 1}
    assert wire.sent == []


# ── settings ─────────────────────────────────────────────────────────────────────────────────


def test_the_constructor_takes_every_setting():
    """None of `ClientSettings` is left out, and defaults agree."""
    taken = inspect.signature(BalanceClient).parameters
    client = BalanceClient(URL, token=TOKEN)
    settings = client._session.settings
    for attribute in ClientSettings.__attrs_attrs__:
        if attribute.init:
            assert attribute.name in taken
    plain = ClientSettings(base_url=URL, token=settings.token)
    assert settings == plain


async def test_the_default_transport_is_aiohttp():
    """Made from the client's settings, without opening anything."""
    client = BalanceClient(URL, token=TOKEN, user_agent="my app")
    transport = client._session.transport
    assert isinstance(transport, AiohttpTransport)
    assert transport._own["User-Agent"] == "my app"
    ours = BalanceClient(URL, token=TOKEN)._session.transport
    assert ours._own["User-Agent"].startswith("altcraft-balance/")


# ── the environment ──────────────────────────────────────────────────────────────────────────


@pytest.fixture
def environ(monkeypatch):
    def put(prefix="ALTCRAFT_", **variables):
        for name, value in variables.items():
            monkeypatch.setenv(prefix + name, value)

    put(BASE_URL=URL, TOKEN=TOKEN, LOYALTY_PROGRAM_ID="123", MAX_ATTEMPTS="3", CONCURRENCY="5")
    return put


def settings_of(*args, **overrides):
    return BalanceClient.from_env(*args, **overrides)._session.settings


def test_a_client_comes_from_the_environment(environ):
    """Variables for every plain setting, in their groups."""
    environ(POINTS_CURRENCY_EID="stars", DEADLINE_S="none", FATAL_CODES="401 402")
    settings = settings_of()
    assert (settings.base_url, settings.loyalty_program_id) == (URL, 123)
    assert (settings.retry.max_attempts, settings.limits.concurrency) == (3, 5)
    assert settings.currency == CurrencyEid("stars")
    assert settings.timeouts.deadline_s is None
    assert settings.fatal_codes == {401, 402}
    assert settings.token.reveal() == TOKEN


def test_overrides_win_over_the_environment(environ, wire):
    """Argument by argument."""
    settings = settings_of(
        token="another-token",
        retry=RetryPolicy(max_attempts=9),
        limits=Limits(concurrency=7),
        currency=CurrencyIid(4),
        transport=wire,
    )
    assert settings.token.reveal() == "another-token"
    assert (settings.retry.max_attempts, settings.limits.concurrency) == (9, 7)
    assert (settings.currency, settings.transport) == (CurrencyIid(4), wire)
    assert settings.loyalty_program_id == 123


def test_another_prefix_is_another_environment(environ):
    """Two accounts live side by side."""
    environ("SHOP_", BASE_URL="https://shop.example", TOKEN="shop-token")
    settings = settings_of("SHOP_")
    assert (settings.base_url, settings.token.reveal()) == ("https://shop.example", "shop-token")
    assert settings.loyalty_program_id is None


def test_a_token_file_comes_from_the_environment(environ, monkeypatch, tmp_path):
    """By reference, so that it may rotate."""
    monkeypatch.delenv("ALTCRAFT_TOKEN")
    environ(TOKEN_FILE=str(tmp_path / "token"))
    assert isinstance(settings_of().token, Secret)
    assert settings_of().token.path == str(tmp_path / "token")


@pytest.mark.parametrize("missing", ["BASE_URL", "TOKEN"])
def test_a_missing_variable_is_named(environ, monkeypatch, missing):
    """In one sentence."""
    monkeypatch.delenv(f"ALTCRAFT_{missing}")
    with pytest.raises(ConfigurationError, match=f"not set: ALTCRAFT_{missing}"):
        BalanceClient.from_env()


@pytest.mark.parametrize(
    ("name", "text", "overrides", "sentence"),
    [
        ("BASE_URL", "http://panel", {}, "ALTCRAFT_BASE_URL is plain http .* ALTCRAFT_ALLOW_HTTP"),
        ("LOYALTY_PROGRAM_ID", "0", {}, "ALTCRAFT_LOYALTY_PROGRAM_ID must be 1 or greater"),
        ("FORMAT", "yaml", {}, "ALTCRAFT_FORMAT must be one of json, xml"),
        ("MAX_BODY_BYTES", "1", {}, "ALTCRAFT_MAX_BODY_BYTES must be a whole number"),
        ("PROXY", "canary", {}, "ALTCRAFT_PROXY must look like http://proxy.example.com"),
        ("FORMAT", "xml", {"format": "yaml"}, "format must be one of json, xml"),
    ],
)
def test_a_wrong_setting_is_called_as_it_was_given(environ, name, text, overrides, sentence):
    """By its variable, or by the argument that stands in its place."""
    environ(**{name: text})
    with pytest.raises(ConfigurationError, match=f"^{sentence}") as caught:
        BalanceClient.from_env(**overrides)
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


async def test_a_client_from_the_environment_works(environ, wire):
    """From the variables to the wire."""
    async with BalanceClient.from_env(transport=wire) as client:
        await client.get_balance(member(0))
    assert wire.sent[0].token == TOKEN


def test_a_subclass_comes_from_the_environment_too(environ):
    """`from_env` makes what it is called on."""

    class Ours(BalanceClient):
        pass

    assert type(Ours.from_env()) is Ours


def test_a_client_shows_where_it_points(wire):
    """And its state; nothing else."""
    assert repr(make_client(wire)) == f"<BalanceClient {URL} new>"
