"""What it costs to be listened to: CPU per lookup, over the same client with nobody listening.

The transport answers from memory, so that what is measured is ours. Rounds are interleaved; the
figures are medians of thread CPU time, with quartiles. What `logging` and OpenTelemetry take for
the calls of one lookup is measured by making them beside a client to whom nobody listens.

    python benchmarks/telemetry.py [--lookups 5000] [--rounds 15]
"""

import argparse
import asyncio
import json
import logging
import statistics
import time

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind
from prometheus_client import CollectorRegistry

from altcraft_balance.client import BalanceClient
from altcraft_balance.models import ByEmail
from altcraft_balance.telemetry.logs import log_events
from altcraft_balance.telemetry.otel_metrics import OtelMetrics
from altcraft_balance.telemetry.prometheus import PrometheusMetrics
from altcraft_balance.telemetry.tracing import SPAN, Tracing
from benchmarks.overhead import Memory, calls

LOGGER = logging.getLogger("altcraft_balance")
TRACES = TracerProvider(shutdown_on_exit=False)


def meters():
    return MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)


class Written(logging.Handler):
    """Formats a record and lets it go."""

    def emit(self, record):
        self.format(record)


def quiet():
    LOGGER.setLevel(logging.WARNING)
    return log_events


def loud():
    LOGGER.setLevel(logging.DEBUG)
    return log_events


READERS = {
    "nobody": lambda: None,
    "logging, at WARNING": quiet,
    "logging, at DEBUG": loud,
    "Prometheus": lambda: PrometheusMetrics(registry=CollectorRegistry()),
    "OpenTelemetry, spans": lambda: Tracing(TRACES),
    "OpenTelemetry, metrics": lambda: OtelMetrics(meter_provider=meters()),
}


async def cpu_us(name, members):
    """Microseconds of CPU per lookup."""
    told = {"token": "token", "loyalty_program_id": 123, "transport": Memory()}
    reader = READERS.get(name, READERS["nobody"])()
    beside = SDK.get(name)
    async with BalanceClient("http://127.0.0.1:1", **told, on_event=reader) as client:
        began = time.thread_time()
        if beside is None:
            await calls(client, members)
        else:
            for member in members:
                await client.get_balance(member)
                beside()
        return (time.thread_time() - began) / len(members) * 1e6


TRACER = TRACES.get_tracer("bare")
HISTOGRAM = meters().get_meter("bare").create_histogram("bare", unit="s")
BEGUN = {"http.request.method": "POST", "server.address": "a", "server.port": 1}
BEGUN |= {"url.full": "u", "url.template": "t"}


def bare_span():
    """The SDK's calls of one lookup."""
    span = TRACER.start_span(SPAN, kind=SpanKind.CLIENT, attributes=BEGUN)
    span.is_recording()
    span.add_event("request", {"elapsed_s": 0.1, "http.response.status_code": 200})
    span.set_attributes({"http.request.resend_count": 0, "http.response.status_code": 200})
    span.end()


def bare_metrics():
    HISTOGRAM.record(0.1, {"client": "default", "result": "found"})
    HISTOGRAM.record(0.1, {"client": "default", "status": "200", "error": "none"})


def bare_records():
    """The standard library's calls of one lookup: begun, a request, ended."""
    LOGGER.setLevel(logging.DEBUG)
    for words in ("lookup %(a)d: begun", "lookup %(a)d: a request", "lookup %(a)d: found"):
        values = {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}
        LOGGER.log(logging.DEBUG, words, values, extra=values)


#: The libraries' own calls, made beside a client to whom nobody listens.
SDK = {
    "logging, at DEBUG, bare": bare_records,
    "OpenTelemetry, spans, bare": bare_span,
    "OpenTelemetry, metrics, bare": bare_metrics,
}


async def measure(lookups, rounds):
    members = [ByEmail(f"member{number}@example.com") for number in range(lookups)]
    names = [*READERS, *SDK]
    took = {name: [] for name in names}
    for number in range(rounds + 1):
        for name in names[:: 1 if number % 2 else -1]:
            took[name].append(await cpu_us(name, members))
    return {name: all_of[1:] for name, all_of in took.items()}  # the first round warms up


def table_of(took):
    """Of each reader what it takes more, and how much of that is the library's that is called."""
    rows = {}
    for name in READERS:
        base, bare = took["nobody"], took.get(f"{name}, bare", took["nobody"])
        more = [one - other for one, other in zip(took[name], base, strict=True)]
        ours = [one - other for one, other in zip(took[name], bare, strict=True)]
        rows[name] = {
            "us": statistics.median(took[name]),
            "more_us": statistics.median(more),
            "sdk_us": statistics.median(bare) - statistics.median(base),
            "ours_us": statistics.median(ours),
            "quartiles_us": statistics.quantiles(ours, n=4)[::2],
            "least_ours_us": min(took[name]) - min(bare),
        }
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lookups", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    LOGGER.addHandler(Written())
    LOGGER.propagate = False
    rows = table_of(asyncio.run(measure(asked.lookups, asked.rounds)))
    if asked.json:
        print(json.dumps(rows))
        return
    print(
        f"{'who listens':<24} {'a lookup':>10} {'more':>9} {'the SDK':>9} {'ours':>9}   quartiles"
    )
    for name, row in rows.items():
        low, high = row["quartiles_us"]
        print(
            f"{name:<24} {row['us']:>6.1f} µs {row['more_us']:>6.1f} µs {row['sdk_us']:>6.1f} µs "
            f"{row['ours_us']:>6.1f} µs   {low:.1f} to {high:.1f} µs"
        )


if __name__ == "__main__":
    main()
