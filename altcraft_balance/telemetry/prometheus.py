"""The table of metrics for Prometheus; extra ``[prometheus]``.

    metrics = PrometheusMetrics()
    async with BalanceClient.from_env(on_event=metrics) as client: ...

Figures are read when Prometheus asks, so that a lookup pays for two histograms only. They are a
process's own: `prometheus_client`'s files for several processes do not hold them, so let each
worker be scraped at a port of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.telemetry.events import Event
from altcraft_balance.telemetry.metrics import BOUNDS_S, DURATIONS, FIGURES, Buckets, Figure, Meter

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

__all__ = ["PrometheusMetrics"]

_PREFIX: Final = "altcraft_balance"
_UNITS: Final = {"s": "_seconds", "1": ""}


class PrometheusMetrics:
    """Give it to one client as ``on_event``.

    Args:
        client: the value of the label ``client``, by which several of a process are told apart.
        registry: where the metrics are shown; by default `prometheus_client.REGISTRY`.

    Raises:
        ConfigurationError: the extra is missing, or the registry has a client of that name.
    """

    def __init__(
        self, client: str = "default", *, registry: CollectorRegistry | None = None
    ) -> None:
        collector = _collector_of(_registry() if registry is None else registry)
        if client in collector.meters:
            raise ConfigurationError(
                f"this registry has metrics of a client {client!r}: give each a name of its own"
            )
        self._meter = collector.meters[client] = Meter()
        self._meters, self._client = collector.meters, client

    def reads(self, stats: Callable[[], Any]) -> None:
        """The client opens, and these are its figures."""
        self._meter.reads(stats)

    def __call__(self, event: Event) -> None:
        """Count `event`."""
        self._meter(event)

    def remove(self) -> None:
        """Show this client's metrics no more."""
        if self._meters.get(self._client) is self._meter:
            del self._meters[self._client]


class _Collector:
    """All clients of one registry: a family of metrics may stand there once."""

    def __init__(self) -> None:
        self.meters: dict[str, Meter] = {}

    def collect(self) -> Iterator[Metric]:
        yield from self._durations()
        yield from self._figures()

    def _durations(self) -> Iterator[Metric]:
        from prometheus_client.core import HistogramMetricFamily

        for number, duration in enumerate(DURATIONS):
            name, labels = _named(duration.name, "s"), ("client", *duration.labels)
            family = HistogramMetricFamily(name, duration.says, labels=labels)
            for client, meter in list(self.meters.items()):
                for values, buckets in meter.timed(number):
                    family.add_metric([client, *values], _cumulated(buckets), buckets.total_s)
            yield family

    def _figures(self) -> Iterator[Metric]:
        read = {client: meter.figures() for client, meter in list(self.meters.items())}
        for figure in FIGURES:
            family = _family(figure)
            for client, figures in read.items():
                for values, value in figures.get(figure.name, {}).items():
                    family.add_metric([client, *values], value)
            yield family


def _family(figure: Figure) -> Any:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    kind = CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily
    labels = ("client", *figure.labels)
    return kind(_named(figure.name, figure.unit), figure.says, labels=labels)


def _named(name: str, unit: str) -> str:
    return f"{_PREFIX}_{name.replace('.', '_')}{_UNITS[unit]}"


def _cumulated(buckets: Buckets) -> list[tuple[str, float]]:
    bounds = [*map(str, BOUNDS_S), "+Inf"]
    return list(zip(bounds, map(float, accumulate(buckets.counts)), strict=True))


_COLLECTORS: Final[WeakKeyDictionary[CollectorRegistry, _Collector]] = WeakKeyDictionary()


def _collector_of(registry: CollectorRegistry) -> _Collector:
    if registry not in _COLLECTORS:
        collector = _COLLECTORS[registry] = _Collector()
        registry.register(collector)
    return _COLLECTORS[registry]


def _registry() -> CollectorRegistry:
    if find_spec("prometheus_client") is None:
        raise ConfigurationError(
            "metrics for Prometheus need the extra 'prometheus': "
            "python -m pip install 'altcraft-balance[prometheus]'"
        )
    from prometheus_client import REGISTRY

    return REGISTRY
