"""Constructors whose refusals leave no frame behind that holds what they were given.

A traceback with local variables is what error trackers send away, and the values that a lookup is
made of are members' addresses.
"""

from __future__ import annotations

from functools import wraps
from typing import Any, TypeVar

from altcraft_balance.errors import InvalidQuery

__all__ = ["unseen"]

_Class = TypeVar("_Class", bound=type)


def unseen(cls: _Class) -> _Class:
    """`cls`, whose arguments are in no frame of its own; the caller's frames are the caller's."""
    make = cls.__init__  # type: ignore[misc]

    @wraps(make)
    def __init__(self: Any, *values: Any, **named: Any) -> None:  # noqa: N807 - it is one
        try:
            make(self, *values, **named)
            return
        except (InvalidQuery, TypeError) as error:
            refused = error.with_traceback(None)
        del self, values, named  # this frame stays
        raise refused

    cls.__init__ = __init__  # type: ignore[misc]
    return cls
