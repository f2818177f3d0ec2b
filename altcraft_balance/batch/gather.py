"""A small batch as a list: one outcome for each input, in input order, whatever happens."""

from __future__ import annotations

from collections.abc import AsyncIterable
from copy import copy
from typing import Any, Final

from altcraft_balance.batch.source import By, Items, as_query, check_source, stand_in
from altcraft_balance.batch.stream import BatchOptions, OutcomeStream
from altcraft_balance.errors import AltcraftBalanceError, InvalidQuery
from altcraft_balance.models import Failed, Outcome
from altcraft_balance.session.session import Session

__all__ = ["MAX_INPUTS", "gather_outcomes"]

MAX_INPUTS: Final = 100_000


async def gather_outcomes(session: Session, items: Items, options: BatchOptions) -> list[Outcome]:
    """Look all of `items` up; what a fatal answer kept from being sent fails with its error."""
    check_source(items)
    inputs = await _all_of(items)
    outcomes: list[Outcome | None] = [None] * len(inputs)
    fatal: AltcraftBalanceError | None = None
    try:
        async with OutcomeStream(session, inputs, options) as stream:
            async for outcome in stream:
                outcomes[outcome.index] = outcome
    except AltcraftBalanceError as error:
        fatal = _for_the_unasked(error)
    return [
        outcome if outcome is not None else _unasked(inputs[index], index, fatal, options.by)
        for index, outcome in enumerate(outcomes)
    ]


async def _all_of(items: Items) -> list[Any]:
    inputs: list[Any] = []
    if isinstance(items, AsyncIterable):
        async for item in items:
            _add(inputs, item)
    else:
        for item in items:
            _add(inputs, item)
    return inputs


def _add(inputs: list[Any], item: Any) -> None:
    # A source without an end would fill the memory, and a plain one would hold the loop as well.
    if len(inputs) == MAX_INPUTS:
        raise InvalidQuery(
            f"get_balances is for small batches, of {MAX_INPUTS:,} at most: use stream_balances"
        )
    inputs.append(item)


def _unasked(item: Any, index: int, fatal: AltcraftBalanceError | None, by: By | None) -> Failed:
    try:
        query = as_query(item, by)
    except InvalidQuery as error:
        return Failed(query=stand_in(item), index=index, error=error)
    if fatal is None:
        raise RuntimeError("a batch ended normally without an outcome for each input")
    return Failed(query=query, index=index, error=fatal)


def _for_the_unasked(fatal: AltcraftBalanceError) -> AltcraftBalanceError:
    """The same error, about a lookup that was not sent."""
    error = copy(fatal)
    error.attempts, error.elapsed_s, error.maybe_sent, error.unsent = 0, 0.0, False, ()
    return error
