"""What a batch reads from: any iterable or async iterable, pulled one item at a time.

An item is a `BalanceQuery`, a matching, or, with `by`, a plain value that `by` makes one of and
that stays with it as its query's `tag`. An item that none can be made of becomes a failed outcome
and not the end of the stream.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias

from altcraft_balance.batch.begun import Begun, begin
from altcraft_balance.errors import InvalidQuery
from altcraft_balance.fields import sendable
from altcraft_balance.matchings import MATCHINGS
from altcraft_balance.models import BalanceQuery, Matching, RawMatching

__all__ = ["By", "Items", "Source", "as_query", "check_source", "made_by", "stand_in"]

By: TypeAlias = Callable[[Any], Matching]
Items: TypeAlias = Iterable[Any] | AsyncIterable[Any]


_END: Final = object()
_QUERIES: Final = (BalanceQuery, *MATCHINGS)


class Source:
    """Pulls from `items`, one puller at a time, and counts.

    Attributes:
        taken: how many it has given.
        has_waited: whether an item had to be waited for: then it is worth reading ahead.

    Raises:
        InvalidQuery: `items` is a single text or query, or cannot be iterated.
    """

    def __init__(self, items: Items) -> None:
        self._plain: Iterator[Any] | None = None
        self._async: AsyncIterator[Any] | None = None
        self._is_pulled = False
        self._begun: Begun[Any] | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.taken, self.has_waited = 0, False
        check_source(items)
        if isinstance(items, AsyncIterable):
            self._async = aiter(items)
        else:
            self._plain = iter(items)

    def take_at_once(self) -> tuple[int, Any] | None:
        """The next item, if it is at hand, and its index from 0.

        None: the source has ended, or has to be waited for, which is for `take` to do.
        """
        if self._plain is not None:
            item = next(self._plain, _END)
            if item is _END:
                self._plain = None  # an ended source is not asked again
                return None
            self.taken += 1
            return self.taken - 1, item
        if self._async is None or self._is_pulled:
            return None
        pull = begin(anext(self._async, _END))
        if isinstance(pull, Begun):
            self._begun, self._is_pulled, self.has_waited = pull, True, True
            return None
        if self._waiting:
            self._wake()
        return self._counted(pull)

    async def take(self) -> tuple[int, Any] | None:
        """The next item and its index; None at the end."""
        taken = None
        try:
            if self._begun is None:
                while self._is_pulled:
                    await self._turn()
                taken = self.take_at_once()
            if self._begun is not None:
                taken = self._counted(await self._rest())
            return taken
        finally:
            self._wake()

    async def _rest(self) -> Any:
        """The item of a pull that was begun."""
        begun, self._begun = self._begun, None
        try:
            return _END if begun is None else await begun
        finally:
            self._is_pulled = False

    @property
    def has_begun(self) -> bool:
        """Whether a pull was begun that `take` has to wait for, in the task that began it."""
        return self._begun is not None

    def give_up(self) -> None:
        """Cancel a pull that was begun and that nobody waits for."""
        if self._begun is not None:
            self._begun.cancel()

    def _counted(self, item: Any) -> tuple[int, Any] | None:
        if item is _END:
            self._async = None
            return None
        self.taken += 1
        return self.taken - 1, item

    async def _turn(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done():
                self._wake()
            raise

    def _wake(self) -> None:
        # Two, not one as a lock would: a woken puller runs a turn of the loop later, so a source
        # that has many items at hand would give one each turn. If it has none, one of them waits
        # again.
        woken = 0
        while self._waiting and woken < 2:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                woken += 1


def check_source(items: Any) -> None:
    """Refuse what is no source, with a sentence."""
    if isinstance(items, str | bytes):
        raise InvalidQuery("a single text is no source: give a list, or any other iterable")
    if not isinstance(items, AsyncIterable | Iterable):
        raise InvalidQuery(
            f"a source must be an iterable or an async iterable, not {type(items).__name__}"
        )


def as_query(item: Any, by: By | None) -> BalanceQuery:
    """The query that `item` is or stands for.

    Raises:
        InvalidQuery: it is neither, and `by` cannot make a matching of it.
    """
    if by is not None and not isinstance(item, _QUERIES):
        return BalanceQuery(made_by(by, item), tag=item)
    return item if isinstance(item, BalanceQuery) else BalanceQuery(item)


def made_by(by: By, item: Any) -> Matching:
    """The matching that `by` makes of `item`.

    Raises:
        InvalidQuery: it makes none, whatever it raises itself.
    """
    trouble = ""
    try:
        return by(item)
    except InvalidQuery:
        raise
    except Exception as error:  # noqa: BLE001 - the caller's own code may raise anything
        trouble = type(error).__name__
    raise InvalidQuery(f"'by' raised {trouble} and made no matching of this item")


def stand_in(item: Any) -> BalanceQuery:
    """A query that carries `item`, of which none could be made, so that the outcome can."""
    text = item if isinstance(item, str) and sendable(item) else _shown(item)
    return BalanceQuery(RawMatching({"matching": "invalid", "value": text}), tag=item)


def _shown(item: Any) -> str:
    try:
        return ascii(item)
    except Exception:  # noqa: BLE001 - a caller's own class may raise anything
        return f"<{type(item).__name__}>"
