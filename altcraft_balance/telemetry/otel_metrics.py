"""The table of metrics for OpenTelemetry; extra ``[otel]``.

    async with BalanceClient.from_env(on_event=[Tracing(), OtelMetrics()]) as client: ...

Names are those of `telemetry.metrics` below ``altcraft_balance``, with dots. Counters and gauges
are read when the SDK asks for them; a lookup pays for its histograms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import isfinite
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from altcraft_balance.errors import ConfigurationError
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
from altcraft_balance.version import __version__

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
    from opentelemetry.metrics import Meter as OfSdk

__all__ = ["OtelMetrics"]

_OURS: Final = "altcraft_balance"


class OtelMetrics:
    """Give it to one client as ``on_event``.

    Args:
        client: the attribute ``client`` of all of them, by which several are told apart.
        meter_provider: whose meter is used; by default the program's own.

    Raises:
        ConfigurationError: the extra is missing, or the provider has a client of that name.
    """

    def __init__(
        self, client: str = "default", *, meter_provider: MeterProvider | None = None
    ) -> None:
        check_extra("metrics of OpenTelemetry")
        instruments = _instruments_of(meter_provider)
        if client in instruments.meters:
            raise ConfigurationError(
                f"this provider has metrics of a client {client!r}: give each a name of its own"
            )
        self._client, self._name = {"client": client}, client
        self._meter = instruments.meters[client] = Meter()
        self._record, self._meters = instruments.record, instruments.meters
        #: By the values of the labels, of which lookups and requests have different numbers.
        self._labels: dict[tuple[str, ...], dict[str, str]] = {}

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

    def remove(self) -> None:
        """Show this client's counters and gauges no more."""
        if self._meters.get(self._name) is self._meter:
            del self._meters[self._name]


class _Instruments:
    """Those of one provider, for all clients: the SDK reads a second one of a name never."""

    def __init__(self, meter: OfSdk) -> None:
        self.meters: dict[str, Meter] = {}
        self.record = [
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

    def _reader(self, figure: Figure) -> Callable[[CallbackOptions], Iterable[Observation]]:
        from opentelemetry.metrics import Observation

        def read(_: CallbackOptions) -> Iterable[Observation]:
            for client, meter in list(self.meters.items()):
                for values, value in meter.values_of(figure).items():
                    if isfinite(value):  # no rate is none
                        names = dict(zip(figure.labels, values, strict=True))
                        yield Observation(value, {"client": client, **names})

        return read


class _Programs:
    """Stands for the program's own provider, which may be set after the first metrics are made."""


_PROGRAMS: Final = _Programs()
_BY_PROVIDER: Final[WeakKeyDictionary[Any, _Instruments]] = WeakKeyDictionary()


def _instruments_of(provider: MeterProvider | None) -> _Instruments:
    from opentelemetry import metrics

    key: Any = provider
    if provider is None or provider is metrics.get_meter_provider():
        meter, key = metrics.get_meter(_OURS, __version__), _PROGRAMS
    else:
        meter = provider.get_meter(_OURS, __version__)
    if key not in _BY_PROVIDER:
        _BY_PROVIDER[key] = _Instruments(meter)
    return _BY_PROVIDER[key]
