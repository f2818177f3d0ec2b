"""What a transport's failures are called, whichever transport met them."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from yarl import URL

from altcraft_balance.errors import ConfigurationError

__all__ = [
    "CLOSED_MEANWHILE",
    "CUT_SHORT",
    "is_broken",
    "parsed_url",
    "reason_of",
    "refusal_by_tls",
    "tls_reason",
]

CLOSED_MEANWHILE: Final = "the client was closed meanwhile"
CUT_SHORT: Final = "before the whole reply had come"


#: Words of the alerts by which a server refuses who asks, behind the handshake as well (TLS 1.3
#: asks for a client's certificate there; RFC 8446, 6.2).
_REFUSALS: Final = (
    *("certificate", "unknown ca", "access denied", "handshake failure", "protocol version"),
    *("insufficient security", "unrecognized name"),
)


def refusal_by_tls(error: BaseException) -> str | None:
    """The same, of a connection that stood: a record that is damaged only breaks it."""
    reason = tls_reason(error)
    if reason is None or isinstance(error, ssl.SSLCertVerificationError):
        return reason
    return reason if any(words in reason for words in _REFUSALS) else None


def tls_reason(error: BaseException) -> str | None:
    """Why TLS was refused; None when it was not, or the other end merely went away."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return None
    if isinstance(error, ssl.SSLError):
        reason = str(error.reason or "no reason given").replace("_", " ").lower()
        # What a plain reply looks like to TLS.
        return f"{reason} (plain http?)" if reason == "wrong version number" else reason
    return None


def reason_of(error: BaseException) -> str:
    """The system's own short word for it, never a text that holds more than that."""
    return getattr(error, "strerror", None) or type(error).__name__


def is_broken(status: int, headers: Mapping[str, str]) -> bool:
    """Whether whoever sent this may be the one broken server behind a balancer.

    It answers fastest, so its connection would be the one that is free, again and again. A 503
    that asks for a pause is in order.
    """
    return status >= 500 and "retry-after" not in headers


def parsed_url(url: str, name: str) -> URL:
    """The parts of the setting `name`.

    Raises:
        ConfigurationError: it is no URL that can be asked.
    """
    with suppress(ValueError):  # whose frames may show a password
        return URL(url)
    raise ConfigurationError(f"{name} is not a URL that can be asked")
