"""URLs of servers and proxies: what they must look like, and where the endpoint stands."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from altcraft_balance.errors import ConfigurationError

__all__ = ["ENDPOINT", "endpoint_url", "split_url"]

#: Where the endpoint stands below the base URL (developer guide, "Get points account balance").
ENDPOINT: Final = "api/v1.1/loyalty/account/balance"
_LOOPBACK = re.compile(r"localhost\Z|127(\.\d{1,3}){3}\Z|::1\Z", re.IGNORECASE)


def endpoint_url(base_url: str, *, allow_http: bool = False) -> str:
    """The endpoint below `base_url`: a path prefix is kept, with exactly one slash between.

    Raises:
        ConfigurationError: not an ``https`` URL of a host, or plain ``http`` to a host that is
            not this machine, without `allow_http`.
    """
    parts = split_url(base_url, "base_url")
    if parts.scheme == "http" and not (allow_http or _LOOPBACK.match(parts.hostname or "")):
        raise ConfigurationError(
            f"base_url is plain http to {parts.hostname}, which shows the token to everyone on "
            "the way: use https, or allow_http if that network is safe"
        )
    scheme_end = len(parts.scheme)  # "HTTPS" is a scheme as well: what follows asks for "https"
    return f"{parts.scheme}{base_url[scheme_end:].rstrip('/')}/{ENDPOINT}"


def split_url(url: Any, name: str, *, userinfo: bool = False) -> SplitResult:
    """The parts of an ``http`` or ``https`` URL; a password in it only with `userinfo`."""
    host = "http://proxy.example.com:3128" if name == "proxy" else "https://ru.altkraft.com"
    if not isinstance(url, str) or not url.isprintable() or re.search(r"[\s\\]", url):
        raise ConfigurationError(
            f"{name} must look like {host}, without blanks or control characters"
        )
    parts = _parsed(url)
    trouble = "" if parts is None else _trouble_with(parts, url, userinfo=userinfo)
    if parts is None or trouble:
        del parts  # it may hold a password, and frames show their locals
        raise ConfigurationError(
            f"{name} {trouble or f'must look like {host}: a scheme (http or https), a host'}"
        )
    return parts


def _trouble_with(parts: SplitResult, url: str, *, userinfo: bool) -> str:
    if "@" in parts.netloc and not userinfo:
        return "must not carry a user name or a password"
    if "?" in url or "#" in url:
        return "must not have a query or a fragment"
    return ""


def _parsed(url: str) -> SplitResult | None:
    """The parts of `url`; None, and no exception that quotes a password, if it is not one."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if fits else None
