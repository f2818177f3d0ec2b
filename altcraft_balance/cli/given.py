"""What was given on the command line and in the environment: the client's arguments, and names.

Each option that describes the client is a variable that `environment` knows: here its text is only
put in that variable's place, so that one module reads and checks both. What a check says of a
setting then calls it by its option, unless the variable itself was set.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

import typer

from altcraft_balance.cli.show import asks_on_terminal
from altcraft_balance.environment import from_environment, variables_of
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.secret import HIDDEN, HiddenStr
from altcraft_balance.store_urls import holds_password
from altcraft_balance.wording import called

__all__ = ["PREFIX", "called_as_given", "client_arguments", "is_typed"]

PREFIX: Final = "ALTCRAFT_"
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
    "row_deadline": "ITEM_DEADLINE_S",
    "attempt_timeout": "ATTEMPT_S",
    "max_attempts": "MAX_ATTEMPTS",
    "concurrency": "CONCURRENCY",
    "request_ids": "REQUEST_IDS",
    "allow_http": "ALLOW_HTTP",
    "ca_file": "CA_FILE",
    "client_cert": "CLIENT_CERT",
    "proxy": "PROXY",
    "trust_env": "TRUST_ENV",
    "transport": "TRANSPORT",
    "save_bad": "SAVE_BAD",
    "rate": "RATE_PER_S",
    "rate_store": "RATE_STORE",
    "rate_name": "RATE_NAME",
    "rate_workers": "RATE_WORKERS",
    "time_zone": "TIME_ZONE",
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


def client_arguments(
    context: typer.Context, *, asks: bool = True, needs_program: bool = True
) -> dict[str, Any]:
    """The arguments of the `BalanceClient` that options and environment describe.

    The command line comes before the environment; asks for the token when there is a terminal
    to ask and no other source.

    Args:
        context: of the command.
        asks: whether the client will ask anything; if not, it has ``***`` for a token.
        needs_program: whether the loyalty program must be there.

    Raises:
        ConfigurationError: a setting is missing or cannot be read, or two contradict each other.
    """
    typed = {name for name in _VARIABLES if is_typed(context, name)}
    _check_typed(context, typed)
    environ = _environment(context, typed)
    has_token = environ.get(f"{PREFIX}TOKEN") or environ.get(f"{PREFIX}TOKEN_FILE")
    known = bool(has_token) or not asks or asks_on_terminal()
    _check_complete(environ, has_token=known, needs_program=needs_program)
    overrides = {} if asks else {"token": HIDDEN}
    if asks and not has_token:
        environ[f"{PREFIX}TOKEN"] = HiddenStr(typer.prompt("API token", hide_input=True, err=True))
    with called_as_given(context):
        return from_environment(environ, PREFIX, overrides)


def _environment(context: typer.Context, typed: set[str]) -> dict[str, str]:
    """The variables, as if every option had been one."""
    environ = dict(os.environ)
    for name, value in context.params.items():
        if name not in _VARIABLES or value is None or value in ([], ()):
            continue
        if isinstance(value, list | tuple):  # of one that may be repeated, one is the client's own
            environ[PREFIX + _VARIABLES[name]] = value[0] if len(value) == 1 else ""
        else:
            environ[PREFIX + _VARIABLES[name]] = str(value)
    for name in typed & _RIVALS.keys():
        environ.pop(PREFIX + _RIVALS[name], None)
    return environ


def called_as_given(context: typer.Context) -> AbstractContextManager[None]:
    """Within it, a `ConfigurationError` calls settings as they were given.

    One that was not given is called by its option as well.
    """
    flags = _flags(context)
    given = {
        PREFIX + variable: flags[name]
        for name, variable in _VARIABLES.items()
        if name in flags and not _is_set(context, name, variable)
    }
    settings = variables_of(PREFIX).items()
    return called({**given, **{name: given.get(variable, variable) for name, variable in settings}})


def _is_set(context: typer.Context, name: str, variable: str) -> bool:
    """Whether it comes from its variable."""
    source = _source(context, name)
    if source in {"COMMANDLINE", "ENVIRONMENT"}:
        return source == "ENVIRONMENT"
    return bool(os.environ.get(PREFIX + variable))


def _flags(context: typer.Context) -> dict[str, str]:
    return {str(option.name): option.opts[0] for option in context.command.params}


def is_typed(context: typer.Context, name: str) -> bool:
    """Whether the parameter `name` stands on the command line, where every process can read it."""
    return _source(context, name) == "COMMANDLINE"


def _source(context: typer.Context, name: str) -> str:
    source = context.get_parameter_source(name)
    return "" if source is None else source.name


def _several(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _check_typed(context: typer.Context, typed: set[str]) -> None:
    if empty := sorted(
        _flags(context)[name] for name in typed if context.params[name] in ("", [""])
    ):
        # As a rule by a shell's variable that is not set: the rate would be shared with nobody.
        raise ConfigurationError(f"{empty[0]} is empty: give it a value, or leave it out")
    if {"currency_eid", "currency_iid"} <= typed:
        raise ConfigurationError("give --currency-eid or --currency-iid, but not both")
    proxy, store = (str(context.params.get(name)) for name in ("proxy", "rate_store"))
    if "proxy" in typed and "@" in proxy:
        raise ConfigurationError(_SEEN_BY_PS.format("proxy", "ALTCRAFT_PROXY"))
    if "rate_store" in typed and holds_password(store):
        raise ConfigurationError(_SEEN_BY_PS.format("store", "ALTCRAFT_RATE_STORE"))


def _check_complete(environ: Mapping[str, str], *, has_token: bool, needs_program: bool) -> None:
    program = environ.get(f"{PREFIX}LOYALTY_PROGRAM_ID") or not needs_program
    needed = {
        "--base-url (ALTCRAFT_BASE_URL)": environ.get(f"{PREFIX}BASE_URL"),
        "--program (ALTCRAFT_LOYALTY_PROGRAM_ID)": program,
        "the token (ALTCRAFT_TOKEN, or --token-file)": has_token,
    }
    if missing := [name for name, value in needed.items() if not value]:
        raise ConfigurationError(f"not set: {'; '.join(missing)}")
