"""The error tree: whose fault it was, whether the request may have left, what to do next.

Ours are mistakes of the caller (settings, arguments, a client that is not open); the network's
have no reply at all; theirs have one. Every error pickles with equal fields, so it can cross a
process border, and none shows the token or a member's address: what the server said arrives
here with both already replaced by ``***``.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "API_ERRORS",
    "AccessDenied",
    "AltcraftBalanceError",
    "ApiError",
    "AttemptTimeout",
    "AuthenticationError",
    "BadRequest",
    "CircuitOpen",
    "ClientClosed",
    "ConfigurationError",
    "ConnectionFailed",
    "DeadlineExceeded",
    "HttpStatusError",
    "InvalidQuery",
    "NotAMember",
    "RateLimited",
    "RedirectRefused",
    "TariffLimitReached",
    "TlsRefused",
    "UnexpectedReply",
]


class AltcraftBalanceError(Exception):
    """Any error of this package.

    Attributes:
        kind: a stable word for rows, metrics and logs; the same for all errors of a class.
        transient: whether asking again later may help.
        retry_after_s: seconds to wait before asking again, when somebody said so.
        attempts: how many attempts were made that count against ``max_attempts``.
        elapsed_s: seconds from the call, or from when the item was taken, to this error.
        maybe_sent: whether the request may have left this machine.
        unsent: on the error that ends a stream, the queries that were taken but never sent.
    """

    kind: ClassVar[str] = "error"

    def __init__(
        self,
        message: str,
        *,
        transient: bool = False,
        retry_after_s: float | None = None,
        attempts: int = 0,
        elapsed_s: float = 0.0,
        maybe_sent: bool = False,
    ) -> None:
        super().__init__(message)
        self.transient = transient
        self.retry_after_s = retry_after_s
        self.attempts = attempts
        self.elapsed_s = elapsed_s
        self.maybe_sent = maybe_sent
        self.unsent: tuple[Any, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own way calls the class with `args` alone and loses the keyword fields.
        return _rebuild, (type(self), self.args, dict(self.__dict__))


def _rebuild(
    cls: type[AltcraftBalanceError], args: tuple[Any, ...], fields: dict[str, Any]
) -> AltcraftBalanceError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(fields)
    return error


# ── ours ─────────────────────────────────────────────────────────────────────────────────────


class ConfigurationError(AltcraftBalanceError, ValueError):
    """A setting is missing or wrong; the sentence names it and what is accepted."""

    kind = "configuration"


class InvalidQuery(AltcraftBalanceError, ValueError):
    """The arguments of one lookup are wrong; nothing was sent."""

    kind = "invalid_query"


class ClientClosed(AltcraftBalanceError, RuntimeError):
    """The client is not open, was closed, or is used from another loop or process."""

    kind = "client_closed"


class CircuitOpen(AltcraftBalanceError):
    """Not asked: the server has been failing; `retry_after_s` says when it is tried again."""

    kind = "circuit_open"

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message, **{"transient": True, **fields})


# ── the network ──────────────────────────────────────────────────────────────────────────────


class ConnectionFailed(AltcraftBalanceError):
    """No connection, or it broke before a whole reply had come."""

    kind = "connection_failed"

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message, **{"transient": True, **fields})


class TlsRefused(ConnectionFailed):
    """The other side could not prove who it is; not repeated, since a repeat proves nothing."""

    kind = "tls_refused"

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message, **{"transient": False, **fields})


class AttemptTimeout(AltcraftBalanceError):
    """One attempt took longer than `Timeouts.connect_s` or `Timeouts.attempt_s`."""

    kind = "attempt_timeout"

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message, **{"transient": True, **fields})


class DeadlineExceeded(AltcraftBalanceError):
    """The time for the whole lookup is up, or no further attempt fits into it.

    Attributes:
        phase: what the time went to, or would go to: ``attempt``, ``backoff`` before a repeat, a
            ``slot``, the ``gate`` that a throttled answer closed, the ``rate``, the ``breaker``,
            the retry ``budget``, a ``token``, or the ``run``.
        last_error: the error of the last attempt, if one was made.
    """

    kind = "deadline_exceeded"

    def __init__(
        self,
        message: str,
        *,
        phase: str,
        last_error: AltcraftBalanceError | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(message, **{"transient": True, **fields})
        self.phase = phase
        self.last_error = last_error


# ── theirs ───────────────────────────────────────────────────────────────────────────────────


class _Reply(AltcraftBalanceError):
    """What all errors that came as a reply share: the request arrived."""

    def __init__(self, message: str, *, status: int | None = None, **fields: Any) -> None:
        super().__init__(message, **{"maybe_sent": True, **fields})
        self.status = status


class RateLimited(_Reply):
    """Throttled, however it was said: HTTP 429, 503 with ``Retry-After``, or code 429.

    Attributes:
        status: the HTTP status.
        code: the envelope's code, when there was an envelope.
        text: the envelope's text, redacted.
    """

    kind = "rate_limited"

    def __init__(
        self, message: str, *, code: int | None = None, text: str = "", **fields: Any
    ) -> None:
        super().__init__(message, **{"transient": True, **fields})
        self.code = code
        self.text = text


class HttpStatusError(_Reply):
    """A status outside 2xx without the documented envelope; `status` has it."""

    kind = "http_status"


class RedirectRefused(HttpStatusError):
    """The server wants the request sent elsewhere; the token goes to one host only."""

    kind = "redirect_refused"


class UnexpectedReply(_Reply):
    """A reply that is not the documented envelope, or one whose content cannot be trusted."""

    kind = "unexpected_reply"


class ApiError(_Reply):
    """The envelope says that the lookup failed.

    Attributes:
        code: Altcraft's error code.
        text: Altcraft's error text, with the token and the member's address redacted.
        status: the HTTP status it came with.
    """

    kind = "api_error"

    def __init__(self, message: str, *, code: int, text: str = "", **fields: Any) -> None:
        super().__init__(message, **fields)
        self.code = code
        self.text = text


class BadRequest(ApiError):
    """Code 400, incorrect request."""

    kind = "bad_request"


class AuthenticationError(ApiError):
    """Code 401, token required."""

    kind = "authentication"


class TariffLimitReached(ApiError):
    """Code 402, the account's tariff limit is reached."""

    kind = "tariff_limit"


class AccessDenied(ApiError):
    """Code 403, no access."""

    kind = "access_denied"


class NotAMember(ApiError):
    """One of the codes that the user named in `not_a_member`; none is documented."""

    kind = "not_a_member"


#: Documented codes with a class of their own (developer guide, "Get points account balance").
API_ERRORS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: AuthenticationError,
    402: TariffLimitReached,
    403: AccessDenied,
}
