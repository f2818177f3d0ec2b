"""Spans of OpenTelemetry; extra ``[otel]``.

    async with BalanceClient.from_env(on_event=Tracing()) as client: ...

One client span a lookup, below the span in which it was called; each request and each wait is an
event on it. Names are those of OpenTelemetry's semantic conventions for HTTP where they have one,
and begin with ``altcraft_balance`` elsewhere. No attribute has a token or a member's address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.telemetry.events import (
    AttemptEnded,
    Event,
    LookupCancelled,
    LookupEnded,
    LookupStarted,
    Opened,
    Waited,
)

if TYPE_CHECKING:
    from opentelemetry.trace import Span, TracerProvider

__all__ = ["SPAN", "Tracing", "check_extra"]

_OURS: Final = "altcraft_balance"
_PATH: Final = "/api/v1.1/loyalty/account/balance"
#: What every lookup's span is called.
SPAN: Final = f"POST {_PATH}"
#: Errors that are answers: the lookup did what it was called for.
_ANSWERS: Final = frozenset({"not_a_member"})


class Tracing:
    """Give it to one client as ``on_event``.

    Args:
        tracer_provider: whose tracer is used; by default the program's own.
        propagate: send each request with a ``traceparent``, so that the server's spans join.

    Raises:
        ConfigurationError: the extra is missing.
    """

    def __init__(
        self, tracer_provider: TracerProvider | None = None, *, propagate: bool = False
    ) -> None:
        check_extra("tracing")
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._trace = trace
        self._tracer = trace.get_tracer(_OURS, tracer_provider=tracer_provider)
        self._inject = TraceContextTextMapPropagator().inject if propagate else None
        self._open: dict[int, _Lookup] = {}
        self._where: dict[str, Any] = {}
        self._is_taken = False

    def reads(self, _: Callable[[], Any]) -> None:
        """The client opens.

        Raises:
            ConfigurationError: another client was opened before: their lookups have one number.
        """
        if self._is_taken:
            raise ConfigurationError("a Tracing is one client's: make a new one for each client")
        self._is_taken = True

    def headers(self, lookup: int) -> Mapping[str, str]:
        """The ``traceparent`` of a request of that lookup, when it is to be sent."""
        carried: dict[str, str] = {}
        if self._inject is not None and (known := self._open.get(lookup)) is not None:
            self._inject(carried, context=self._trace.set_span_in_context(known.span))
        return carried

    def __call__(self, event: Event) -> None:
        """Begin a span, add to it, or end it."""
        if isinstance(event, LookupStarted):
            self._open[event.lookup] = self._begun(event)
        elif isinstance(event, LookupEnded | LookupCancelled):
            if (known := self._open.pop(event.lookup, None)) is not None:
                self._end(known, event)
        elif isinstance(event, AttemptEnded | Waited):
            if (known := self._open.get(event.lookup)) is not None and known.span.is_recording():
                known.add(event)
        elif isinstance(event, Opened):
            self._where = _where(event.base_url)

    def _begun(self, event: LookupStarted) -> _Lookup:
        attributes = dict(self._where)
        if event.member_ref is not None:
            attributes[f"{_OURS}.member_ref"] = event.member_ref
        kind = self._trace.SpanKind.CLIENT
        return _Lookup(self._tracer.start_span(SPAN, kind=kind, attributes=attributes))

    def _end(self, known: _Lookup, event: LookupEnded | LookupCancelled) -> None:
        span = known.span
        if span.is_recording():
            error = "cancelled" if isinstance(event, LookupCancelled) else event.kind
            span.set_attributes(known.at_the_end(event, error))
            if error is not None and error not in _ANSWERS:
                span.set_status(self._trace.StatusCode.ERROR, error)
        span.end()


class _Lookup:
    """One that is under way: its span, and the last reply's status."""

    __slots__ = ("span", "status")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.status: int | None = None

    def add(self, event: AttemptEnded | Waited) -> None:
        """An event of the span."""
        told: dict[str, Any] = {}
        if isinstance(event, Waited):
            told.update({f"{_OURS}.reason": event.reason, f"{_OURS}.wait_s": event.wait_s})
            self.span.add_event(f"{_OURS}.wait", told)
            return
        self.status = event.status
        told[f"{_OURS}.elapsed_s"] = event.elapsed_s
        if event.free_repeat:
            told[f"{_OURS}.free_repeat"] = True
        if event.status is not None:
            told["http.response.status_code"] = event.status
        if event.kind is not None:
            told["error.type"] = event.kind
        self.span.add_event(f"{_OURS}.request", told)

    def at_the_end(self, event: LookupEnded | LookupCancelled, error: str | None) -> dict[str, Any]:
        """The span's attributes that are known only then."""
        told: dict[str, Any] = {"http.request.resend_count": max(0, event.requests - 1)}
        if self.status is not None:
            told["http.response.status_code"] = self.status
        if error is not None:
            told["error.type"] = error
        if isinstance(event, LookupEnded) and event.code is not None:
            told[f"{_OURS}.code"] = event.code
        return told


def _where(base_url: str) -> dict[str, Any]:
    parts = urlsplit(base_url)
    return {
        "http.request.method": "POST",
        "server.address": parts.hostname or "",
        "server.port": parts.port or (443 if parts.scheme == "https" else 80),
        "url.full": base_url.rstrip("/") + _PATH,
        "url.template": _PATH,
    }


def check_extra(what: str) -> None:
    """Refuse `what` with one sentence when OpenTelemetry is not installed.

    Raises:
        ConfigurationError: it is not.
    """
    if find_spec("opentelemetry") is None:
        raise ConfigurationError(
            f"{what} needs the extra 'otel': python -m pip install 'altcraft-balance[otel]'"
        )
