"""`get` shows one member's balance."""

import json

import pytest

from altcraft_balance.models import (
    Balance,
    ByCustomField,
    ByEmail,
    ByPhone,
    ByProfileId,
    CurrencyEid,
    CurrencyIid,
)

EMAIL = ("get", "--email", "user@example.com")
WAYS = [
    (("--email", "user@example.com"), ByEmail("user@example.com")),
    (("--phone", "+79991234567"), ByPhone("+79991234567")),
    (("--profile-id", "5f3c"), ByProfileId("5f3c")),
    (("--custom", "card=0042=x"), ByCustomField("card", "0042=x")),
    (("--custom-int", "card=-42"), ByCustomField("card", -42)),
]


@pytest.mark.parametrize(("arguments", "matching"), WAYS, ids=[way[0][0][2:] for way in WAYS])
def test_every_way_to_find_a_member_gives_that_members_balance(
    command, server, arguments, matching
):
    """JSON holds exactly what `Balance.as_dict` gives."""
    truth = server.balance_of(matching)
    ended = command("get", *arguments, "--json")
    balance = Balance.from_dict(json.loads(ended.out))
    assert (ended.code, ended.err) == (0, "")
    assert balance.total_balance == truth.total_balance
    assert balance.active_balance == truth.active_balance
    assert balance.loyalty_program_id == 123


@pytest.mark.parametrize("form", ["json", "xml"])
def test_people_get_a_table(command, server, form):
    """The table has both amounts with the digits and places of the wire."""
    server.set_balance(
        ByEmail("user@example.com"), total_balance="1000.50", active_balance="12345678901234567890"
    )
    ended = command(*EMAIL, "--format", form)
    assert (ended.code, ended.err) == (0, "")
    assert "1000.50" in ended.out
    assert "12345678901234567890" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("option", "value", "currency", "shown"),
    [
        ("--currency-eid", "starts", CurrencyEid("starts"), "starts"),
        ("--currency-iid", "2", CurrencyIid(2), "internal id 2"),
    ],
)
def test_the_currency_can_be_named_either_way(command, server, option, value, currency, shown):
    """The balance is that currency's, and the table names it."""
    truth = server.balance_of(ByEmail("user@example.com"), currency=currency)
    ended = command(*EMAIL, option, value)
    assert ended.code == 0
    assert shown in ended.out
    assert format(truth.total_balance, "f") in ended.out


def test_a_typed_currency_overrides_the_environments(command, server):
    """An internal id in the environment is no second currency beside a typed external one."""
    ended = command(*EMAIL, "--currency-eid", "starts", "--json", ALTCRAFT_POINTS_CURRENCY_IID="1")
    assert ended.code == 0
    assert json.loads(ended.out)["currency"] == {"eid": "starts"}


def test_a_typed_token_file_overrides_the_environments_token(command, server, tmp_path):
    """The command line comes before the environment."""
    path = tmp_path / "token"
    path.write_text("sandbox-token\n")
    assert command(*EMAIL, "--token-file", str(path), ALTCRAFT_TOKEN="wrong").code == 0


def test_every_option_has_a_variable_of_its_own(command, server):
    """ALTCRAFT_BALANCE_GET_EMAIL stands for --email, and so on."""
    ended = command(
        "get",
        ALTCRAFT_BALANCE_GET_EMAIL="user@example.com",
        ALTCRAFT_BALANCE_GET_JSON="1",
        ALTCRAFT_BALANCE_GET_CURRENCY_EID="starts",
    )
    assert ended.code == 0
    assert json.loads(ended.out)["currency"] == {"eid": "starts"}


def test_a_possibly_stale_balance_says_so(command, server):
    """A reply that the platform marks as repeated is not shown as a fresh one."""
    body = b'{"error":0,"data":{"total_balance":"1","active_balance":"1"}}'
    server.answer(None, body=body, headers={"Duplicate-Request": "true"})
    ended = command(*EMAIL)
    assert ended.code == 0
    assert "possibly stale" in ended.out


def test_settings_reach_the_client(command, server):
    """Options of every kind - numbers, flags, texts - arrive where they belong."""
    ended = command(
        *EMAIL,
        *("--deadline", "none", "--attempt-timeout", "5", "--max-attempts", "2"),
        *("--auth", "both", "--request-ids", "--allow-http"),
    )
    assert (ended.code, ended.err) == (0, "")


def test_a_failure_is_json_for_programs_too(command, server):
    """With --json the error stands on stdout as an object, beside the sentence on stderr."""
    ended = command(*EMAIL, "--json", "--program", "555")
    error = json.loads(ended.out)["error"]
    assert ended.code == 3
    assert (error["kind"], error["code"], error["transient"]) == ("bad_request", 400, False)
    assert "unknown loyalty program" in error["text"]
    assert ended.err.count("\n") == 1
