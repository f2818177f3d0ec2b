"""The CPU time of this thread, which other processes do not use up."""

import contextlib
import sys
import time


@contextlib.contextmanager
def cpu_noted(seconds):
    """Append what the inside takes, as if it ran without coverage or a debugger.

    Either is slower than what limits speak of.
    """
    room = 5 if sys.gettrace() is not None else 1
    began = time.thread_time()
    yield
    seconds.append((time.thread_time() - began) / room)
