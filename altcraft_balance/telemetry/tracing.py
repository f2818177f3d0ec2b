"""Spans of OpenTelemetry; extra ``[otel]``.

    async with BalanceClient.from_env(on_event=Tracing()) as client: ...

One client span a lookup, below the span in which it was called; each request and each wait is an
event on it. Names are those of OpenTelemetry's semantic conventions for HTTP where they have one,
and begin with ``altcraft_balance`` elsewhere. No attribute has a token or a member's address.
"""

from __future__ import annotations

import os
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
from altcraft_balance.urls import ENDPOINT, endpoint_url

if TYPE_CHECKING:
    from opentelemetry.trace import Span, TracerProvider

__all__ = ["SPAN", "Tracing", "check_extra"]

_OURS: Final = "altcraft_balance"
_PATH: Final = f"/{ENDPOINT}"
#: What every lookup's span is called.
SPAN: Final = f"POST {_PATH}"
_REQUEST, _WAIT = f"{_OURS}.request", f"{_OURS}.wait"
_ELAPSED, _FREE = f"{_OURS}.elapsed_s", f"{_OURS}.free_repeat"
_REASON, _WAIT_S = f"{_OURS}.reason", f"{_OURS}.wait_s"
_REF, _CODE = f"{_OURS}.member_ref", f"{_OURS}.code"
_STATUS, _ERROR, _RESENT = "http.response.status_code", "error.type", "http.request.resend_count"
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
        self._begin = trace.get_tracer(_OURS, tracer_provider=tracer_provider).start_span
        self._inject = TraceContextTextMapPropagator().inject
        self._open: dict[int, _Lookup] = {}
        self._where: dict[str, Any] = {}
        self._taken_in: int | None = None
        #: The ``traceparent`` of a lookup's request; None where it is not to be sent.
        self.headers = self._headers if propagate else None
        self._hears: dict[type, Callable[[Any], None]] = {
            Opened: self._opened,
            LookupStarted: self._started,
            AttemptEnded: self._asked,
            Waited: self._waited,
            LookupEnded: self._ended,
            LookupCancelled: self._cancelled,
        }

    def reads(self, _: Callable[[], Any]) -> None:
        """The client opens.

        Raises:
            ConfigurationError: another client was opened before: their lookups have one number.
        """
        if self._taken_in == os.getpid():
            raise ConfigurationError("a Tracing is one client's: make a new one for each client")
        self._taken_in = os.getpid()
        self._open.clear()  # in a fork's child, the parent's

    def _headers(self, lookup: int) -> Mapping[str, str]:
        carried: dict[str, str] = {}
        if (known := self._open.get(lookup)) is not None:
            self._inject(carried, context=self._trace.set_span_in_context(known.span))
        return carried

    def __call__(self, event: Event) -> None:
        """Begin a span, add to it, or end it."""
        hears = self._hears.get(type(event))
        if hears is not None:
            hears(event)

    def _opened(self, event: Opened) -> None:
        self._where = _where(event.base_url)

    def _started(self, event: LookupStarted) -> None:
        attributes = self._where
        if event.member_ref is not None:
            attributes = {**attributes, _REF: event.member_ref}
        span = self._begin(SPAN, kind=self._trace.SpanKind.CLIENT, attributes=attributes)
        self._open[event.lookup] = _Lookup(span, span.is_recording())

    def _asked(self, event: AttemptEnded) -> None:
        known = self._open.get(event.lookup)
        if known is None or not known.is_recording:
            return
        told: dict[str, Any] = {_ELAPSED: event.elapsed_s}
        if event.free_repeat:
            told[_FREE] = True
        if event.status is not None:
            known.status = told[_STATUS] = event.status
        if event.kind is not None:
            told[_ERROR] = event.kind
        known.span.add_event(_REQUEST, told)

    def _waited(self, event: Waited) -> None:
        known = self._open.get(event.lookup)
        if known is not None and known.is_recording:
            known.span.add_event(_WAIT, {_REASON: event.reason, _WAIT_S: event.wait_s})

    def _ended(self, event: LookupEnded) -> None:
        self._end(event.lookup, event.requests, event.kind, event.code)

    def _cancelled(self, event: LookupCancelled) -> None:
        self._end(event.lookup, event.requests, "cancelled", None)

    def _end(self, lookup: int, requests: int, error: str | None, code: int | None) -> None:
        known = self._open.pop(lookup, None)
        if known is None:
            return
        if known.is_recording:
            # The conventions have a first request bear no count.
            told: dict[str, Any] = {_RESENT: requests - 1} if requests > 1 else {}
            if known.status is not None:
                told[_STATUS] = known.status
            if error is not None:
                told[_ERROR] = error
                if error not in _ANSWERS:
                    known.span.set_status(self._trace.StatusCode.ERROR, error)
            if code is not None:
                told[_CODE] = code
            known.span.set_attributes(told)
        known.span.end()


class _Lookup:
    """One that is under way: its span, and the last reply's status."""

    __slots__ = ("is_recording", "span", "status")

    def __init__(self, span: Span, is_recording: bool) -> None:
        self.span, self.is_recording = span, is_recording
        self.status: int | None = None


def _where(base_url: str) -> dict[str, Any]:
    parts = urlsplit(base_url)
    return {
        "http.request.method": "POST",
        "server.address": parts.hostname or "",
        "server.port": parts.port or (443 if parts.scheme == "https" else 80),
        "url.full": endpoint_url(base_url, allow_http=True),
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
