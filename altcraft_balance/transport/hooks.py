"""Looking at a method of aiohttp's that is not documented, before anything hangs on to it."""

from __future__ import annotations

import inspect

__all__ = ["takes"]


def takes(owner: type, method: str, parameters: set[str], *, exactly: bool = True) -> bool:
    """Whether `owner` has this method, with these parameters, or with these and others."""
    if (there := getattr(owner, method, None)) is None:
        return False
    found = set(inspect.signature(there).parameters) - {"self"}
    return found == parameters if exactly else found >= parameters
