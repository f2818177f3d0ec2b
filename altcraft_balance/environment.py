"""Settings from an environment mapping: which variable is which argument, and how it is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from attrs import evolve

from altcraft_balance.errors import ConfigurationError, InvalidQuery
from altcraft_balance.models import Currency, CurrencyEid, CurrencyIid
from altcraft_balance.secret import HiddenStr, Secret
from altcraft_balance.settings import Limits, RetryPolicy, Timeouts
from altcraft_balance.shared_rate import SharedRate
from altcraft_balance.timetable import RateTimetable
from altcraft_balance.wording import called

__all__ = ["VARIABLES", "from_environment", "variables_of"]


def _truth(text: str) -> bool:
    word = text.strip().lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off"}:
        return False
    raise ValueError("yes or no is expected")


def _code_list(text: str) -> frozenset[int]:
    return frozenset(_whole(part) for part in text.replace(",", " ").split())


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("a whole number is expected") from None


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("a number of seconds is expected") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("a number is expected") from None


def _optional_seconds(text: str) -> float | None:
    return None if text.strip().lower() == "none" else _seconds(text)


def _rate(text: str) -> float | RateTimetable:
    """A number, or a timetable, whose zone another variable has."""
    return RateTimetable.read(text) if ":" in text else _number(text)


def _plain(text: str) -> str:
    return text


#: Variable (after the prefix) -> argument, and how its text is read.
VARIABLES: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "BASE_URL": ("base_url", _plain),
    "LOYALTY_PROGRAM_ID": ("loyalty_program_id", _whole),
    "FORMAT": ("format", _plain),
    "AUTH": ("auth", _plain),
    "TRANSPORT": ("transport", _plain),
    "NOT_A_MEMBER": ("not_a_member", _code_list),
    "FATAL_CODES": ("fatal_codes", _code_list),
    "CA_FILE": ("ca_file", _plain),
    "CLIENT_CERT": ("client_cert", _plain),
    "PROXY": ("proxy", _plain),
    "TRUST_ENV": ("trust_env", _truth),
    "USER_AGENT": ("user_agent", _plain),
    "REQUEST_IDS": ("request_ids", _truth),
    "MAX_BODY_BYTES": ("max_body_bytes", _whole),
    "ALLOW_HTTP": ("allow_http", _truth),
    "MAX_ATTEMPTS": ("retry.max_attempts", _whole),
    "RETRY_BASE_S": ("retry.base_s", _seconds),
    "RETRY_CAP_S": ("retry.cap_s", _seconds),
    "CONNECT_S": ("timeouts.connect_s", _seconds),
    "ATTEMPT_S": ("timeouts.attempt_s", _seconds),
    "DEADLINE_S": ("timeouts.deadline_s", _optional_seconds),
    "ITEM_DEADLINE_S": ("timeouts.item_deadline_s", _optional_seconds),
    "CONCURRENCY": ("limits.concurrency", _whole),
    "RATE_PER_S": ("limits.rate_per_s", _rate),
    "BURST": ("limits.burst", _number),
    "ADAPTIVE": ("limits.adaptive", _truth),
    "SINGLE_FLIGHT": ("single_flight", _truth),
    "SAVE_BAD": ("save_bad", _plain),
}

#: The same of a `SharedRate`, which is made when one of these is set.
_SHARED_RATE: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "RATE_STORE": ("url", _plain),
    "RATE_WORKERS": ("workers", _whole),
    "RATE_NAME": ("name", _plain),
}
_ZONE: Final = "TIME_ZONE"  # of a timetable
#: Variable -> the client's argument, in the place of which it is read.
_ARGUMENTS: Final = {
    **{name: argument.partition(".")[0] for name, (argument, _) in VARIABLES.items()},
    **dict.fromkeys([*_SHARED_RATE, _ZONE], "limits"),
    "POINTS_CURRENCY_EID": "currency",
    "POINTS_CURRENCY_IID": "currency",
    "TOKEN": "token",
    "TOKEN_FILE": "token",
    "LOG_KEY": "log_key",
}
#: Setting, as checks call it -> variable.
_SETTINGS: Final = {
    **{argument.rpartition(".")[2]: name for name, (argument, _) in VARIABLES.items()},
    **{argument: name for name, (argument, _) in _SHARED_RATE.items()},
    "per_s": "RATE_PER_S",
    "time_zone": _ZONE,
}
_HIDDEN: Final = ("TOKEN", "PROXY", "RATE_STORE", "LOG_KEY")

_GROUPS: Final[dict[str, Callable[..., Any]]] = {
    "retry": RetryPolicy,
    "timeouts": Timeouts,
    "limits": Limits,
}


def from_environment(
    environ: Mapping[str, str], prefix: str, overrides: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of a `BalanceClient`, as `environ` has them and `overrides` correct them.

    An empty variable counts as unset, and one in whose place an override stands is not read.

    Raises:
        ConfigurationError: a needed variable is missing, or a value cannot be read.
    """
    found = {
        name: environ[prefix + name]
        for name, argument in _ARGUMENTS.items()
        if argument not in overrides and environ.get(prefix + name)
    }
    found.update({name: HiddenStr(found[name]) for name in _HIDDEN if name in found})
    # By reference when it can be, so that the client's settings may go to another process.
    by_reference = environ is os.environ
    del environ  # what raises below shows its locals to whoever asks for them
    with called(variables_of(prefix, overrides)):
        arguments = _plain_settings(found, prefix, by_reference)
    arguments["currency"] = _currency(found, prefix)
    arguments["token"] = _token(found, prefix, by_reference)
    if "LOG_KEY" in found:
        arguments["log_key"] = _secret("LOG_KEY", found, prefix, by_reference)
    arguments.update(overrides)
    needed = {"base_url": "BASE_URL", "token": f"TOKEN or {prefix}TOKEN_FILE"}
    if missing := [prefix + name for key, name in needed.items() if arguments.get(key) is None]:
        raise ConfigurationError(f"not set: {', '.join(missing)}; set it in the environment")
    return arguments


