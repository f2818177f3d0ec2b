"""``altcraft-balance get``: the balance of one member."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, TypeAlias

import typer

from altcraft_balance.cli import options
from altcraft_balance.cli.show import rows, screen, show_json
from altcraft_balance.cli.stopping import run_until_signal
from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import AltcraftBalanceError, InvalidQuery
from altcraft_balance.models import (
    Balance,
    ByCustomField,
    ByEmail,
    ByPhone,
    ByProfileId,
    Currency,
    CurrencyEid,
    CurrencyIid,
    Matching,
)

__all__ = ["Custom", "CustomInt", "Email", "Phone", "ProfileId", "get", "one_member"]

_INTEGER: Final = re.compile(r"-?[0-9]{1,19}\Z")  # 64 bits have no more digits
_WAYS: Final = "--email, --phone, --profile-id, --custom and --custom-int"


def _member(flag: str, metavar: str, says: str) -> Any:
    return typer.Option(
        flag, metavar=metavar, help=says, show_envvar=False, rich_help_panel="Member (one of)"
    )


Email: TypeAlias = Annotated[str | None, _member("--email", "ADDRESS", "By e-mail address.")]
Phone: TypeAlias = Annotated[
    str | None, _member("--phone", "NUMBER", "By phone, in international form.")
]
ProfileId: TypeAlias = Annotated[str | None, _member("--profile-id", "ID", "By profile id.")]
Custom: TypeAlias = Annotated[
    str | None, _member("--custom", "NAME=VALUE", "By a custom field that holds text.")
]
CustomInt: TypeAlias = Annotated[
    str | None, _member("--custom-int", "NAME=NUMBER", "By a custom field that holds integers.")
]
AsJson: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--json",
        metavar="",
        help="Print the balance, or the error, as JSON for programs.",
        show_envvar=False,
    ),
]


def get(
    context: typer.Context,
    email: Email = None,
    phone: Phone = None,
    profile_id: ProfileId = None,
    custom: Custom = None,
    custom_int: CustomInt = None,
    json: AsJson = False,
    base_url: options.BaseUrl = None,
    token_file: options.TokenFile = None,
    allow_http: options.AllowHttp = None,
    ca_file: options.CaFile = None,
    client_cert: options.ClientCert = None,
    proxy: options.Proxy = None,
    trust_env: options.TrustEnv = None,
    transport: options.Transport = None,
    program: options.Program = None,
    currency_eid: options.CurrencyEid = None,
    currency_iid: options.CurrencyIid = None,
    format: options.Format = None,  # noqa: A002 - Altcraft's word
    auth: options.Auth = None,
    not_a_member: options.NotAMember = None,
    deadline: options.Deadline = None,
    attempt_timeout: options.AttemptTimeout = None,
    max_attempts: options.MaxAttempts = None,
    request_ids: options.RequestIds = None,
    save_bad: options.SaveBad = None,
    rate: options.Rate = None,
    time_zone: options.TimeZone = None,
    rate_store: options.RateStore = None,
    rate_name: options.RateName = None,
    rate_workers: options.RateWorkers = None,
) -> None:
    """Look up the points balance of one member."""
    # typer wants every option as a parameter; the client's are read from the context.
    try:
        matching = one_member(email, phone, profile_id, custom, custom_int)
        arguments = options.client_arguments(context)
        with options.called_as_given(context):
            client = BalanceClient(**arguments)
            balance = run_until_signal(_look_up(client, matching))
    except AltcraftBalanceError as error:
        if json:
            show_json({"error": _as_dict(error)})
        raise
    if json:
        show_json(balance.as_dict())
    else:
        screen().print(rows(_described(balance), boxed=True))


def one_member(
    email: str | None,
    phone: str | None,
    profile_id: str | None,
    custom: str | None,
    custom_int: str | None,
) -> Matching:
    """The one way that was given.

    Raises:
        InvalidQuery: none or several were given, or the value cannot be sent.
    """
    if sum(way is not None for way in (email, phone, profile_id, custom, custom_int)) != 1:
        raise InvalidQuery(f"say which member: exactly one of {_WAYS}")
    if email is not None:
        return ByEmail(email)
    if phone is not None:
        return ByPhone(phone)
    if profile_id is not None:
        return ByProfileId(profile_id)
    if custom is not None:
        return ByCustomField(*_split(custom, "--custom", "NAME=VALUE"))
    return _by_integer(custom_int or "")


def _by_integer(text: str) -> ByCustomField:
    name, value = _split(text, "--custom-int", "NAME=NUMBER")
    if not _INTEGER.match(value):  # int() would also take " 4_2 "
        raise InvalidQuery("--custom-int wants a whole number after the '='; text is for --custom")
    return ByCustomField(name, int(value))


def _split(text: str, flag: str, shape: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidQuery(f"{flag} is written {shape}")
    return name, value


async def _look_up(client: BalanceClient, matching: Matching) -> Balance:
    async with client:
        return await client.get_balance(matching)


def _described(balance: Balance) -> list[tuple[str, str]]:
    """The balance's rows, digits and places as the platform sent them."""
    described = [
        ("Total balance", format(balance.total_balance, "f")),
        ("Active balance", format(balance.active_balance, "f")),
        ("Currency", _named(balance.currency)),
        ("Loyalty program", str(balance.loyalty_program_id)),
        ("Looked up at", balance.looked_up_at.strftime("%Y-%m-%d %H:%M:%S UTC")),
    ]
    if balance.possibly_stale:
        described.append(("Note", "the server repeated an earlier answer: possibly stale"))
    return described


def _named(currency: Currency | None) -> str:
    if isinstance(currency, CurrencyIid):
        return f"internal id {currency.iid}"
    if isinstance(currency, CurrencyEid):
        return currency.eid
    return "the program's own"


def _as_dict(error: AltcraftBalanceError) -> dict[str, Any]:
    """The error for programs; what it says has neither the token nor the address in it."""
    return {
        "kind": error.kind,
        "message": str(error),
        "code": getattr(error, "code", None),
        "text": getattr(error, "text", None),
        "status": getattr(error, "status", None),
        "transient": error.transient,
        "retry_after_s": error.retry_after_s,
        "attempts": error.attempts,
    }
