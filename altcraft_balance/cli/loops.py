"""Which event loop the commands run on: uvloop's where it is installed, else asyncio's own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

__all__ = ["hold_standard_streams", "loop_factory", "run"]

_T = TypeVar("_T")
_PROMPT: Final = (0, 23)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the loop; uvloop is looked for now, and not when this module is imported.

    So whoever asks for help, or for a report, does not pay for it.
    """
    try:
        import uvloop
    except ImportError:  # not installed, or not made for this machine
        return asyncio.new_event_loop
    # An older one writes a turn of the loop later than it is told to, and what arrives on an idle
    # connection in between would be taken for the answer.
    is_prompt = tuple(map(int, str(vars(uvloop)["__version__"]).split(".")[:2])) >= _PROMPT
    return uvloop.new_event_loop if is_prompt else asyncio.new_event_loop


def hold_standard_streams() -> None:
    """Put the null device where standard input, output or error is closed.

    Else the next file or socket would get its number, and libuv ends a program that closes it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """As `asyncio.run`, which takes no factory before Python 3.12."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(work)
