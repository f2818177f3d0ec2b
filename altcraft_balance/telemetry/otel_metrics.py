"""The table of metrics for OpenTelemetry; extra ``[otel]``.

    async with BalanceClient.from_env(on_event=[Tracing(), OtelMetrics()]) as client: ...

Names are those of `telemetry.metrics` below ``altcraft_balance``, with dots. Counters and gauges
are read when the SDK asks for them; a lookup pays for its histograms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from altcraft_balance.telemetry.events import Event
from altcraft_balance.telemetry.metrics import (
    BOUNDS_S,
    DURATIONS,
    FIGURES,
    TIMED,
    Figure,
    Meter,
    labels_of,
)
from altcraft_balance.telemetry.tracing import check_extra

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

__all__ = ["OtelMetrics"]

_OURS: Final = "altcraft_balance"


class OtelMetrics:
    """Give it to one client as ``on_event``.

    Args:
        client: the attribute ``client`` of all of them, by which several are told apart.
        meter_provider: whose meter is used; by default the program's own.

    Raises:
        ConfigurationError: the extra is missing.
    """

    def __init__(
        self, client: str = "default", *, meter_provider: MeterProvider | None = None
    ) -> None:
        check_extra("metrics of OpenTelemetry")
        from opentelemetry import metrics

        self._client, self._meter = {"client": client}, Meter()
        #: By the values of the labels, of which lookups and requests have different numbers.
        self._labels: dict[tuple[str, ...], dict[str, str]] = {}
        meter = metrics.get_meter(_OURS, meter_provider=meter_provider)
        self._record = [
            meter.create_histogram(
                f"{_OURS}.{one.name}",
                unit="s",
                description=one.says,
                explicit_bucket_boundaries_advisory=BOUNDS_S,
            ).record
            for one in DURATIONS
        ]
        for figure in FIGURES:
            counts = figure.kind == "counter"
            make = meter.create_observable_counter if counts else meter.create_observable_gauge
            make(
                f"{_OURS}.{figure.name}",
                callbacks=[self._reader(figure)],
                unit=figure.unit,
                description=figure.says,
            )

    def reads(self, stats: Callable[[], Any]) -> None:
        """The client opens, and these are its figures."""
        self._meter.reads(stats)

    def __call__(self, event: Event) -> None:
        """Count `event`."""
        if isinstance(event, TIMED):
            number, values = labels_of(event)
            labels = self._labels.get(values)
            if labels is None:
                names = DURATIONS[number].labels
                labels = {**self._client, **dict(zip(names, values, strict=True))}
                self._labels[values] = labels
            self._record[number](event.elapsed_s, labels)
        else:
            self._meter(event)

    def _reader(self, figure: Figure) -> Callable[[CallbackOptions], Iterable[Observation]]:
        from opentelemetry.metrics import Observation

        def read(_: CallbackOptions) -> Iterable[Observation]:
            for values, value in self._meter.values_of(figure).items():
                names = dict(zip(figure.labels, values, strict=True))
                yield Observation(value, {**self._client, **names})

        return read