def variables_of(prefix: str, overrides: Collection[str] = ()) -> dict[str, str]:
    """Each setting's variable, for sentences about it; none of a setting that `overrides` has."""
    return {
        setting: prefix + name
        for setting, name in _SETTINGS.items()
        if _ARGUMENTS[name] not in overrides
    }


def _plain_settings(found: Mapping[str, str], prefix: str, by_reference: bool) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {}
    for name, (argument, read) in VARIABLES.items():
        if name not in found:
            continue
        group, _, member = argument.rpartition(".")
        target = groups.setdefault(group, {}) if group else arguments
        target[member] = _read(prefix + name, found[name], read)
    rate = groups.get("limits", {}).get("rate_per_s")
    if isinstance(rate, RateTimetable) and _ZONE in found:
        groups["limits"]["rate_per_s"] = evolve(rate, time_zone=found[_ZONE])
    if found.keys() & _SHARED_RATE.keys():
        limits = groups.setdefault("limits", {})
        limits["rate_per_s"] = _shared_rate(
            found, prefix, by_reference, per_s=limits.get("rate_per_s")
        )
    arguments.update({name: _GROUPS[name](**values) for name, values in groups.items()})
    return arguments


def _shared_rate(
    found: Mapping[str, str],
    prefix: str,
    by_reference: bool,
    *,
    per_s: float | RateTimetable | None,
) -> SharedRate:
    given = prefix + next(name for name in _SHARED_RATE if name in found)
    if per_s is None:
        raise ConfigurationError(f"{given} needs {prefix}RATE_PER_S, the rate to share")
    if isinstance(per_s, RateTimetable):
        raise ConfigurationError(f"{given} needs one number as {prefix}RATE_PER_S, no timetable")
    arguments = {
        argument: _read(prefix + name, found[name], read)
        for name, (argument, read) in _SHARED_RATE.items()
        if name in found
    }
    if "url" not in arguments:
        if "name" in arguments:
            raise ConfigurationError(f"{prefix}RATE_NAME needs {prefix}RATE_STORE, where it is")
        return SharedRate.split(per_s, **arguments)
    if by_reference:
        arguments["url"] = Secret.from_env(f"{prefix}RATE_STORE")
    return SharedRate.from_url(per_s=per_s, **arguments)


def _read(name: str, text: str, read: Callable[[str], Any]) -> Any:
    trouble = ""
    try:
        return read(text)
    except ValueError as error:
        trouble = str(error)
    raise ConfigurationError(f"{name}={text!r} cannot be read: {trouble}")


def _currency(found: Mapping[str, str], prefix: str) -> Currency | None:
    eid, iid = found.get("POINTS_CURRENCY_EID"), found.get("POINTS_CURRENCY_IID")
    trouble = ""
    if eid and iid:
        raise ConfigurationError(
            f"set {prefix}POINTS_CURRENCY_EID or {prefix}POINTS_CURRENCY_IID, but not both"
        )
    try:
        if iid:
            return CurrencyIid(_read(f"{prefix}POINTS_CURRENCY_IID", iid, _whole))
        return CurrencyEid(eid) if eid else None
    except InvalidQuery as error:
        trouble = str(error)
    raise ConfigurationError(trouble)


def _token(found: Mapping[str, str], prefix: str, by_reference: bool) -> Secret | None:
    if "TOKEN" in found and "TOKEN_FILE" in found:
        raise ConfigurationError(f"set {prefix}TOKEN or {prefix}TOKEN_FILE, but not both")
    if "TOKEN_FILE" in found:
        return Secret.from_file(found["TOKEN_FILE"])
    if "TOKEN" not in found:
        return None
    return _secret("TOKEN", found, prefix, by_reference)


def _secret(name: str, found: Mapping[str, str], prefix: str, by_reference: bool) -> Secret:
    return Secret.from_env(prefix + name) if by_reference else Secret(found[name])
