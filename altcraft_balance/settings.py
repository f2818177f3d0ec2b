"""Frozen settings, checked once.

A wrong setting is one `ConfigurationError` with one sentence: what was wrong, what is accepted.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final, Literal, TypeAlias, get_args

from attrs import field, fields, frozen

from altcraft_balance.errors import ConfigurationError, InvalidQuery
from altcraft_balance.models import BalanceQuery, Currency, RawMatching
from altcraft_balance.secret import Secret
from altcraft_balance.shared_rate import SharedRate
from altcraft_balance.timetable import RateTimetable
from altcraft_balance.urls import endpoint_url, split_url
from altcraft_balance.validators import choice, number, whole, yes_or_no

__all__ = [
    "FATAL_CODES",
    "Auth",
    "CertificateFiles",
    "ClientSettings",
    "Format",
    "Lane",
    "Limits",
    "Path",
    "RetryPolicy",
    "Timeouts",
    "TokenSource",
]

Format: TypeAlias = Literal["json", "xml"]
Auth: TypeAlias = Literal["body", "header", "both"]
#: The transports of the package: the one that can do everything, and the fast lane.
Lane: TypeAlias = Literal["aiohttp", "direct"]
Path: TypeAlias = str | os.PathLike[str]
#: A file with certificate and key, or the two files.
CertificateFiles: TypeAlias = Path | tuple[Path, Path]
TokenSource: TypeAlias = Secret | Callable[[], Awaitable[str]]
#: Envelope codes that end a run, if the user names no others.
FATAL_CODES: Final = frozenset({401, 402, 403})
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110, section 5.6.2
_OUR_HEADERS: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "host",
        "proxy-authorization",
        "request-id",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)


@frozen
class RetryPolicy:
    """How often and how patiently a lookup is repeated.

    Attributes:
        max_attempts: attempts that count, the first one included.
        base_s: the longest wait before the first repeat, in seconds; it doubles each time.
        cap_s: no wait is drawn from beyond this many seconds.
    """

    max_attempts: int = field(default=6, validator=whole(1))
    base_s: float = field(default=0.1, validator=number(0))
    cap_s: float = field(default=20.0, validator=number(0))


@frozen
class Timeouts:
    """How long things may take, in seconds.

    Attributes:
        connect_s: name resolution, connecting and TLS, of one connection.
        attempt_s: one attempt, from the first byte sent to the last byte read.
        deadline_s: a whole `get_balance`, waits included; None: no limit.
        item_deadline_s: a whole item of a batch; None: as long as the run lasts.
    """

    connect_s: float = field(default=3.0, validator=number(0, above=True))
    attempt_s: float = field(default=10.0, validator=number(0, above=True))
    deadline_s: float | None = field(default=30.0, validator=number(0, above=True, optional=True))
    item_deadline_s: float | None = field(
        default=None, validator=number(0, above=True, optional=True)
    )


def _rate(instance: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, SharedRate | RateTimetable):
        number(0, above=True, optional=True)(instance, attribute, value)


@frozen
class Limits:
    """How much is asked at once.

    Attributes:
        concurrency: requests on the way at any moment, all callers of a client together.
        rate_per_s: requests per second that the account may send, when that is known: a number,
            a `RateTimetable` when it depends on the time of day, or a `SharedRate` when several
            processes share it.
        burst: requests that may follow each other at once after a rest; None: as many as make up
            for timers that are late, a hundredth of a second's.
        adaptive: find a rate that is not known, for batches, and take fewer slots when more of
            them only make the server slower. Both only ever ask for less, and on evidence. The
            gentle return of a batch after an outage does not depend on it.
    """

    concurrency: int = field(default=64, validator=whole(1))
    rate_per_s: float | SharedRate | RateTimetable | None = field(default=None, validator=_rate)
    burst: float | None = field(default=None, validator=number(1, optional=True))
    adaptive: bool = field(default=True, validator=yes_or_no)

    def __attrs_post_init__(self) -> None:
        if self.burst is not None and self.rate_per_s is None:
            raise ConfigurationError("burst needs rate_per_s, the rate after which it is allowed")


def _token(value: Any) -> TokenSource:
    if isinstance(value, Secret) or callable(value):
        return value  # type: ignore[no-any-return]
    return Secret(value)


def _log_key(value: Any) -> Secret | None:
    if value is None or isinstance(value, Secret):
        return value
    trouble = ""
    try:
        return Secret(value)
    except ConfigurationError as error:
        trouble = str(error).partition(":")[0].replace("the token", "log_key")
    raise ConfigurationError(trouble)


def _codes(value: Any) -> frozenset[int]:
    codes: Collection[Any] = value if isinstance(value, Collection) else [value]
    if not all(isinstance(code, int) and not isinstance(code, bool) for code in codes):
        raise ConfigurationError("error codes must be whole numbers, such as {401, 402}")
    if 0 in codes:
        raise ConfigurationError("error code 0 is success and can mean nothing else")
    return frozenset(codes)


def _headers(value: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    if value and not isinstance(value, Mapping):
        raise ConfigurationError("headers must be a mapping of names to values")
    headers = tuple(_header(name, text) for name, text in (value or {}).items())
    if len({name.lower() for name, _ in headers}) < len(headers):
        raise ConfigurationError("headers names one header twice")
    return headers


def _header(name: str, value: str) -> tuple[str, str]:
    if not isinstance(name, str) or not _HEADER_NAME.match(name):
        raise ConfigurationError("a header's name must be a token of RFC 9110, such as X-Team")
    if name.lower() in _OUR_HEADERS:
        raise ConfigurationError(f"headers may not set {name}: the client sets that one itself")
    if not _is_header_text(value):
        raise ConfigurationError(f"the header {name} must be printable ASCII text in one line")
    return name, value


def _is_header_text(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable()


def _user_agent(_: object, __: object, value: Any) -> None:
    if value is not None and not _is_header_text(value):
        raise ConfigurationError("user_agent must be printable ASCII text in one line")


def _query_defaults(settings: ClientSettings, _: Any, __: Any) -> None:
    try:
        BalanceQuery(
            RawMatching({"matching": "email"}),
            loyalty_program_id=settings.loyalty_program_id,
            currency=settings.currency,
        )
        return
    except InvalidQuery as error:
        trouble = str(error)
    raise ConfigurationError(trouble)


def _tls(settings: ClientSettings, _: object, context: Any) -> None:
    if context is None:
        return
    if not isinstance(context, ssl.SSLContext):
        raise ConfigurationError("ssl_context must be an ssl.SSLContext")
    if settings.ca_file or settings.client_cert:
        raise ConfigurationError("give ssl_context, or ca_file and client_cert, but not both")


def _files(_: object, attribute: Any, value: Any) -> None:
    paths = value if isinstance(value, tuple) else (value,)
    if value is not None and not all(isinstance(path, str | os.PathLike) for path in paths):
        raise ConfigurationError(f"{attribute.name} must be the path of a PEM file")
    if isinstance(value, tuple) and len(value) != 2:
        raise ConfigurationError(f"{attribute.name} must be a path, or a pair of two")


def _folder(_: object, attribute: Any, value: Any) -> None:
    if value is not None and not (isinstance(value, str | os.PathLike) and os.fspath(value)):
        raise ConfigurationError(f"{attribute.name} must be the path of a folder")


def _transport(settings: ClientSettings, _: object, value: Any) -> None:
    if isinstance(value, str):
        choice("transport", value, get_args(Lane))
    elif not all(callable(getattr(value, name, None)) for name in ("open", "send", "aclose")):
        names = " or ".join(map(repr, get_args(Lane)))
        raise ConfigurationError(
            f"transport must be {names}, or an object that fits "
            "altcraft_balance.transport.port.Transport"
        )
    if value != "direct":
        return
    for name in ("proxy", "trust_env"):
        if getattr(settings, name):
            raise ConfigurationError(
                f"{name} does not work with 'direct': leave it out, or take 'aiohttp' (transport)"
            )


def _proxy(_: object, __: object, value: Any) -> None:
    if value is not None:
        split_url(value, "proxy", userinfo=True)


@frozen(kw_only=True, repr=False)
class ClientSettings:
    """Everything that a `BalanceClient` can be told; its docstring says what each means."""

    base_url: str
    token: TokenSource = field(converter=_token)
    currency: Currency | None = None
    loyalty_program_id: int | None = field(default=None, validator=_query_defaults)
    format: Format = "json"
    auth: Auth = "body"
    transport: Any = field(default="aiohttp", validator=_transport)
    retry: RetryPolicy = field(factory=RetryPolicy)
    timeouts: Timeouts = field(factory=Timeouts)
    limits: Limits = field(factory=Limits)
    not_a_member: frozenset[int] = field(default=frozenset(), converter=_codes)
    fatal_codes: frozenset[int] = field(default=FATAL_CODES, converter=_codes)
    ca_file: Path | None = field(default=None, validator=_files)
    client_cert: CertificateFiles | None = field(default=None, validator=_files)
    ssl_context: ssl.SSLContext | None = field(default=None, validator=_tls)
    proxy: str | None = field(default=None, validator=_proxy)
    trust_env: bool = field(default=False, validator=yes_or_no)
    headers: tuple[tuple[str, str], ...] = field(default=(), converter=_headers)
    user_agent: str | None = field(default=None, validator=_user_agent)
    request_ids: bool = field(default=False, validator=yes_or_no)
    max_body_bytes: int = field(default=65536, validator=whole(256))
    allow_http: bool = field(default=False, validator=yes_or_no)
    single_flight: bool = field(default=False, validator=yes_or_no)
    save_bad: Path | None = field(default=None, validator=_folder)
    log_key: Secret | None = field(default=None, converter=_log_key)
    url: str = field(init=False)

    def __repr__(self) -> str:
        # Also of one that a wrong setting left half made: a traceback with locals asks for it.
        return f"<ClientSettings for {getattr(self, 'url', 'no URL yet')}>"

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "url", endpoint_url(self.base_url, allow_http=self.allow_http))
        # A checked one has nothing to hide: a formatter that logs its repr may show it.
        object.__setattr__(self, "base_url", str(self.base_url))
        choice("format", self.format, get_args(Format))
        choice("auth", self.auth, get_args(Auth))
        for name, kind in (("retry", RetryPolicy), ("timeouts", Timeouts), ("limits", Limits)):
            if not isinstance(getattr(self, name), kind):
                raise ConfigurationError(f"{name} must be a {kind.__name__}(...)")

    def arguments(self) -> dict[str, Any]:
        """What a `BalanceClient` is to be told, to be the same anew; `on_event` is not among it."""
        told = {one.name: getattr(self, one.name) for one in fields(ClientSettings) if one.init}
        return {**told, "headers": dict(self.headers)}
