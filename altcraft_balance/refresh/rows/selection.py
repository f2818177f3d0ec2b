"""A part of a source, as a source: its first rows, or an even sample of them."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import count, islice
from typing import Any, Final, cast

from attrs import evolve

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.port import BadRow, Cells, Rows, RowSource, SourceInfo

__all__ = ["FirstRows", "Sample", "selected"]

#: 2**32 divided by the golden ratio: its multiples are spread evenly (Knuth, TAOCP 6.4).
_SPREAD: Final = 2_654_435_769
_SPAN: Final = 1 << 32


class _Part:
    """A part of `source`: what it does not have itself, the source has."""

    def __init__(self, source: RowSource) -> None:
        self._source = source
        if inspect.iscoroutinefunction(source.describe):
            self.__dict__["describe"] = self._awaited

    def describe(self) -> SourceInfo:
        """What this part of the source has."""
        return self.part_of(cast(SourceInfo, self._source.describe()))

    @abstractmethod
    def part_of(self, info: SourceInfo) -> SourceInfo:
        """The same of a source with this `info`."""

    async def _awaited(self) -> SourceInfo:
        return self.part_of(await cast(Awaitable[SourceInfo], self._source.describe()))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


class FirstRows(_Part):
    """The first `limit` rows of `source`."""

    def __init__(self, source: RowSource, limit: int) -> None:
        super().__init__(source)
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise ConfigurationError("limit must be a whole number of rows, from 1")
        self._limit = limit

    def part_of(self, info: SourceInfo) -> SourceInfo:
        """As the source's, with as many rows at most."""
        return evolve(
            info,
            fingerprint=f"{info.fingerprint}, first {self._limit}",
            total=self._limit if info.total is None else min(info.total, self._limit),
            total_is_exact=info.total_is_exact and info.total is not None,
        )

    def rows(self, skip: int) -> Rows:
        """Those of the first rows that follow the first `skip`."""
        return _first(self._source.rows(skip), max(self._limit - skip, 0))


class Sample(_Part):
    """About the `share` (from 0 to 1) of the rows of `source`, spread evenly, always the same."""

    def __init__(self, source: RowSource, share: float) -> None:
        super().__init__(source)
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            raise ConfigurationError("sample must be a share above 0 and up to 1, such as 0.01")
        self._share = share

    def part_of(self, info: SourceInfo) -> SourceInfo:
        """As the source's, with about so many rows."""
        total = info.total
        if total is not None and info.total_is_exact and total <= 1_000_000:
            total = sum(map(self._has, range(total)))
        elif total is not None:
            total = round(total * self._share)
        return evolve(
            info,
            fingerprint=f"{info.fingerprint}, {self._share!r} of all",
            total=total,
            total_is_exact=info.total_is_exact and (info.total or 0) <= 1_000_000,
        )

    def rows(self, skip: int) -> Rows:
        """The rows of the sample that follow its first `skip`."""
        return _sampled(self._source.rows(0), self._has, skip)

    def _has(self, number: int) -> bool:
        return (number * _SPREAD) % _SPAN < self._share * _SPAN


def selected(source: RowSource, *, limit: int | None, sample: float | None) -> RowSource:
    """The part of `source` that is asked for: of its first `limit` rows the share `sample`."""
    if limit is not None:
        source = FirstRows(source, limit)
    return source if sample is None else Sample(source, sample)


def _first(rows: Rows, limit: int) -> Rows:
    return _async_first(rows, limit) if isinstance(rows, AsyncIterable) else islice(rows, limit)


async def _async_first(
    rows: AsyncIterable[Cells | BadRow], limit: int
) -> AsyncIterator[Cells | BadRow]:
    left = limit
    if not left:
        return
    async with _closing(rows):
        async for row in rows:
            yield row
            left -= 1
            if not left:
                return


def _sampled(rows: Rows, has: Callable[[int], bool], skip: int) -> Rows:
    if isinstance(rows, AsyncIterable):
        return _async_sampled(rows, has, skip)
    return islice(_plain_sampled(rows, has), skip, None)


def _plain_sampled(
    rows: Iterable[Cells | BadRow], has: Callable[[int], bool]
) -> Iterator[Cells | BadRow]:
    return (row for number, row in zip(count(), rows, strict=False) if has(number))


async def _async_sampled(
    rows: AsyncIterable[Cells | BadRow], has: Callable[[int], bool], skip: int
) -> AsyncIterator[Cells | BadRow]:
    number = taken = 0
    async with _closing(rows):
        async for row in rows:
            if has(number):
                taken += 1
                if taken > skip:
                    yield row
            number += 1


@asynccontextmanager
async def _closing(rows: AsyncIterable[Cells | BadRow]) -> AsyncIterator[None]:
    """At its end `rows` are closed: a query's connection would stay open as long as they do."""
    try:
        yield
    finally:
        if (close := getattr(rows, "aclose", None)) is not None:
            await close()
