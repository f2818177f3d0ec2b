"""Spans, read back from OpenTelemetry's in-memory exporter."""

import re

import pytest

pytest.importorskip("opentelemetry.sdk", reason="the extra otel and OpenTelemetry's SDK")
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.telemetry.tracing import Tracing
from tests.session.fakes import make_client, member, members, opened
from tests.telemetry.story import live_through

PATH = "/api/v1.1/loyalty/account/balance"


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider
    provider.shutdown()


async def spans_of_a_run(wire, provider, exporter, **settings):
    async with opened(wire, on_event=Tracing(provider), **settings) as client:
        await live_through(wire, client)
    return exporter.get_finished_spans()


def events_of(span):
    """What happened in it, in short."""
    told = []
    for event in span.events:
        values = dict(event.attributes)
        what = event.name.removeprefix("altcraft_balance.")
        if what == "wait":
            told.append((what, values["altcraft_balance.reason"]))
        else:
            told.append((what, values.get("http.response.status_code"), values.get("error.type")))
    return told


async def test_each_lookup_is_a_client_span(wire, provider, exporter):
    """Where it asked, how it ended, how often; by the names of the HTTP conventions."""
    spans = await spans_of_a_run(wire, provider, exporter)
    assert {span.name for span in spans} == {f"POST {PATH}"}
    assert {span.kind for span in spans} == {SpanKind.CLIENT}
    assert dict(spans[0].attributes) == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "server.address": "altcraft.example",
        "server.port": 443,
        "url.full": f"https://altcraft.example{PATH}",
        "url.template": PATH,
    }
    ended = [
        (
            span.attributes.get("http.request.resend_count", 0),
            span.attributes.get("http.response.status_code"),
            span.attributes.get("error.type"),
            span.attributes.get("altcraft_balance.code"),
            span.status.status_code,
        )
        for span in spans
    ]
    fine, wrong = StatusCode.UNSET, StatusCode.ERROR
    assert ended == [
        (0, 200, None, None, fine),
        (1, 200, None, None, fine),
        (1, 200, None, None, fine),
        (2, 200, None, None, fine),
        (0, 200, "api_error", 440, wrong),
        (0, 404, "http_status", None, wrong),
        (0, None, "cancelled", None, wrong),
    ]


async def test_requests_and_waits_are_seen_in_order(wire, provider, exporter):
    """Each as an event of its lookup's span."""
    spans = await spans_of_a_run(wire, provider, exporter)
    good = ("request", 200, None)
    assert list(map(events_of, spans)) == [
        [good],
        [("request", 500, "http_status"), ("wait", "backoff"), good],
        [("request", 429, "rate_limited"), ("wait", "gate"), good],
        [
            ("request", None, "connection_failed"),
            ("request", None, "connection_failed"),
            ("wait", "backoff"),
            good,
        ],
        [("request", 200, "api_error")],
        [("request", 404, "http_status")],
        [],
    ]
    [wait] = [event for event in spans[2].events if event.name.endswith("wait")]
    assert wait.attributes["altcraft_balance.wait_s"] == pytest.approx(2.1, abs=0.01)


async def test_it_stands_below_the_span_in_which_it_was_called(wire, provider, exporter):
    """A web request's, or a batch's."""
    tracer = provider.get_tracer("shop")
    async with opened(wire, on_event=Tracing(provider)) as client:
        with tracer.start_as_current_span("page"):
            await client.get_balance(member(0))
        with tracer.start_as_current_span("batch"):
            await client.get_balances(members(3))
    by_id = {span.context.span_id: span.name for span in exporter.get_finished_spans()}
    parents = [
        by_id[span.parent.span_id]
        for span in exporter.get_finished_spans()
        if span.name == f"POST {PATH}"
    ]
    assert sorted(parents) == ["batch"] * 3 + ["page"]


@pytest.mark.parametrize("asked", [True, False])
async def test_the_context_travels_when_asked(wire, provider, exporter, asked):
    """As a ``traceparent`` of the lookup's own span, on each of its requests."""
    tracing = Tracing(provider, propagate=asked)
    async with opened(wire, on_event=[tracing], request_ids=True) as client:
        await live_through(wire, client)
    spans = exporter.get_finished_spans()
    carried = [sent.headers.get("traceparent") for sent in wire.sent]
    if not asked:
        assert set(carried) == {None}
        return
    ids = [re.fullmatch("00-([0-9a-f]{32})-([0-9a-f]{16})-0[13]", one).groups() for one in carried]
    contexts = {(f"{one.context.trace_id:032x}", f"{one.context.span_id:016x}") for one in spans}
    assert set(ids) == contexts
    assert all("Request-ID" in sent.headers for sent in wire.sent)


async def test_no_lookup_stays_open(wire, provider):
    """What has ended is forgotten, also what was cancelled."""
    tracing = Tracing(provider)
    async with opened(wire, on_event=tracing) as client:
        await live_through(wire, client)
    assert not tracing._open


async def test_it_is_one_clients(wire, provider):
    """Lookups are numbered by client."""
    tracing = Tracing(provider)
    async with opened(wire, on_event=tracing):
        pass
    with pytest.raises(ConfigurationError, match="make a new one for each client"):
        await make_client(wire, on_event=tracing).open()


async def test_a_member_is_followed_by_reference(wire, provider, exporter):
    """Where there is a key for it, and never by address."""
    await spans_of_a_run(wire, provider, exporter, log_key="a-log-key")
    spans = exporter.get_finished_spans()
    refs = [span.attributes["altcraft_balance.member_ref"] for span in spans]
    assert len(set(refs)) == len(spans)
    assert all(re.fullmatch("[0-9a-f]{8}", ref) for ref in refs)
    assert "member-" not in "".join(span.to_json() for span in spans)
