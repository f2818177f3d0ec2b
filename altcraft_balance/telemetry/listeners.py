"""Whoever listens to a client: one or several, none of whom may break a lookup."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.telemetry.events import Event, Listener

__all__ = [
    "CarriesHeaders",
    "Listeners",
    "ReadsFigures",
    "deaf_to_errors",
    "headers_of",
    "listeners_of",
    "show_figures",
    "speaker",
]

Listeners: TypeAlias = Listener | Iterable[Listener]


@runtime_checkable
class CarriesHeaders(Protocol):
    """A listener that gives each request headers of its own, such as ``traceparent``."""

    def headers(self, lookup: int) -> Mapping[str, str]:
        """The headers of the next request of that lookup; none that the client sets itself."""
        ...


@runtime_checkable
class ReadsFigures(Protocol):
    """A listener that also wants the client's figures."""

    def reads(self, stats: Callable[[], Any]) -> None:
        """A client opens, and `stats` gives its `ClientStats`, from any thread.

        Raises:
            ConfigurationError: it listens to another client already.
        """


def listeners_of(on_event: Listeners | None) -> Sequence[Listener]:
    """All that were given.

    Raises:
        ConfigurationError: one of them cannot be called.
    """
    given = () if on_event is None else (on_event,) if callable(on_event) else on_event
    if not isinstance(given, Iterable) or not all(map(callable, listeners := (*given,))):
        raise ConfigurationError(
            "on_event must be a callable that takes an event, or a list of such callables"
        )
    return listeners


def speaker(listeners: Sequence[Listener]) -> Callable[[Event], None] | None:
    """Tells an event to all of them; None when nobody listens, and no event need be made."""
    deaf = [deaf_to_errors(listener) for listener in listeners]
    if len(deaf) < 2:
        return deaf[0] if deaf else None

    def tell(event: Event) -> None:
        for listener in deaf:
            listener(event)

    return tell


def headers_of(listeners: Sequence[Listener]) -> Callable[[int], Mapping[str, str]] | None:
    """Gives a request the headers of those listeners that have some; None when none has."""
    given: Sequence[Any] = listeners
    takers = [_taker(one) for one in given if isinstance(one, CarriesHeaders)]
    if not takers:
        return None

    def headers(lookup: int) -> Mapping[str, str]:
        carried: dict[str, str] = {}
        for take in takers:
            take((lookup, carried))
        return carried

    return headers


def _taker(carrier: CarriesHeaders) -> Callable[[tuple[int, dict[str, str]]], None]:
    """Puts the carrier's headers of a lookup beside those that are carried already."""

    def take(asked: tuple[int, dict[str, str]]) -> None:
        lookup, carried = asked
        carried.update(carrier.headers(lookup))

    return deaf_to_errors(take, "headers of the")  # type: ignore[no-any-return]


def show_figures(listeners: Sequence[Listener], stats: Callable[[], Any]) -> None:
    """Hand the client's figures to those who want them."""
    given: Sequence[Any] = listeners
    for listener in given:
        if isinstance(listener, ReadsFigures):
            listener.reads(stats)


def deaf_to_errors(listener: Callable[[Any], object], name: str = "on_event") -> Any:
    """`listener`, whose exceptions are logged once and then ignored: it may not break a lookup."""
    complained = False

    def tell(event: Any) -> None:
        nonlocal complained
        try:
            listener(event)
        except Exception as error:  # noqa: BLE001 - whatever it raises, the lookup goes on
            if not complained:
                complained = True
                logging.getLogger("altcraft_balance").error(
                    "the %s listener raised %s; further errors of it are not logged",
                    name,
                    type(error).__name__,
                )

    return tell
