"""Options that commands share: those that describe the client."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import typer

from altcraft_balance.cli.given import PREFIX, called_as_given, client_arguments

__all__ = [
    "AllowHttp",
    "AttemptTimeout",
    "Auth",
    "BaseUrl",
    "CaFile",
    "ClientCert",
    "Concurrency",
    "CurrencyEid",
    "CurrencyEids",
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
    "RowDeadline",
    "SaveBad",
    "TimeZone",
    "TokenFile",
    "Transport",
    "TrustEnv",
    "called_as_given",
    "client_arguments",
]


def _option(flag: str, metavar: str | None, variable: str, says: str, *, panel: str) -> Any:
    return typer.Option(
        flag, metavar=metavar or "", envvar=PREFIX + variable, help=says, rich_help_panel=panel
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
Transport: TypeAlias = Annotated[
    str | None,
    _server(
        "--transport",
        "aiohttp|direct",
        "TRANSPORT",
        "What carries the requests; direct is faster, has no proxies, and needs extra 'speed'.",
    ),
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
CurrencyEids: TypeAlias = Annotated[
    list[str] | None,
    # Not read by typer, which takes a blank in the variable for the end of an id.
    typer.Option(
        "--currency-eid",
        metavar="TEXT",
        help="The currency, by external id; several give a row each. One may also be "
        f"{PREFIX}POINTS_CURRENCY_EID.",
        show_envvar=False,
        allow_from_autoenv=False,
        rich_help_panel="Points",
    ),
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
RowDeadline: TypeAlias = Annotated[
    str | None,
    _asking(
        "--row-deadline",
        "SECONDS",
        "ITEM_DEADLINE_S",
        "For one row, repeats and waits included; none, if you do not say.",
    ),
]
Concurrency: TypeAlias = Annotated[
    str | None, _asking("--concurrency", "NUMBER", "CONCURRENCY", "Requests at once: 64.")
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
SaveBad: TypeAlias = Annotated[
    str | None,
    _asking(
        "--save-bad",
        "FOLDER",
        "SAVE_BAD",
        "Keep unexpected replies for a bug report, up to 100, with *** for what was asked.",
    ),
]
Rate: TypeAlias = Annotated[
    str | None,
    _asking(
        "--rate",
        "NUMBER",
        "RATE_PER_S",
        "Requests per second, at most; or by the time of day, '06:00,20 22:00,200'.",
    ),
]
TimeZone: TypeAlias = Annotated[
    str | None,
    _asking(
        "--time-zone",
        "NAME",
        "TIME_ZONE",
        "Of times of day, such as Europe/Moscow; the machine's, if you do not say.",
    ),
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
