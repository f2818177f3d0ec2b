"""Which event loop the commands run on: uvloop's where it is installed, else asyncio's own."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

__all__ = ["hold_standard_streams", "is_held_up", "loop_factory", "run"]

_T = TypeVar("_T")
_PROMPT: Final = (0, 23)
#: For a thread that is about to end.
_LAST_WORDS_S: Final = 0.5


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
    """As `asyncio.run`, which takes no factory before Python 3.12 and waits for every thread."""
    make = loop_factory()

    def made() -> asyncio.AbstractEventLoop:
        loop = make()
        loop.set_default_executor(_Unawaited(thread_name_prefix="altcraft_balance"))
        return loop

    with asyncio.Runner(loop_factory=made) as runner:
        return runner.run(work)


class _Unawaited(ThreadPoolExecutor):
    """Its threads ask for the addresses of names: a silent name server may hold one for a minute.

    By then nobody wants to know any more, and the loop need not wait for it.
    """

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)


def is_held_up() -> bool:
    """Whether a thread would keep the process from ending, though all is done."""
    until = time.monotonic() + _LAST_WORDS_S
    main = threading.main_thread()
    others = [one for one in threading.enumerate() if one is not main and not one.daemon]
    for thread in others:
        thread.join(max(0.0, until - time.monotonic()))
    return any(thread.is_alive() for thread in others)
