"""The one table of metrics, read back from Prometheus' text and OpenTelemetry's reader."""

import asyncio
import re
import subprocess
import sys
import threading

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.telemetry.metrics import DURATIONS, FIGURES
from tests.fast import fast_environment
from tests.session.fakes import Slow, Wire, make_client, member, opened, settle
from tests.telemetry.story import REQUESTS, RESULTS, RETRIES, live_through


@pytest.fixture
def registry():
    return pytest.importorskip("prometheus_client").CollectorRegistry()


def text_of(registry):
    from prometheus_client import generate_latest

    return generate_latest(registry).decode()


def samples(registry):
    """Each sample of the text: its name with its labels in the order of their names, and value."""
    from prometheus_client.parser import text_string_to_metric_families

    return {
        (one.name, *(f"{key}={value}" for key, value in sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text_of(registry))
        for one in family.samples
    }


async def told_of_a_run(wire, reader):
    async with opened(wire, on_event=reader) as client:
        await live_through(wire, client)


LATER = """
import asyncio
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from altcraft_balance import BalanceClient, ByEmail, ConfigurationError
from altcraft_balance.telemetry.otel_metrics import OtelMetrics
from altcraft_balance.testing import ScriptedTransport, answers

async def ask(listener):
    told = {"token": "t", "loyalty_program_id": 1, "transport": ScriptedTransport(answers(1))}
    async with BalanceClient("http://127.0.0.1", **told, on_event=listener) as client:
        await client.get_balance(ByEmail("user@example.com"))

early, memory = OtelMetrics("a"), InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([memory], shutdown_on_exit=False))
late = OtelMetrics("b")
for listener in (early, late):
    asyncio.run(ask(listener))
[resource] = memory.get_metrics_data().resource_metrics
points = {one.name: one.data.data_points for one in resource.scope_metrics[0].metrics}
seen = sorted(one.attributes["client"] for one in points["altcraft_balance.requests"])
try:
    OtelMetrics("a")
except ConfigurationError:
    print(seen, "refused")
"""


async def test_prometheus_has_every_figure_of_a_run(wire, registry):
    """By name, labels and value, as its own text says it."""
    from altcraft_balance.telemetry.prometheus import PrometheusMetrics

    await told_of_a_run(wire, PrometheusMetrics("shop", registry=registry))
    seen = samples(registry)

    def value(name, *labels):
        return seen["altcraft_balance_" + name, *sorted(["client=shop", *labels])]

    for result, count in RESULTS.items():
        assert value("lookups_total", f"result={result}") == count
        assert value("lookup_duration_seconds_count", f"result={result}") == count
    for kind, count in RETRIES.items():
        assert value("retries_total", f"error={kind}") == count
    assert value("requests_total") == REQUESTS
    assert value("throttled_total") == value("free_repeats_total") == 1
    assert value("request_duration_seconds_count", "status=200", "error=none") == 4
    assert value("request_duration_seconds_count", "status=none", "error=connection_failed") == 2
    failed = ("status=500", "error=http_status")
    assert value("request_duration_seconds_sum", *failed) == 0.25
    assert value("request_duration_seconds_bucket", *failed, "le=0.1") == 0
    assert value("request_duration_seconds_bucket", *failed, "le=0.25") == 1
    assert value("waited_seconds_total", "reason=gate") == pytest.approx(2.1, abs=0.01)
    assert value("breaker", "state=closed") == 1
    assert value("in_progress") == value("in_flight") == 0
    assert value("width") == 4
    assert value("rate") == 10  # found after the 429


async def test_gauges_are_read_while_lookups_wait(wire, registry):
    """The queue by what is waited for, and what is on the way."""
    from altcraft_balance.telemetry.prometheus import PrometheusMetrics

    wire.script.extend([Slow(1)] * 3)
    reader = PrometheusMetrics(registry=registry)
    async with opened(wire, on_event=reader, concurrency=1) as client:
        calls = [asyncio.create_task(client.get_balance(member(n))) for n in range(3)]
        await settle()
        seen = samples(registry)
        await asyncio.wait(calls)
    ours = "client=default"
    assert seen["altcraft_balance_waiting", ours, "reason=slot"] == 2
    assert seen["altcraft_balance_in_flight", ours] == 1
    assert seen["altcraft_balance_in_progress", ours] == 3


async def test_several_clients_share_a_registry(wire, registry):
    """Each under its name, each family once."""
    from altcraft_balance.telemetry.prometheus import PrometheusMetrics

    shop, mail = (PrometheusMetrics(name, registry=registry) for name in ("shop", "mail"))
    async with opened(wire, on_event=shop) as one, opened(wire, on_event=mail):
        await one.get_balance(member(0))
    seen = samples(registry)
    assert seen["altcraft_balance_requests_total", "client=shop"] == 1
    assert seen["altcraft_balance_requests_total", "client=mail"] == 0
    assert text_of(registry).count("# TYPE altcraft_balance_requests_total ") == 1
    with pytest.raises(ConfigurationError, match="give each a name of its own"):
        PrometheusMetrics("shop", registry=registry)
    shop.remove()
    assert "shop" not in text_of(registry)
    PrometheusMetrics("shop", registry=registry)


async def test_figures_may_be_read_from_another_thread(wire, registry):
    """As Prometheus' own server does, while lookups come and go."""
    from altcraft_balance.telemetry.prometheus import PrometheusMetrics

    failed, enough = [], threading.Event()

    def scrape():
        while not enough.is_set():
            try:
                text_of(registry)
            except Exception as error:
                failed.append(error)

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        async with opened(wire, on_event=PrometheusMetrics(registry=registry)) as client:
            for _ in range(20):
                await client.get_balances([member(number) for number in range(200)])
    finally:
        enough.set()
        thread.join()
    assert failed == []


async def test_a_meter_is_one_clients(wire, registry):
    """The second is refused when it opens, with what to do."""
    from altcraft_balance.telemetry.prometheus import PrometheusMetrics

    reader = PrometheusMetrics(registry=registry)
    async with opened(wire, on_event=reader):
        pass
    with pytest.raises(ConfigurationError, match="make new ones for each client"):
        await make_client(wire, on_event=reader).open()


async def test_opentelemetry_has_the_same_figures(wire):
    """By its own names, from its in-memory reader."""
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    from altcraft_balance.telemetry.otel_metrics import OtelMetrics

    memory = InMemoryMetricReader()
    provider = MeterProvider([memory])
    await told_of_a_run(wire, OtelMetrics("shop", meter_provider=provider))
    [resource] = memory.get_metrics_data().resource_metrics
    [scope] = resource.scope_metrics
    assert scope.scope.name == "altcraft_balance"
    seen, units = {}, {}
    for metric in scope.metrics:
        units[metric.name] = metric.unit
        for point in metric.data.data_points:
            labels = dict(point.attributes)
            assert labels.pop("client") == "shop"
            value = point.value if hasattr(point, "value") else (point.count, point.sum)
            seen[metric.name, *sorted(labels.values())] = value
    provider.shutdown()
    for result, count in RESULTS.items():
        assert seen["altcraft_balance.lookups", result] == count
        assert seen["altcraft_balance.lookup.duration", result][0] == count
    for kind, count in RETRIES.items():
        assert seen["altcraft_balance.retries", kind] == count
    assert seen["altcraft_balance.requests",] == REQUESTS
    assert seen["altcraft_balance.request.duration", "500", "http_status"] == (1, 0.25)
    assert seen["altcraft_balance.waited", "gate"] == pytest.approx(2.1, abs=0.01)
    assert seen["altcraft_balance.breaker", "closed"] == 1
    assert {name.removeprefix("altcraft_balance.") for name in units} == {
        one.name for one in (*DURATIONS, *FIGURES) if one.name != "waiting"
    }
    assert units["altcraft_balance.waited"] == "s"


async def test_several_clients_share_a_provider(wire):
    """Each under its name, at once and one after another; no figure that is none is given."""
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    from altcraft_balance.telemetry.otel_metrics import OtelMetrics

    def requests():
        [resource] = memory.get_metrics_data().resource_metrics
        points = {one.name: one.data.data_points for one in resource.scope_metrics[0].metrics}
        assert not points.get("altcraft_balance.rate")
        return {one.attributes["client"]: one.value for one in points["altcraft_balance.requests"]}

    memory = InMemoryMetricReader()
    provider = MeterProvider([memory])
    shop, mail = (OtelMetrics(name, meter_provider=provider) for name in ("shop", "mail"))
    async with opened(wire, on_event=shop) as one, opened(wire, on_event=mail) as two:
        for client in (one, one, two):
            await client.get_balance(member(0))
    assert requests() == {"shop": 2, "mail": 1}
    with pytest.raises(ConfigurationError, match="give each a name of its own"):
        OtelMetrics("shop", meter_provider=provider)
    shop.remove()
    anew = OtelMetrics("shop", meter_provider=provider)
    async with opened(Wire(), on_event=anew) as one:
        await one.get_balance(member(0))
    assert requests() == {"shop": 1, "mail": 1}
    shop.remove()  # and not the one that has its name now
    assert requests() == {"shop": 1, "mail": 1}
    provider.shutdown()


def test_the_programs_own_provider_may_come_later():
    """What was made before is read with what is made afterwards, and by the same names."""
    pytest.importorskip("opentelemetry.sdk")
    ended = subprocess.run(
        [sys.executable, "-c", LATER],
        capture_output=True,
        text=True,
        check=False,
        env=fast_environment(),
    )
    assert ended.stdout == "['a', 'b'] refused\n", ended.stderr


@pytest.mark.parametrize(
    ("missing", "asks", "extra"),
    [
        ("prometheus_client", "prometheus import PrometheusMetrics as R", "prometheus"),
        ("opentelemetry", "tracing import Tracing as R", "otel"),
        ("opentelemetry", "otel_metrics import OtelMetrics as R", "otel"),
    ],
)
def test_without_the_extra_it_is_named(missing, asks, extra):
    """One sentence, with the command."""
    program = (
        "import sys, importlib.util as util; find = util.find_spec\n"
        f"util.find_spec = lambda name, *_: None if name == {missing!r} else find(name)\n"
        f"from altcraft_balance.telemetry.{asks}\n"
        "try: R()\nexcept ValueError as error: print(error)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    pattern = rf".* extra '{extra}': python -m pip install 'altcraft-balance\[{extra}\]'\n"
    assert re.fullmatch(pattern, ended.stdout), ended.stderr
