"""Options that commands share, and the client that they describe.

Each of these options is a variable that `environment` knows, given on the command line: here its
text is only put in that variable's place, so that one module reads and checks both. What a check
says of a setting then calls it by its option, unless the variable itself was set.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Annotated, Any, Final, TypeAlias

import typer

from altcraft_balance.environment import from_environment, variables_of
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.secret import HiddenStr
from altcraft_balance.store_urls import holds_password
from altcraft_balance.wording import called

__all__ = [
    "AllowHttp",
    "AttemptTimeout",
    "Auth",
    "BaseUrl",
    "CaFile",
    "ClientCert",
    "CurrencyEid",
    "CurrencyIid",
    "Deadline",
    "Format",
    "MaxAttempts",
    "NotAMember",
    "Program",
    "Proxy",
    "Rate",
    "RateName",
    "RateStore",
    "RateWorkers",
    "RequestIds",
    "TokenFile",
    "TrustEnv",
    "called_as_given",
    "client_arguments",
]

_PREFIX: Final = "ALTCRAFT_"
#: Option -> variable, both as `environment` and as typer name them.
_VARIABLES: Final = {
    "base_url": "BASE_URL",
    "token_file": "TOKEN_FILE",
    "program": "LOYALTY_PROGRAM_ID",
    "currency_eid": "POINTS_CURRENCY_EID",
    "currency_iid": "POINTS_CURRENCY_IID",
    "format": "FORMAT",
    "auth": "AUTH",
    "not_a_member": "NOT_A_MEMBER",
    "deadline": "DEADLINE_S",
    "attempt_timeout": "ATTEMPT_S",
    "max_attempts": "MAX_ATTEMPTS",
    "request_ids": "REQUEST_IDS",
    "allow_http": "ALLOW_HTTP",
    "ca_file": "CA_FILE",
    "client_cert": "CLIENT_CERT",
    "proxy": "PROXY",
    "trust_env": "TRUST_ENV",
    "rate": "RATE_PER_S",
    "rate_store": "RATE_STORE",
    "rate_name": "RATE_NAME",
    "rate_workers": "RATE_WORKERS",
}
_SEEN_BY_PS: Final = (
    "a {}'s password does not belong on the command line, where every process can read it: set {}"
)
#: What an option on the command line overrides beside its own variable.
_RIVALS: Final = {
    "currency_eid": "POINTS_CURRENCY_IID",
    "currency_iid": "POINTS_CURRENCY_EID",
    "token_file": "TOKEN",
}


def _option(flag: str, metavar: str | None, variable: str, says: str, *, panel: str) -> Any:
    return typer.Option(
        flag, metavar=metavar or "", envvar=_PREFIX + variable, help=says, rich_help_panel=panel
    )


def _server(flag: str, metavar: str | None, variable: str, says: str) -> Any:
    return _option(flag, metavar, variable, says, panel="Server")


def _points(flag: str, metavar: str, variable: str, says: str) -> Any:
    return _option(flag, metavar, variable, says, panel="Points")


def _asking(flag: str, metavar: str | None, variable: str, says: str) -> Any:
    return _option(flag, metavar, variable, says, panel="Asking")


BaseUrl: TypeAlias = Annotated[
    str | None, _server("--base-url", "URL", "BASE_URL", "Such as https://ru.altkraft.com.")
]
TokenFile: TypeAlias = Annotated[
    str | None,
    _server(
        "--token-file",
        "PATH",
        "TOKEN_FILE",
        "The file with the API token. Or set ALTCRAFT_TOKEN; a terminal is asked if neither is.",
    ),
]
AllowHttp: TypeAlias = Annotated[
    bool | None,
    _server("--allow-http", None, "ALLOW_HTTP", "Allow plain http to other hosts than this one."),
]
CaFile: TypeAlias = Annotated[
    str | None, _server("--ca-file", "PATH", "CA_FILE", "PEM file of authorities to trust.")
]
ClientCert: TypeAlias = Annotated[
    str | None,
    _server("--client-cert", "PATH", "CLIENT_CERT", "PEM file with certificate and key."),
]
Proxy: TypeAlias = Annotated[
    str | None,
    _server("--proxy", "URL", "PROXY", "An HTTP proxy. One with a password: only as the variable."),
]
TrustEnv: TypeAlias = Annotated[
    bool | None,
    _server("--trust-env", None, "TRUST_ENV", "Obey HTTPS_PROXY and the like, and .netrc."),
]
Program: TypeAlias = Annotated[
    str | None, _points("--program", "ID", "LOYALTY_PROGRAM_ID", "The loyalty program.")
]
CurrencyEid: TypeAlias = Annotated[
    str | None,
    _points("--currency-eid", "TEXT", "POINTS_CURRENCY_EID", "The currency, by external id."),
]
CurrencyIid: TypeAlias = Annotated[
    str | None,
    _points("--currency-iid", "ID", "POINTS_CURRENCY_IID", "Or by internal id."),
]
Format: TypeAlias = Annotated[
    str | None, _asking("--format", "json|xml", "FORMAT", "What the request is written in.")
]
Auth: TypeAlias = Annotated[
    str | None, _asking("--auth", "body|header|both", "AUTH", "Where the token goes.")
]
NotAMember: TypeAlias = Annotated[
    str | None,
    _asking(
        "--not-a-member",
        "CODES",
        "NOT_A_MEMBER",
        "Error codes, such as 404,410, that mean: not in the program (exit 4).",
    ),
]
Deadline: TypeAlias = Annotated[
    str | None,
    _asking("--deadline", "SECONDS", "DEADLINE_S", "For all of it, repeats included, or none."),
]
AttemptTimeout: TypeAlias = Annotated[
    str | None, _asking("--attempt-timeout", "SECONDS", "ATTEMPT_S", "For one attempt.")
]
MaxAttempts: TypeAlias = Annotated[
    str | None, _asking("--max-attempts", "NUMBER", "MAX_ATTEMPTS", "Repeats included.")
]
RequestIds: TypeAlias = Annotated[
    bool | None,
    _asking("--request-ids", None, "REQUEST_IDS", "Send a Request-ID with every attempt."),
]
Rate: TypeAlias = Annotated[
    str | None, _asking("--rate", "NUMBER", "RATE_PER_S", "Requests per second, at most.")
]
RateStore: TypeAlias = Annotated[
    str | None,
    _asking(
        "--rate-store",
        "URL",
        "RATE_STORE",
        "Share the rate with other processes: redis://... or postgres://... One with a password: "
        "only as the variable.",
    ),
]
RateName: TypeAlias = Annotated[
    str | None,
    _asking(
        "--rate-name",
        "NAME",
        "RATE_NAME",
        "The shared rate's name in the store: altcraft-balance, if you do not say.",
    ),
]
RateWorkers: TypeAlias = Annotated[
    str | None,
    _asking(
        "--rate-workers",
        "NUMBER",
        "RATE_WORKERS",
        "Processes that share it: each keeps to its part while the store is away (10, if you do "
        "not say), or all the time without a store.",
    ),
]


def client_arguments(context: typer.Context) -> dict[str, Any]:
    """The arguments of the `BalanceClient` that options and environment describe.

    The command line comes before the environment; asks for the token when there is a terminal
    to ask and no other source.

    Raises:
        ConfigurationError: a setting is missing or cannot be read, or two contradict each other.
    """
    typed = {name for name in _VARIABLES if _source(context, name) == "COMMANDLINE"}
    _check_typed(context, typed)
    environ = dict(os.environ)
    for name, value in context.params.items():
        if name in _VARIABLES and value is not None:
            environ[_PREFIX + _VARIABLES[name]] = str(value)
    for name in typed & _RIVALS.keys():
        environ.pop(_PREFIX + _RIVALS[name], None)
    has_token = environ.get(f"{_PREFIX}TOKEN") or environ.get(f"{_PREFIX}TOKEN_FILE")
    _check_complete(environ, has_token=bool(has_token) or sys.stdin.isatty())
    if not has_token:
        environ[f"{_PREFIX}TOKEN"] = HiddenStr(typer.prompt("API token", hide_input=True, err=True))
    with called_as_given(context):
        return from_environment(environ, _PREFIX, {})


def called_as_given(context: typer.Context) -> AbstractContextManager[None]:
    """Within it, a `ConfigurationError` calls settings as they were given.

    One that was not given is called by its option as well.
    """
    flags = _flags(context)
    given = {
        _PREFIX + variable: flags[name]
        for name, variable in _VARIABLES.items()
        if _source(context, name) != "ENVIRONMENT"
    }
    settings = variables_of(_PREFIX).items()
    return called({**given, **{name: given.get(variable, variable) for name, variable in settings}})


def _flags(context: typer.Context) -> dict[str, str]:
    return {str(option.name): option.opts[0] for option in context.command.params}


def _source(context: typer.Context, name: str) -> str:
    source = context.get_parameter_source(name)
    return "" if source is None else source.name


def _check_typed(context: typer.Context, typed: set[str]) -> None:
    if empty := sorted(_flags(context)[name] for name in typed if context.params[name] == ""):
        # As a rule by a shell's variable that is not set: the rate would be shared with nobody.
        raise ConfigurationError(f"{empty[0]} is empty: give it a value, or leave it out")
    if {"currency_eid", "currency_iid"} <= typed:
        raise ConfigurationError("give --currency-eid or --currency-iid, but not both")
    proxy, store = (str(context.params.get(name)) for name in ("proxy", "rate_store"))
    if "proxy" in typed and "@" in proxy:
        raise ConfigurationError(_SEEN_BY_PS.format("proxy", "ALTCRAFT_PROXY"))
    if "rate_store" in typed and holds_password(store):
        raise ConfigurationError(_SEEN_BY_PS.format("store", "ALTCRAFT_RATE_STORE"))


def _check_complete(environ: Mapping[str, str], *, has_token: bool) -> None:
    needed = {
        "--base-url (ALTCRAFT_BASE_URL)": environ.get(f"{_PREFIX}BASE_URL"),
        "--program (ALTCRAFT_LOYALTY_PROGRAM_ID)": environ.get(f"{_PREFIX}LOYALTY_PROGRAM_ID"),
        "the token (ALTCRAFT_TOKEN, or --token-file)": has_token,
    }
    if missing := [name for name, value in needed.items() if not value]:
        raise ConfigurationError(f"not set: {'; '.join(missing)}")
