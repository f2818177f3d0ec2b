"""Where a database is, as options say it: a URL, or the name of a variable that holds one.

A password is taken from a variable alone: what stands on the command line is read by every process
of the machine, and kept by shells.
"""

from __future__ import annotations

import re
from typing import Final

import typer

from altcraft_balance.cli.given import is_typed
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.secret import HiddenStr, Secret
from altcraft_balance.store_urls import holds_password

__all__ = ["dsn_of"]

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_SEEN_BY_PS: Final = (
    "a database's password does not belong on the command line, where every process can read it: "
    "put the URL into a variable, and name that with {}"
)


def dsn_of(context: typer.Context, name: str) -> HiddenStr | Secret | None:
    """The DSN of the parameter `name`, or in the variable that ``<name>_env`` names.

    Raises:
        ConfigurationError: a password was typed, both are given, or the variable holds nothing.
    """
    url, variable = context.params[name], context.params[f"{name}_env"]
    option, env_option = (f"--{part.replace('_', '-')}" for part in (name, f"{name}_env"))
    typed = is_typed(context, name)
    if url is not None and typed and _holds_password(url):
        raise ConfigurationError(_SEEN_BY_PS.format(env_option))
    if url is not None and variable is not None and typed == is_typed(context, f"{name}_env"):
        raise ConfigurationError(f"give {option} or {env_option}, but not both")
    if url == "":
        raise ConfigurationError(f"{option} is empty: give it a value, or leave it out")
    if url is not None and (typed or variable is None):
        return HiddenStr(url)
    return None if variable is None else _in_variable(variable, env_option)


def _in_variable(name: str, option: str) -> Secret:
    if not _VARIABLE.match(name):  # not quoted: it may be the URL itself
        raise ConfigurationError(
            f"{option} must be the name of a variable that holds the URL, such as DATABASE_URL"
        )
    secret = Secret.from_env(name)
    _, trouble = secret.look_up()
    if trouble:
        raise ConfigurationError(
            f"the variable {name} {trouble}: it must hold the database's URL, since {option} "
            "names it"
        )
    return secret


def _holds_password(url: str) -> bool:
    # A user's name alone is no password in a database's URL, whatever its driver.
    return holds_password(f"postgresql://{url.rpartition('://')[2]}")
