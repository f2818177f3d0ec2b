"""aiohttp's exceptions in our words, so that none of them crosses the public border.

The caller raises what it gets here after its ``except`` block: inside, aiohttp's exception and
its frames, which hold the request, would stay attached to ours.
"""

from __future__ import annotations

import aiohttp

from altcraft_balance.errors import (
    AltcraftBalanceError,
    AttemptTimeout,
    ConfigurationError,
    ConnectionFailed,
    HttpStatusError,
    TlsRefused,
)
from altcraft_balance.transport.trouble import CUT_SHORT, reason_of, refusal_by_tls, tls_reason

__all__ = ["translate"]


def translate(
    error: BaseException, *, host: str, connect_s: float, written: bool
) -> AltcraftBalanceError:
    """What `error`, raised by aiohttp while it talked to `host`, is to the user.

    Args:
        error: what aiohttp raised.
        host: who was talked to, for the sentence.
        connect_s: the limit that a `TimeoutError` while connecting ran into, in seconds.
        written: whether the request had been written.
    """
    if isinstance(error, aiohttp.InvalidURL):
        return ConfigurationError("base_url is not a URL that can be asked")
    if type(error) is ValueError:
        return ConfigurationError(
            "aiohttp does not take the request: with trust_env, .netrc must not have a password "
            "for this host beside a token in the header"
        )
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return HttpStatusError(
            f"the proxy answered HTTP {error.status}",
            status=error.status,
            transient=error.status == 408 or error.status >= 500,
            maybe_sent=False,
        )
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return AttemptTimeout(f"no connection to {host} within {connect_s:g} s")
    if (trouble := _tls_trouble(error)) is not None:
        return TlsRefused(f"TLS with {host} failed: {trouble}", maybe_sent=written)
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return ConnectionFailed(f"no connection to the proxy: {_reason(error)}")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return ConnectionFailed(f"the name of {host} is not known: {_reason(error)}")
    if isinstance(error, aiohttp.ClientConnectorError):
        return ConnectionFailed(f"no connection to {host}: {_reason(error)}")
    if isinstance(error, aiohttp.ClientResponseError):
        return ConnectionFailed(f"{host} sent a reply that breaks HTTP", maybe_sent=True)
    return ConnectionFailed(f"{host} closed the connection: {_reason(error)}", maybe_sent=written)


def _tls_trouble(error: BaseException) -> str | None:
    """Why TLS was refused; None when it was not, or the other end merely went away."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return str(error.certificate_error)
    cause = getattr(error, "os_error", None) or error.__cause__ or error
    stood = not isinstance(error, aiohttp.ClientConnectorError)
    return refusal_by_tls(cause) if stood else tls_reason(cause)


def _reason(error: BaseException) -> str:
    """The system's own short word for it, never a text that holds more than that."""
    cause = getattr(error, "os_error", None) or error
    if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError):
        return CUT_SHORT
    return reason_of(cause)
